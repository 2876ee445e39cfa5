"""What a prompt speaks of: things, colours, numbers, light, weather, place, style."""

import hashlib
import random
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from bot.simulator.colours import Colour, from_hex
from bot.simulator.silhouettes import Silhouette, silhouettes

NIGHT = from_hex("18224e")
SUNSET = from_hex("f58c5a")
SNOW = from_hex("e4ecf5")
STOPS = ",.;:!?，。；：！？、\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A thing to draw; ``colour`` None: its own."""

    name: str
    silhouette: Silhouette
    colour: Colour | None = None
    count: int = 1

    @property
    def place(self) -> str:
        """Where such a thing is found."""
        return self.silhouette.place


@dataclass(slots=True, kw_only=True)
class Reading:
    """All that was understood of a prompt, in its order."""

    prompt: str
    figures: list[Figure] = field(default_factory=list)
    colours: list[Colour] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    weathers: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    is_adding: bool = False

    @property
    def is_night(self) -> bool:
        """Whether the prompt asks for darkness."""
        names = {figure.name for figure in self.figures}
        return "night" in self.times or "moon" in names

    @property
    def is_snowy(self) -> bool:
        """Whether the prompt asks for snow."""
        return "snow" in self.weathers

    def main_colour(self, luck: random.Random) -> Colour:
        """The first colour that is named or implied, else one made from the prompt's letters."""
        implied = self._implied_colours()
        for colour in [*self.colours, *implied]:
            return colour
        return _colour_of_letters(self.prompt, luck)

    def _implied_colours(self) -> Iterator[Colour]:
        for figure in self.figures:
            yield figure.silhouette.colour
        for place in self.places:
            yield place_colour(place)
        if self.is_night:
            yield NIGHT
        if "sunset" in self.times:
            yield SUNSET
        if self.is_snowy:
            yield SNOW


def _colour_of_letters(prompt: str, luck: random.Random) -> Colour:
    digest = hashlib.sha256(prompt.encode()).digest()
    shift = luck.randrange(40)
    red = _middling(digest[0])
    green = _middling(digest[1])
    blue = _middling(digest[2] + shift)
    return red, green, blue


def _middling(level: int) -> int:
    """Turn any level of a colour into one that is neither too dark nor too bright to draw on."""
    return 70 + level % 150


@cache
def _table() -> dict[str, Any]:
    source = files("bot.simulator") / "vocabulary.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def place_colour(place: str) -> Colour:
    """The colour of the ground of a place."""
    return from_hex(_table()["places"][place]["colour"])


Meaning = tuple[str, str]
"""Kind and name: ("thing", "fox"), ("weather", "snow")."""


@cache
def _meanings() -> Mapping[str, tuple[Meaning, ...]]:
    """What each word means; "with" is a break and adds something."""
    meanings: dict[str, tuple[Meaning, ...]] = {}
    for kind, name, words in _entries():
        for word in words:
            others = meanings.get(word, ())
            meanings[word] = (*others, (kind, name))
    return meanings


def _entries() -> Iterator[tuple[str, str, list[str]]]:
    for name, silhouette in silhouettes().items():
        yield "thing", name, list(silhouette.words)
    table = _table()
    for kind in (
        "colours",
        "times",
        "weathers",
        "styles",
        "counts",
        "words",
    ):
        for name, words in table[kind].items():
            yield kind, name, words.split("|")
    for name, place in table["places"].items():
        yield "places", name, place["words"].split("|")


@cache
def _pattern() -> re.Pattern[str]:
    """Any word of ours, the longest first."""
    words = sorted(_meanings(), key=len, reverse=True)
    patterns = map(_whole_word, words)
    alternatives = "|".join(patterns)
    stops = re.escape(STOPS)
    return re.compile(f"{alternatives}|[{stops}]")


def _whole_word(word: str) -> str:
    """Latin words end at a letter's end; Chinese ones stand without spaces."""
    if not word.isascii():
        return re.escape(word)
    return rf"\b{re.escape(word)}(?:e?s)?\b"


def _look_up(word: str) -> tuple[Meaning, ...]:
    meanings = _meanings()
    for form in (word, word.removesuffix("s"), word.removesuffix("es")):
        if form in meanings:
            return meanings[form]
    return (("words", "break"),)


@cache
def read(prompt: str) -> Reading:
    """Read a prompt in any of the four languages."""
    reader = Reader(prompt)
    for match in _pattern().finditer(prompt.lower()):
        for kind, name in _look_up(match[0]):
            reader.take(kind, name, match)
    return reader.reading


class Reader:
    """Goes through a prompt; a colour and a number belong to the thing they stand before."""

    def __init__(self, prompt: str) -> None:
        self.reading = Reading(prompt=prompt)
        self._colour: Colour | None = None
        self._count = 1
        self._thing_end = -2

    def take(
        self,
        kind: str,
        name: str,
        match: re.Match[str],
    ) -> None:
        """Note one word."""
        if kind == "thing":
            self._take_thing(name, match)
        elif kind == "colours":
            self._take_colour(from_hex(name), match)
        elif kind == "counts":
            self._count = int(name)
        elif kind == "words":
            self._take_small_word(name)
        else:
            names: list[str] = getattr(self.reading, kind)
            names.append(name)

    def _take_thing(self, name: str, match: re.Match[str]) -> None:
        self._thing_end = match.end()
        figures = self.reading.figures
        if name not in {figure.name for figure in figures}:
            figures.append(
                Figure(
                    name=name,
                    silhouette=silhouettes()[name],
                    colour=self._colour,
                    count=self._count,
                )
            )
        self._forget()

    def _take_colour(self, colour: Colour, match: re.Match[str]) -> None:
        self.reading.colours.append(colour)
        figures = self.reading.figures
        # In Indonesian it follows its thing: "rubah merah".
        is_behind = match.start() <= self._thing_end + 1
        if is_behind and figures[-1].colour is None:
            figures[-1] = replace(figures[-1], colour=colour)
        else:
            self._colour = colour

    def _take_small_word(self, name: str) -> None:
        if name == "adding":
            self.reading.is_adding = True
        else:
            self._forget()

    def _forget(self) -> None:
        self._colour = None
        self._count = 1
