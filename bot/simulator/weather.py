"""What falls and drifts before a picture: snow, rain, fog, and strokes of a brush."""

import random

from PIL import Image, ImageDraw

from bot.simulator.geometry import disc, random_spot

FLAKE = (250, 252, 255)
FLAKES = 260
FLAKE_SIZES = (0.0016, 0.0024, 0.004)
"""Radii as shares of the shorter side."""
DROPS = 220
DROP = (
    214,
    226,
    238,
    150,
)
BOLT = (255, 250, 214)
FOG = (222, 226, 230)
STROKES = 500


def draw_weather(
    canvas: Image.Image, weathers: list[str], luck: random.Random
) -> Image.Image:
    """The canvas with the weathers over it."""
    if "storm" in weathers:
        _draw_lightning(canvas, luck)
    if "rain" in weathers or "storm" in weathers:
        _draw_rain(canvas, luck)
    if "fog" in weathers:
        veil = Image.new("RGB", canvas.size, FOG)
        # Thicker below, where it lies.
        mask = Image.linear_gradient("L").resize(canvas.size)
        canvas = Image.composite(veil, canvas, mask.point(_thin))
    if "snow" in weathers:
        draw_snow(canvas, luck)
    return canvas


def _thin(level: float) -> float:
    return 50 + level * 0.45


def draw_snow(canvas: Image.Image, luck: random.Random) -> None:
    """Flakes of three sizes."""
    draw = ImageDraw.Draw(canvas)
    side = min(canvas.size)
    for _ in range(FLAKES):
        spot = random_spot(canvas.size, luck)
        radius = side * luck.choice(FLAKE_SIZES)
        flake = disc(spot, max(1, radius))
        draw.ellipse(flake, fill=FLAKE)


def _draw_rain(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas, "RGBA")
    side = min(canvas.size)
    length = side / 22
    slant = length / 4
    thickness = max(1, side // 400)
    for _ in range(DROPS):
        across, down = random_spot(canvas.size, luck)
        drop = (
            across,
            down,
            across - slant,
            down + length,
        )
        draw.line(drop, fill=DROP, width=thickness)


def _draw_lightning(canvas: Image.Image, luck: random.Random) -> None:
    width, height = canvas.size
    across = width * luck.uniform(0.2, 0.8)
    path = [(across, 0.0)]
    for step in range(1, 6):
        across += width * luck.uniform(-0.06, 0.06)
        down = height * 0.1 * step
        path.append((across, down))
    thickness = max(2, min(canvas.size) // 120)
    draw = ImageDraw.Draw(canvas)
    draw.line(path, fill=BOLT, width=thickness)


def brush(
    canvas: Image.Image, luck: random.Random, strokes: int = STROKES
) -> None:
    """Strokes over the picture, each in the colour beneath it, a little lighter or darker."""
    draw = ImageDraw.Draw(canvas)
    longest = max(13, canvas.width // 18)
    for _ in range(strokes):
        across, down = random_spot(canvas.size, luck)
        beneath = canvas.getpixel((int(across), int(down)))
        length = luck.randrange(12, longest)
        lift = luck.randrange(-6, 7)
        shift = luck.randrange(-14, 15)
        assert isinstance(beneath, tuple)  # noqa: S101  # a picture in RGB has three bands
        colour = tuple(_shift(band, shift) for band in beneath)
        stroke = (
            across,
            down,
            across + length,
            down + lift,
        )
        thickness = luck.randrange(2, 6)
        draw.line(stroke, fill=colour, width=thickness)


def _shift(band: float, shift: int) -> int:
    shifted = int(band) + shift
    return min(255, max(0, shifted))
