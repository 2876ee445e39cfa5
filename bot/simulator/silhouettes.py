"""Things as flat shapes: what ``silhouettes.toml`` describes, parsed and drawn."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from PIL import Image, ImageDraw

from bot.simulator.colours import BLACK, WHITE, Colour, from_hex, mix
from bot.simulator.geometry import Point, box_around, disc, smooth

UNITS = 100
"""Sides of the square in which a thing is described."""
OVERSAMPLING = 2
"""Drawn larger by this and then reduced: Pillow's polygons have hard edges."""
ROUNDING = 2.0
"""Radius of a block's corners, in units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One shape. ``width``: of a line, in units."""

    kind: str
    colour: str
    points: Sequence[Point]
    width: float = 0.0
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silhouette:
    """One thing. ``place``: where it is found (land, water, under, air, table)."""

    words: Sequence[str]
    colour: Colour
    place: str
    parts: Sequence[Part]


@cache
def silhouettes() -> Mapping[str, Silhouette]:
    """Everything that can be drawn, by its name."""
    things = _table()["things"]
    return {name: _silhouette(thing) for name, thing in things.items()}


@cache
def _table() -> dict[str, Any]:
    source = files("bot.simulator") / "silhouettes.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _silhouette(thing: Mapping[str, Any]) -> Silhouette:
    return Silhouette(
        words=thing["words"].split("|"),
        colour=from_hex(thing["colour"]),
        place=thing.get("place", "land"),
        parts=[_part(text) for text in thing["parts"]],
    )


def _part(text: str) -> Part:
    words = text.split()
    is_mirrored = words[0] == "both"
    if is_mirrored:
        words = words[1:]
    kind, colour, *numbers = words
    width = 0.0
    if kind == "line":
        width = float(numbers[0])
        numbers = numbers[1:]
    return Part(
        kind=kind,
        colour=colour,
        points=[_point(pair) for pair in numbers],
        width=width,
        is_mirrored=is_mirrored,
    )


def _point(pair: str) -> Point:
    across, down = pair.split(",")
    return float(across), float(down)


def draw_silhouette(
    silhouette: Silhouette, colour: Colour, side: int
) -> Image.Image:
    """The thing on a transparent square of ``side`` pixels."""
    colours = _colours_around(colour)
    large = side * OVERSAMPLING
    canvas = Image.new("RGBA", (large, large))
    pen = Pen(canvas, large / UNITS)
    for part in silhouette.parts:
        fill = colours[part.colour]
        pen.draw(part, fill)
        if part.is_mirrored:
            pen.draw(_mirror(part), fill)
    return canvas.reduce(OVERSAMPLING)


def _mirror(part: Part) -> Part:
    places = part.points
    radii: Sequence[Point] = ()
    if part.kind == "oval":
        # The radii are no place: they stay as they are.
        places = part.points[:1]
        radii = part.points[1:]
    mirrored = [(UNITS - across, down) for across, down in places]
    return replace(part, points=[*mirrored, *radii])


def _colours_around(main: Colour) -> dict[str, Colour]:
    colours = {
        name: from_hex(text) for name, text in _table()["colours"].items()
    }
    return colours | {
        "main": main,
        "dark": mix(main, BLACK, 0.3),
        "light": mix(main, WHITE, 0.5),
    }


class Pen:
    """Draws parts onto a canvas; ``scale``: pixels of a unit."""

    def __init__(self, canvas: Image.Image, scale: float) -> None:
        self._draw = ImageDraw.Draw(canvas)
        self._scale = scale
        self._kinds: dict[str, Callable[[Part, Colour], None]] = {
            "polygon": self._polygon,
            "curve": self._curve,
            "oval": self._oval,
            "block": self._block,
            "line": self._line,
        }

    def draw(self, part: Part, colour: Colour) -> None:
        """Draw one part."""
        draw = self._kinds[part.kind]
        draw(part, colour)

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        scale = self._scale
        return [(across * scale, down * scale) for across, down in points]

    def _polygon(self, part: Part, colour: Colour) -> None:
        corners = self._scaled(part.points)
        self._draw.polygon(corners, fill=colour)

    def _curve(self, part: Part, colour: Colour) -> None:
        points = part.points
        outline = smooth([points[-1], *points, *points[:2]])
        corners = self._scaled(outline)
        self._draw.polygon(corners, fill=colour)

    def _oval(self, part: Part, colour: Colour) -> None:
        middle, radii = self._scaled(part.points)
        box = box_around(
            middle,
            2 * radii[0],
            2 * radii[1],
        )
        self._draw.ellipse(box, fill=colour)

    def _block(self, part: Part, colour: Colour) -> None:
        first, second = self._scaled(part.points)
        left = min(first[0], second[0])
        right = max(first[0], second[0])
        box = (
            left,
            first[1],
            right,
            second[1],
        )
        radius = ROUNDING * self._scale
        self._draw.rounded_rectangle(box, radius, fill=colour)

    def _line(self, part: Part, colour: Colour) -> None:
        points = part.points
        line = smooth([points[0], *points, points[-1]])
        path = self._scaled(line)
        thickness = part.width * self._scale
        width = max(1, round(thickness))
        self._draw.line(
            path,
            fill=colour,
            width=width,
            joint="curve",
        )
        for end in (path[0], path[-1]):
            round_end = disc(end, width / 2)
            self._draw.ellipse(round_end, fill=colour)
