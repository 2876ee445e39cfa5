"""A channel's settings: defaults, style words, permissions, votes, the gallery. Pure.

They are stored as text in the workspace's settings: ``{"channels": {channel: {name: text}}}``. The
channel "*" holds the settings of the whole workspace: those of ``SHARED`` always stand there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from core import budgets
from core.budgets import Caps
from core.catalog import Catalog
from core.errors import Rejected
from core.forms import Choice, Field, FieldKind, Form, split_list
from core.i18n import translate
from core.operations import COMMANDS, Action
from core.option_values import read_value, refuse_unknown, shorten
from core.options import MOST_PICTURES, OPTIONS, Options
from core.sessions import PSEUDONYM
from core.text import clean, is_whole_number

RANGES = {"quorum": (2, 20), "favourites": (1, 20)}
OFFERED = {"quorum": range(2, 11), "favourites": range(1, 11)}
"""The numbers in the form's menus: few people need more."""
SIZE_SIGNS = ("*", "x", "×")
NO_PERSON = "-"
"""Stands for a person who was forgotten in a list that would else be empty, which means all."""
FORGOTTEN = (PSEUDONYM, NO_PERSON)
"""What begins the words that stand for people who were forgotten."""
SPECIAL_FIELDS = {
    "gallery": FieldKind.CHANNEL,
    "functions": FieldKind.CHOICES,
    "people": FieldKind.PEOPLE,
    "personal_threads": FieldKind.FLAG,
    "refused_words": FieldKind.TEXT,
    "refused_people": FieldKind.PEOPLE,
    "functions_off": FieldKind.CHOICES,
}
PEOPLE = frozenset(
    name for name, kind in SPECIAL_FIELDS.items() if kind is FieldKind.PEOPLE
)
"""Settings that list people, by their platform's ids."""
SHARED = frozenset({"refused_words", "refused_people", "functions_off"})
"""Settings that no channel has for itself."""
EVERYWHERE = "*"
FUNCTIONS = tuple(
    action
    for action in COMMANDS
    if action in {Action.DRAW, Action.EDIT} or action.is_wanx
)
"""What can be allowed or switched off, in the order of menus. Again and Re-run are one of these."""
LONGEST_LIST = 2000
"""Characters of a list of refused words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """``shape`` is a ratio or size as typed; ``functions`` and ``people`` are ids, empty for all.

    ``quorum`` votes settle on a picture; ``favourites`` copy it to the channel ``gallery`` ("" for
    none). ``refused_words``, ``refused_people`` and ``functions_off`` are the workspace's.
    """

    model: str = ""
    n: str = ""
    shape: str = ""
    style: str = ""
    gallery: str = ""
    functions: str = ""
    people: str = ""
    personal_threads: str = ""
    quorum: str = "3"
    favourites: str = "2"
    refused_words: str = ""
    refused_people: str = ""
    functions_off: str = ""

    @property
    def threads_are_personal(self) -> bool:
        """Has everybody their own session in threads, too?"""
        return self.personal_threads == "yes"

    def number(self, name: str) -> int:
        """Quorum or favourites."""
        return int(getattr(self, name))


NAMES = tuple(field.name for field in fields(Preferences))


def preferences_of(settings: Mapping[str, Any], channel: str) -> Preferences:
    """Read the channel's settings, falling back to the workspace's, then to the defaults."""
    channels = settings.get("channels", {})
    workspace_texts = channels.get(EVERYWHERE, {})
    channel_texts = channels.get(channel, {})
    texts = workspace_texts | channel_texts
    # A setting of a newer version may stand there, after a step back to this one.
    names = texts.keys() & set(NAMES)
    return Preferences(**{name: texts[name] for name in names})


def update(
    settings: Mapping[str, Any],
    channel: str,
    texts: Mapping[str, str],
    catalog: Catalog,
) -> dict[str, Any]:
    """The settings with a channel's new values; an empty value goes back to the default.

    Raises Rejected.
    """
    for name, text in texts.items():
        if name not in NAMES:
            raise _unknown_word(name, NAMES)
        if text:
            _check(name, text, catalog)
    channels: dict[str, dict[str, str]] = dict(settings.get("channels", {}))
    for name, text in texts.items():
        scope = EVERYWHERE if name in SHARED else channel
        stored = channels.get(scope, {})
        value = text
        if name in PEOPLE:
            # The form does not show those who were forgotten.
            others = _forgotten_people(stored.get(name, ""))
            value = f"{text} {others}".strip()
        stored = {**stored, name: value}
        # What is not stored is the default.
        channels[scope] = {
            key: value for key, value in stored.items() if value
        }
    return {**settings, "channels": channels}


def without_person(
    settings: Mapping[str, Any], person: str, pseudonym: str
) -> dict[str, Any]:
    """The settings without a person who is forgotten.

    A channel that was theirs alone is not opened to all, and who was refused stays so.
    """
    channels = settings.get("channels", {})
    if not channels:
        return dict(settings)
    places = {"people": NO_PERSON, "refused_people": pseudonym}
    cleared = {}
    for channel, texts in channels.items():
        cleared[channel] = dict(texts)
        for name in places.keys() & texts.keys():
            cleared[channel][name] = replace_person(
                person, texts[name], places[name]
            )
    return {**settings, "channels": cleared}


def replace_person(person: str, text: str, place: str) -> str:
    """A list of people with ``place`` where the person stood."""
    people = split_list(text)
    if person not in people:
        return text
    return " ".join(place if other == person else other for other in people)


def _shown_people(text: str) -> str:
    """A list of people without those who were forgotten."""
    people = split_list(text)
    return " ".join(
        person for person in people if not person.startswith(FORGOTTEN)
    )


def _forgotten_people(text: str) -> str:
    people = split_list(text)
    return " ".join(
        person for person in people if person.startswith(PSEUDONYM)
    )


def _check(name: str, text: str, catalog: Catalog) -> None:
    if name == "model":
        catalog.model(text)
    elif name == "n":
        read_value(OPTIONS["n"], text)
    elif name == "shape":
        _read_shape(text)
    elif name in {"functions", "functions_off"}:
        read_functions(text)
    elif name == "refused_words" and len(text) > LONGEST_LIST:
        raise Rejected(
            "grammar.too_long", length=len(text), limit=LONGEST_LIST
        )
    elif name in RANGES:
        _check_number(name, text)


def _check_number(name: str, text: str) -> None:
    low, high = RANGES[name]
    nearest = low
    if is_whole_number(text):
        # More digits than that are out of every range.
        number = int(text[:4])
        if low <= number <= high:
            return
        nearest = min(max(number, low), high)
    raise Rejected(
        "grammar.value",
        option=name,
        value=shorten(text),
        allowed=f"{low}–{high}",
        nearest=nearest,
    )


def _read_shape(text: str) -> Options:
    text = clean(text)
    is_size = any(sign in text.lower() for sign in SIZE_SIGNS)
    option = OPTIONS["size" if is_size else "ar"]
    return Options(**{option.attribute: read_value(option, text)})


def read_functions(text: str) -> frozenset[Action]:
    """The functions in a list. Raises Rejected for a word that is none."""
    actions = {
        action.value: action for action in Action if action.makes_pictures
    }
    functions = set()
    for word in split_list(text):
        if word not in actions:
            raise _unknown_word(word, list(actions))
        functions.add(actions[word])
    return frozenset(functions)


def _unknown_word(word: str, allowed: Sequence[str]) -> Rejected:
    return refuse_unknown(
        "grammar.unknown_word",
        "grammar.unknown_word_near",
        word,
        allowed,
    )


def apply_defaults(
    preferences: Preferences,
    action: Action,
    prompt: str,
    options: Options,
    catalog: Catalog,
) -> tuple[str, Options]:
    """Prompt and options with the channel's defaults where a person chose nothing.

    Only the default model reaches edits: the others would surprise there.
    """
    if preferences.model and options.model is None:
        model = catalog.model(preferences.model)
        if action in model.actions:
            options = replace(options, model=model.id)
    # An edit keeps the look of its picture.
    if action is not Action.DRAW:
        return prompt, options
    if preferences.style and prompt:
        prompt = f"{prompt}, {preferences.style}"
    if preferences.n and options.n is None:
        options = replace(options, n=int(preferences.n))
    if preferences.shape and options.size is None and options.ratio is None:
        shape = _read_shape(preferences.shape)
        options = replace(options, size=shape.size, ratio=shape.ratio)
    return prompt, options


def settings_form(
    preferences: Preferences,
    caps: Caps,
    catalog: Catalog,
    locale: str,
) -> Form:
    """The form that shows and changes them, and the workspace's budgets."""
    texts = {name: getattr(preferences, name) for name in NAMES}
    settings = [
        _field(name, text, catalog, locale) for name, text in texts.items()
    ]
    limits = [_limit_field(name, caps, locale) for name in budgets.NAMES]
    return Form(
        action=Action.SETTINGS,
        title=translate("action.settings", locale),
        submit=translate("form.save", locale),
        fields=(*settings, *limits),
    )


def _field(name: str, text: str, catalog: Catalog, locale: str) -> Field:
    kind = SPECIAL_FIELDS.get(name, FieldKind.LINE)
    choices: tuple[Choice, ...] = ()
    values = _offered_values(name, catalog)
    if values:
        kind = FieldKind.CHOICE
        choices = tuple(Choice(value=value, label=value) for value in values)
    elif kind is FieldKind.CHOICES:
        choices = _function_choices(locale)
    return Field(
        name=name,
        kind=kind,
        label=translate(f"setting.{name}", locale),
        value=_shown_people(text) if name in PEOPLE else text,
        limit=LONGEST_LIST if kind is FieldKind.TEXT else 0,
        choices=choices,
    )


def _function_choices(locale: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            value=action.value,
            label=translate(f"action.{action.value}", locale),
        )
        for action in FUNCTIONS
    )


def _offered_values(name: str, catalog: Catalog) -> list[str]:
    """The values of a setting that is chosen from a menu."""
    if name == "model":
        # A menu that cannot show all then lacks the dated editions, which come last.
        models = sorted(
            catalog.models.values(), key=lambda model: (model.rank, model.id)
        )
        return [model.id for model in models]
    if name == "n":
        return [str(number) for number in range(1, MOST_PICTURES + 1)]
    return [str(number) for number in OFFERED.get(name, ())]


def _limit_field(name: str, caps: Caps, locale: str) -> Field:
    return Field(
        name=name,
        kind=FieldKind.LINE,
        label=translate(f"setting.{name}", locale),
        value=budgets.write(getattr(caps, name)),
    )
