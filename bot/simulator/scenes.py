"""What is drawn from words: a painterly landscape in the prompt's colours.

The order in which ``luck`` is asked is part of the picture: the same request gives the same bytes.
"""

import math
import random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bot.simulator.colours import Colour, is_night, is_snowy, main_colour, mix
from bot.simulator.lettering import write_caption

SMALLEST = 64
"""Pixels of a side of the sketch, which is a quarter of the picture and then enlarged."""
FULL_TURN = 6.28
RIDGES = 4
STARS = 60
STROKES = 500

NIGHT_SKY: tuple[Colour, Colour] = ((16, 22, 52), (70, 70, 120))
DAY_SKY: tuple[Colour, Colour] = ((120, 170, 220), (250, 232, 205))
STARLIGHT = (240, 240, 220)
MOON, SUN = (238, 238, 222), (255, 226, 140)
NIGHT_HAZE, DAY_HAZE = (30, 36, 70), (205, 215, 228)
SHADOW = (20, 24, 30)
FLAKE = (250, 252, 255)


def draw_scene(
    prompt: str,
    size: tuple[int, int],
    luck: random.Random,
    *,
    caption: bool = True,
) -> Image.Image:
    """A landscape, with the prompt on a strip below."""
    width, height = size
    at_night = is_night(prompt)
    main = main_colour(prompt, luck)
    # A quarter of the size is quick to draw, and enlarging makes it look painted.
    sketch_size = (max(SMALLEST, width // 4), max(SMALLEST, height // 4))
    canvas = _sky(sketch_size, main, at_night, luck)
    _draw_sun_or_moon(canvas, at_night, luck)
    _draw_hills(canvas, main, at_night, luck)
    if is_snowy(prompt):
        draw_snow(canvas, luck)
    canvas = canvas.resize(size, Image.Resampling.BICUBIC).filter(
        ImageFilter.SMOOTH
    )
    brush(canvas, luck)
    if caption:
        write_caption(canvas, prompt)
    return canvas


def draw_snow(canvas: Image.Image, luck: random.Random) -> None:
    """Flakes, one for every 400 pixels."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(canvas.width * canvas.height // 400):
        x = luck.randrange(canvas.width)
        y = luck.randrange(canvas.height)
        size = luck.choice((1, 1, 2))
        draw.ellipse((x, y, x + size, y + size), fill=FLAKE)


def brush(canvas: Image.Image, luck: random.Random) -> None:
    """Strokes over the picture, each in the colour beneath it, a little lighter or darker."""
    draw = ImageDraw.Draw(canvas)
    longest = max(13, canvas.width // 18)
    for _ in range(STROKES):
        x = luck.randrange(canvas.width)
        y = luck.randrange(canvas.height)
        beneath = canvas.getpixel((x, y))
        length = luck.randrange(12, longest)
        lift = luck.randrange(-6, 7)
        shift = luck.randrange(-14, 15)
        assert isinstance(beneath, tuple)  # noqa: S101  # a picture in RGB has three bands
        colour = tuple(min(255, max(0, int(band) + shift)) for band in beneath)
        stroke = (x, y, x + length, y + lift)
        draw.line(stroke, fill=colour, width=luck.randrange(2, 6))


def _sky(
    size: tuple[int, int], main: Colour, at_night: bool, luck: random.Random
) -> Image.Image:
    top, low = NIGHT_SKY if at_night else DAY_SKY
    gradient = Image.linear_gradient("L").resize(size)
    sky = ImageOps.colorize(
        gradient, mix(top, main, 0.25), mix(low, main, 0.3)
    )
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
    canvas: Image.Image, at_night: bool, luck: random.Random
) -> None:
    radius = min(canvas.size) // 9
    left = radius * 2
    right = max(left + 1, canvas.width - left)
    highest = radius + 4
    lowest = max(highest + 1, canvas.height // 3)
    x = luck.randrange(left, right)
    y = luck.randrange(highest, lowest)
    disc = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(canvas).ellipse(disc, fill=MOON if at_night else SUN)


def _draw_hills(
    canvas: Image.Image, main: Colour, at_night: bool, luck: random.Random
) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    haze = NIGHT_HAZE if at_night else DAY_HAZE
    for layer in range(RIDGES):
        ridge = _ridge(canvas.size, height * (0.48 + 0.13 * layer), luck)
        # The nearer a ridge, the darker, and the less haze lies before it.
        near = mix(main, SHADOW, 0.12 * layer)
        colour = mix(haze, near, 0.3 + 0.22 * layer)
        draw.polygon([*ridge, (width, height), (0, height)], fill=colour)


def _ridge(
    size: tuple[int, int], base: float, luck: random.Random
) -> list[tuple[float, float]]:
    """The line of a range of hills around the height ``base``: three waves, one upon another."""
    width, height = size
    waves: list[tuple[float, float, float]] = []
    for _ in range(3):
        rate = luck.uniform(0.5, 2.2)
        shift = luck.uniform(0, 7)
        waves.append((rate, shift, luck.uniform(0.02, 0.07) * height))
    ridge: list[tuple[float, float]] = []
    # Every other pixel is enough for a line as smooth as this.
    for x in range(0, width + 2, 2):
        lift = sum(
            size * math.sin(rate * FULL_TURN * x / width + shift)
            for rate, shift, size in waves
        )
        ridge.append((x, base - lift))
    return ridge
