"""Where a scene takes place: sky and ground, or a table, the sea, space.

The order in which ``luck`` is asked is part of the picture: the same request gives the same bytes.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bot.simulator.colours import WHITE, Colour, mix
from bot.simulator.geometry import Box, Point, box_around, disc, random_spot
from bot.simulator.silhouettes import draw_silhouette, silhouettes
from bot.simulator.sizes import Pixels
from bot.simulator.vocabulary import Reading, place_colour

SMALLEST = 64
"""Pixels of a side of the sketch."""
FULL_TURN = 6.28
RIDGES = 4
PINES = 11
WAVES = 70
BUBBLES = 26
STARS = 60
HORIZON = 0.58
"""Share of the height above the sea."""

Sky = tuple[Colour, Colour]
"""Above, and at the horizon."""
SKIES: dict[str, Sky] = {
    "night": ((16, 22, 52), (70, 70, 120)),
    "sunset": ((92, 84, 142), (252, 176, 118)),
    "dawn": ((140, 172, 214), (255, 214, 188)),
    "day": ((120, 176, 226), (240, 240, 226)),
}
GREY_SKY: Sky = ((128, 138, 152), (196, 202, 208))
STARLIGHT = (240, 240, 220)
MOON = (238, 238, 222)
SUN = (255, 226, 140)
LOW_SUN = (255, 156, 92)
NIGHT_HAZE = (30, 36, 70)
DAY_HAZE = (205, 215, 228)
SHADOW = (20, 24, 30)
SNOWFIELD = (232, 239, 247)
WALL = (233, 222, 205)
DEEP = (14, 52, 96)
PINE = (38, 82, 62)
WINDOW = (250, 222, 140)
LIT = 0.6
"""Share of windows with light."""
BLACK_SKY = (12, 12, 32)
PLANET = (196, 138, 96)
RING = (226, 198, 170)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a landscape is drawn from. ``place``: where it is; ``ground``: the ground's colour."""

    reading: Reading
    place: str
    ground: Colour
    luck: random.Random

    @property
    def light(self) -> str:
        """Time of day."""
        if self.reading.is_night:
            return "night"
        return next(iter(self.reading.times), "day")

    @property
    def is_grey(self) -> bool:
        """Whether the sky is covered."""
        covered = {"rain", "storm", "fog", "clouds"}
        return bool(covered.intersection(self.reading.weathers))

    @property
    def haze(self) -> Colour:
        """The colour of what is far away."""
        return NIGHT_HAZE if self.light == "night" else DAY_HAZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """``rate``: turns over the width of a picture; ``size`` in pixels."""

    rate: float
    shift: float
    size: float

    def lift(self, across: int, width: int) -> float:
        """How many pixels the wave lifts the line there."""
        angle = self.rate * FULL_TURN * across / width + self.shift
        return self.size * math.sin(angle)


def draw_landscape(view: View, size: Pixels) -> Image.Image:
    """The place without its figures."""
    # A quarter of the size is quick to draw, and enlarging makes it look painted.
    width, height = size
    sketch_size = (max(SMALLEST, width // 4), max(SMALLEST, height // 4))
    draw = INDOORS.get(view.place, _draw_outdoors)
    canvas = draw(view, sketch_size)
    enlarged = canvas.resize(size, Image.Resampling.BICUBIC)
    return enlarged.filter(ImageFilter.SMOOTH)


def _draw_outdoors(view: View, size: Pixels) -> Image.Image:
    canvas = _sky(view, size)
    _draw_sun_or_moon(canvas, view)
    if view.light != "night":
        _draw_clouds(canvas, view)
    draw_ground = GROUNDS.get(view.place, _draw_hills)
    draw_ground(canvas, view)
    return canvas


def _sky(view: View, size: Pixels) -> Image.Image:
    top, low = SKIES[view.light]
    if view.is_grey:
        top = mix(top, GREY_SKY[0], 0.7)
        low = mix(low, GREY_SKY[1], 0.7)
    top = mix(top, view.ground, 0.1)
    low = mix(low, view.ground, 0.14)
    sky = _gradient(size, top, low)
    if view.light == "night" and not view.is_grey:
        _draw_stars(sky, view.luck, sky.height // 2)
    return sky


def _gradient(
    size: Pixels,
    top: Colour,
    low: Colour,
) -> Image.Image:
    grey = Image.linear_gradient("L").resize(size)
    return ImageOps.colorize(grey, top, low)


def _draw_stars(
    sky: Image.Image,
    luck: random.Random,
    lowest: int,
) -> None:
    draw = ImageDraw.Draw(sky)
    for _ in range(STARS):
        spot = random_spot((sky.width, lowest), luck)
        draw.point(spot, fill=STARLIGHT)


def _draw_sun_or_moon(canvas: Image.Image, view: View) -> None:
    if view.is_grey:
        return
    luck = view.luck
    radius = min(canvas.size) // 11
    left = radius * 2
    right = max(left + 1, canvas.width - left)
    highest = radius + 4
    lowest = max(highest + 1, canvas.height // 4)
    across = luck.randrange(left, right)
    down = luck.randrange(highest, lowest)
    colour = MOON if view.light == "night" else SUN
    if view.light in {"sunset", "dawn"}:
        down = round(canvas.height * 0.4)
        colour = LOW_SUN
    draw = ImageDraw.Draw(canvas)
    draw.ellipse(disc((across, down), radius), fill=colour)


def _draw_clouds(canvas: Image.Image, view: View) -> None:
    draw = ImageDraw.Draw(canvas)
    luck = view.luck
    _, low = SKIES[view.light]
    whiteness = 0.25 if view.is_grey else 0.6
    colour = mix(low, WHITE, whiteness)
    count = 6 if view.is_grey else 3
    sky = (canvas.width, canvas.height // 3)
    for _ in range(count):
        spot = random_spot(sky, luck)
        width = canvas.width * luck.uniform(0.09, 0.16)
        _draw_cloud(
            draw,
            spot,
            width,
            colour,
        )


def _draw_cloud(
    draw: ImageDraw.ImageDraw, spot: Point, width: float, colour: Colour
) -> None:
    """Three ovals, the middle one the largest."""
    across, down = spot
    for shift, growth in ((-0.6, 0.7), (0.0, 1.2), (0.65, 0.8)):
        middle = (across + shift * width, down - width * growth * 0.08)
        box = box_around(
            middle,
            width * growth,
            width * growth * 0.45,
        )
        draw.ellipse(box, fill=colour)


def _draw_hills(canvas: Image.Image, view: View) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    corners = [(width, height), (0, height)]
    for layer in range(RIDGES):
        base = height * (0.48 + 0.13 * layer)
        ridge = _ridge(canvas.size, base, view.luck)
        # The nearer a ridge, the darker, and the less haze lies before it.
        near = mix(view.ground, SHADOW, 0.07 * layer)
        colour = mix(view.haze, near, 0.3 + 0.22 * layer)
        draw.polygon([*ridge, *corners], fill=colour)


def _ridge(
    size: Pixels,
    base: float,
    luck: random.Random,
) -> list[Point]:
    """The line of a range of hills around the height ``base``: three waves, one upon another."""
    width, height = size
    waves: list[Wave] = []
    for _ in range(3):
        rate = luck.uniform(0.5, 2.2)
        shift = luck.uniform(0, 7)
        share = luck.uniform(0.01, 0.045)
        waves.append(Wave(rate=rate, shift=shift, size=share * height))
    ridge: list[Point] = []
    # Every other pixel is enough for a line as smooth as this.
    for across in range(0, width + 2, 2):
        lift = sum(wave.lift(across, width) for wave in waves)
        ridge.append((across, base - lift))
    return ridge


def _draw_forest(canvas: Image.Image, view: View) -> None:
    _draw_hills(canvas, view)
    colour = mix(PINE, view.haze, 0.2)
    if view.reading.is_snowy:
        colour = mix(colour, SNOWFIELD, 0.35)
    pine = silhouettes()["pine"]
    for number in range(PINES):
        share = view.luck.uniform(0.22, 0.4)
        side = round(min(canvas.size) * share)
        middle = canvas.width * number / (PINES - 1)
        foot = canvas.height * view.luck.uniform(0.58, 0.72)
        tree = draw_silhouette(pine, colour, side)
        corner = (round(middle) - side // 2, round(foot) - side)
        canvas.paste(tree, corner, tree)


def _draw_sea(canvas: Image.Image, view: View) -> None:
    width, height = canvas.size
    top = round(height * HORIZON)
    near = mix(view.ground, SHADOW, 0.25)
    if view.light == "night":
        near = mix(near, NIGHT_HAZE, 0.5)
    far = mix(view.haze, near, 0.45)
    water = _gradient((width, height - top), far, near)
    canvas.paste(water, (0, top))
    draw_waves(
        canvas,
        top,
        view.luck,
        mix(far, WHITE, 0.3),
    )


def draw_waves(
    canvas: Image.Image, top: int, luck: random.Random, colour: Colour
) -> None:
    """Short bright lines on water below ``top``."""
    draw = ImageDraw.Draw(canvas)
    depth = max(2, canvas.height - top)
    for _ in range(WAVES):
        # Nearer waves are longer and thicker.
        share = luck.random()
        down = top + round(share * depth)
        left = luck.randrange(canvas.width)
        length = canvas.width * (0.02 + 0.05 * share)
        thickness = round(canvas.height / 180 * share)
        wave = (
            left,
            down,
            left + length,
            down,
        )
        draw.line(wave, fill=colour, width=max(1, thickness))


def _draw_beach(canvas: Image.Image, view: View) -> None:
    sea = replace(view, place="sea", ground=place_colour("sea"))
    _draw_sea(canvas, sea)
    shore = _ridge(canvas.size, canvas.height * 0.74, view.luck)
    corners = [(canvas.width, canvas.height), (0, canvas.height)]
    sand = place_colour("beach")
    if view.light == "night":
        sand = mix(sand, NIGHT_HAZE, 0.6)
    draw = ImageDraw.Draw(canvas)
    draw.polygon([*shore, *corners], fill=sand)


def _draw_city(canvas: Image.Image, view: View) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    floor = round(height * 0.78)
    stone = mix(view.ground, SHADOW, 0.3)
    far = mix(view.haze, stone, 0.5)
    near = mix(view.haze, stone, 0.9)
    for box in _buildings(
        canvas.size,
        floor,
        0.5,
        view.luck,
    ):
        draw.rectangle(box, fill=far)
    for box in _buildings(
        canvas.size,
        floor,
        0.38,
        view.luck,
    ):
        draw.rectangle(box, fill=near)
        _light_windows(draw, box, view)
    street = mix(view.ground, SHADOW, 0.55)
    draw.rectangle(
        (
            0,
            floor,
            width,
            height,
        ),
        fill=street,
    )


def _buildings(
    size: Pixels, floor: int, tallest: float, luck: random.Random
) -> Iterator[Box]:
    """A row of houses; ``tallest``: as a share of the height."""
    width, height = size
    left = -luck.randrange(12)
    while left < width:
        right = left + round(width * luck.uniform(0.07, 0.13))
        top = floor - round(height * luck.uniform(0.2, tallest))
        yield left, top, right, floor
        left = right + luck.randrange(1, 5)


def _light_windows(
    draw: ImageDraw.ImageDraw, building: Box, view: View
) -> None:
    colour = WINDOW
    if view.light != "night":
        colour = mix(view.ground, WHITE, 0.55)
    left, top, right, floor = map(round, building)
    columns = range(
        left + 3,
        right - 3,
        6,
    )
    rows = range(
        top + 4,
        floor - 4,
        7,
    )
    for across, down in product(columns, rows):
        if view.luck.random() < LIT:
            window = (
                across,
                down,
                across + 2,
                down + 3,
            )
            draw.rectangle(window, fill=colour)


def _draw_table(view: View, size: Pixels) -> Image.Image:
    width, height = size
    wall = WALL
    wood = mix(place_colour("table"), SHADOW, 0.1)
    if view.light == "night":
        wall = mix(wall, NIGHT_HAZE, 0.7)
        wood = mix(wood, NIGHT_HAZE, 0.5)
    upper = mix(wall, WHITE, 0.3)
    lower = mix(wall, SHADOW, 0.12)
    canvas = _gradient(size, upper, lower)
    draw = ImageDraw.Draw(canvas)
    _draw_window(draw, view, size)
    edge = round(height * 0.64)
    draw.rectangle(
        (
            0,
            edge,
            width,
            height,
        ),
        fill=wood,
    )
    shine = mix(wood, WHITE, 0.3)
    draw.rectangle(
        (
            0,
            edge,
            width,
            edge + 2,
        ),
        fill=shine,
    )
    grain = mix(wood, SHADOW, 0.12)
    for _ in range(14):
        down = view.luck.randrange(edge + 3, height)
        left = view.luck.randrange(-width // 3, width)
        draw.line(
            (
                left,
                down,
                left + width * 0.4,
                down,
            ),
            fill=grain,
        )
    return canvas


def _draw_window(
    draw: ImageDraw.ImageDraw,
    view: View,
    size: Pixels,
) -> None:
    width, height = size
    left = round(width * view.luck.uniform(0.06, 0.56))
    right = left + width // 3
    top = height // 12
    bottom = round(height * 0.46)
    outside = mix(*SKIES[view.light], 0.5)
    frame = mix(WALL, SHADOW, 0.35)
    box = (
        left,
        top,
        right,
        bottom,
    )
    draw.rectangle(
        box,
        fill=outside,
        outline=frame,
        width=3,
    )
    middle = (left + right) // 2
    draw.line(
        (
            middle,
            top,
            middle,
            bottom,
        ),
        fill=frame,
        width=2,
    )


def _draw_underwater(view: View, size: Pixels) -> Image.Image:
    width, height = size
    light = mix(view.ground, WHITE, 0.45)
    canvas = _gradient(size, light, DEEP)
    draw = ImageDraw.Draw(canvas)
    bubble = mix(light, WHITE, 0.6)
    largest = min(size) / 55
    for _ in range(BUBBLES):
        spot = random_spot(size, view.luck)
        radius = view.luck.uniform(1, largest)
        draw.ellipse(disc(spot, radius), outline=bubble)
    floor = _ridge(size, height * 0.86, view.luck)
    corners = [(width, height), (0, height)]
    sand = mix(place_colour("beach"), DEEP, 0.45)
    draw.polygon([*floor, *corners], fill=sand)
    return canvas


def _draw_space(view: View, size: Pixels) -> Image.Image:
    low = mix(view.ground, SHADOW, 0.3)
    canvas = _gradient(size, BLACK_SKY, low)
    for _ in range(3):
        _draw_stars(canvas, view.luck, canvas.height)
    _draw_planet(canvas, view.luck)
    return canvas


def _draw_planet(canvas: Image.Image, luck: random.Random) -> None:
    radius = min(canvas.size) * luck.uniform(0.1, 0.16)
    across = canvas.width * luck.choice([0.18, 0.82])
    down = canvas.height * luck.uniform(0.16, 0.28)
    middle = (across, down)
    draw = ImageDraw.Draw(canvas)
    draw.ellipse(disc(middle, radius), fill=PLANET)
    ring = box_around(
        middle,
        radius * 3.4,
        radius / 2,
    )
    draw.arc(
        ring,
        -20,
        200,
        fill=RING,
        width=2,
    )


INDOORS: dict[str, Callable[[View, Pixels], Image.Image]] = {
    "table": _draw_table,
    "under": _draw_underwater,
    "space": _draw_space,
}
"""Places without a sky."""
GROUNDS: dict[str, Callable[[Image.Image, View], None]] = {
    "forest": _draw_forest,
    "sea": _draw_sea,
    "beach": _draw_beach,
    "city": _draw_city,
}
"""What lies under the sky; hills unless said."""
