"""What is drawn from words: a painterly landscape in the prompt's colours.

The order in which ``luck`` is asked is part of the picture: the same request gives the same bytes.
"""

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bot.simulator.colours import Colour, is_night, is_snowy, main_colour, mix
from bot.simulator.lettering import write_caption
from bot.simulator.sizes import Pixels

Point = tuple[float, float]
SMALLEST = 64
"""Pixels of a side of the sketch, which is a quarter of the picture and then enlarged."""
FULL_TURN = 6.28
RIDGES = 4
STARS = 60
STROKES = 500

NIGHT_SKY: tuple[Colour, Colour] = (
    (16, 22, 52),
    (70, 70, 120),
)
DAY_SKY: tuple[Colour, Colour] = (
    (120, 170, 220),
    (250, 232, 205),
)
"""Above, and at the horizon."""
STARLIGHT = (240, 240, 220)
MOON = (238, 238, 222)
SUN = (255, 226, 140)
NIGHT_HAZE = (30, 36, 70)
DAY_HAZE = (205, 215, 228)
SHADOW = (20, 24, 30)
FLAKE = (250, 252, 255)
FLAKE_SIZES = (1, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """``rate``: turns over the width of a picture; ``size`` in pixels."""

    rate: float
    shift: float
    size: float

    def lift(self, x: int, width: int) -> float:
        """How many pixels the wave lifts the line at ``x``."""
        angle = self.rate * FULL_TURN * x / width + self.shift
        return self.size * math.sin(angle)


def draw_scene(
    prompt: str,
    size: Pixels,
    luck: random.Random,
    *,
    caption: bool = True,
) -> Image.Image:
    """A landscape, with the prompt on a strip below."""
    width, height = size
    at_night = is_night(prompt)
    main = main_colour(prompt, luck)
    # A quarter of the size is quick to draw, and enlarging makes it look painted.
    sketch_width = max(SMALLEST, width // 4)
    sketch_height = max(SMALLEST, height // 4)
    sketch_size = (sketch_width, sketch_height)
    canvas = _sky(sketch_size, main, at_night, luck)
    _draw_sun_or_moon(canvas, at_night, luck)
    _draw_hills(canvas, main, at_night, luck)
    if is_snowy(prompt):
        draw_snow(canvas, luck)
    enlarged = canvas.resize(size, Image.Resampling.BICUBIC)
    canvas = enlarged.filter(ImageFilter.SMOOTH)
    brush(canvas, luck)
    if caption:
        write_caption(canvas, prompt)
    return canvas


def draw_snow(canvas: Image.Image, luck: random.Random) -> None:
    """Flakes, one for every 400 pixels."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    flakes = width * height // 400
    for _ in range(flakes):
        x = luck.randrange(width)
        y = luck.randrange(height)
        size = luck.choice(FLAKE_SIZES)
        draw.ellipse((x, y, x + size, y + size), fill=FLAKE)


def brush(canvas: Image.Image, luck: random.Random) -> None:
    """Strokes over the picture, each in the colour beneath it, a little lighter or darker."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    longest = max(13, width // 18)
    for _ in range(STROKES):
        x = luck.randrange(width)
        y = luck.randrange(height)
        beneath = canvas.getpixel((x, y))
        length = luck.randrange(12, longest)
        lift = luck.randrange(-6, 7)
        shift = luck.randrange(-14, 15)
        assert isinstance(beneath, tuple)  # noqa: S101  # a picture in RGB has three bands
        colour = tuple(_shift(band, shift) for band in beneath)
        stroke = (x, y, x + length, y + lift)
        thickness = luck.randrange(2, 6)
        draw.line(stroke, fill=colour, width=thickness)


def _shift(band: float, shift: int) -> int:
    shifted = int(band) + shift
    return min(255, max(0, shifted))


def _sky(
    size: Pixels,
    main: Colour,
    at_night: bool,
    luck: random.Random,
) -> Image.Image:
    top, low = NIGHT_SKY if at_night else DAY_SKY
    top = mix(top, main, 0.25)
    low = mix(low, main, 0.3)
    gradient = Image.linear_gradient("L").resize(size)
    sky = ImageOps.colorize(gradient, top, low)
    if at_night:
        _draw_stars(sky, luck)
    return sky


def _draw_stars(sky: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(sky)
    for _ in range(STARS):
        x = luck.randrange(sky.width)
        y = luck.randrange(sky.height // 2)
        draw.point((x, y), fill=STARLIGHT)


def _draw_sun_or_moon(
    canvas: Image.Image,
    at_night: bool,
    luck: random.Random,
) -> None:
    radius = min(canvas.size) // 9
    left = radius * 2
    right = max(left + 1, canvas.width - left)
    highest = radius + 4
    lowest = max(highest + 1, canvas.height // 3)
    x = luck.randrange(left, right)
    y = luck.randrange(highest, lowest)
    disc = (x - radius, y - radius, x + radius, y + radius)
    colour = MOON if at_night else SUN
    ImageDraw.Draw(canvas).ellipse(disc, fill=colour)


def _draw_hills(
    canvas: Image.Image,
    main: Colour,
    at_night: bool,
    luck: random.Random,
) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    haze = NIGHT_HAZE if at_night else DAY_HAZE
    corners = [(width, height), (0, height)]
    for layer in range(RIDGES):
        base = height * (0.48 + 0.13 * layer)
        ridge = _ridge(canvas.size, base, luck)
        # The nearer a ridge, the darker, and the less haze lies before it.
        near = mix(main, SHADOW, 0.12 * layer)
        colour = mix(haze, near, 0.3 + 0.22 * layer)
        draw.polygon([*ridge, *corners], fill=colour)


def _ridge(size: Pixels, base: float, luck: random.Random) -> list[Point]:
    """The line of a range of hills around the height ``base``: three waves, one upon another."""
    width, height = size
    waves: list[Wave] = []
    for _ in range(3):
        rate = luck.uniform(0.5, 2.2)
        shift = luck.uniform(0, 7)
        share = luck.uniform(0.02, 0.07)
        waves.append(Wave(rate=rate, shift=shift, size=share * height))
    ridge: list[Point] = []
    # Every other pixel is enough for a line as smooth as this.
    for x in range(0, width + 2, 2):
        lift = sum(wave.lift(x, width) for wave in waves)
        ridge.append((x, base - lift))
    return ridge
