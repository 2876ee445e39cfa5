"""A picture as if it were made in another technique."""

import random
from collections.abc import Callable, Sequence
from itertools import product

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from bot.simulator.geometry import Point
from bot.simulator.weather import brush

Picture = Image.Image
Cell = tuple[int, int]
EDGES = ImageFilter.FIND_EDGES
PAPER = (250, 246, 238)
INK_DARK = (30, 30, 34)
INK_LIGHT = (246, 242, 232)
BLOCKS = 96
"""Pixels of pixel art along the shorter side."""
FAINTEST = 14
"""Edges below are no line, but a gradient."""
OIL_STROKES = 3500
WOBBLE = 10
"""Cells of the grid along a side by which watercolour runs."""


def apply_styles(
    canvas: Picture, styles: Sequence[str], luck: random.Random
) -> Picture:
    """The picture in every style that was asked for."""
    for style in styles:
        canvas = STYLES[style](canvas, luck)
    return canvas


def _as_watercolour(canvas: Picture, luck: random.Random) -> Picture:
    """Pale washes whose edges run, on rough paper."""
    small = canvas.reduce(2)
    washed = _wobble(small, luck).filter(ImageFilter.MedianFilter(5))
    # Pigment gathers at the edge of a wash.
    edges = ImageOps.invert(ImageOps.grayscale(washed).filter(EDGES))
    edges = edges.filter(ImageFilter.GaussianBlur(1.2)).point(_soften)
    darkened = ImageChops.multiply(washed, _as_rgb(edges))
    vivid = ImageEnhance.Color(darkened).enhance(1.3)
    pale = Image.blend(vivid, Image.new("RGB", small.size, PAPER), 0.2)
    rough = ImageChops.multiply(pale, _as_rgb(_grain(small.size, luck)))
    return rough.resize(canvas.size, Image.Resampling.BICUBIC)


def _soften(level: float) -> float:
    return 120 + level * 0.53


def _wobble(canvas: Picture, luck: random.Random) -> Picture:
    """Shift the corners of a grid a little: straight edges run."""
    corners = _grid(canvas.size)
    shifted: dict[Cell, Point] = {}
    reach = min(canvas.size) / 80
    for (column, row), (across, down) in corners.items():
        # What lies on the border stays there: beyond it is nothing.
        reach_across = reach * (0 < column < WOBBLE)
        reach_down = reach * (0 < row < WOBBLE)
        shift_across = luck.uniform(-reach_across, reach_across)
        shift_down = luck.uniform(-reach_down, reach_down)
        shifted[column, row] = (across + shift_across, down + shift_down)
    cells = product(range(WOBBLE), range(WOBBLE))
    mesh = [_patch(cell, corners, shifted) for cell in cells]
    return canvas.transform(
        canvas.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR
    )


def _grid(size: tuple[int, int]) -> dict[Cell, tuple[int, int]]:
    width, height = size
    lines = range(WOBBLE + 1)
    corners: dict[Cell, tuple[int, int]] = {}
    for column, row in product(lines, lines):
        across = column * width // WOBBLE
        down = row * height // WOBBLE
        corners[column, row] = (across, down)
    return corners


def _patch(
    cell: Cell,
    corners: dict[Cell, tuple[int, int]],
    shifted: dict[Cell, Point],
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """A cell of the grid, and the four corners of what comes there, against the clock."""
    column, row = cell
    opposite = (column + 1, row + 1)
    box = (*corners[cell], *corners[opposite])
    source = (
        *shifted[cell],
        *shifted[column, row + 1],
        *shifted[opposite],
        *shifted[column + 1, row],
    )
    return box, source


def _grain(size: tuple[int, int], luck: random.Random) -> Picture:
    """The tooth of paper: light grey noise."""
    width = max(1, size[0] // 2)
    height = max(1, size[1] // 2)
    noise = Image.frombytes(
        "L", (width, height), luck.randbytes(width * height)
    )
    return noise.resize(size, Image.Resampling.BILINEAR).point(_light)


def _light(level: float) -> float:
    return 232 + level * 0.09


def _as_oil(canvas: Picture, luck: random.Random) -> Picture:
    """Thick strokes in strong colours."""
    vivid = ImageEnhance.Color(canvas).enhance(1.35)
    brush(vivid, luck, OIL_STROKES)
    return vivid.filter(ImageFilter.UnsharpMask(3, 90, 2))


def _as_pencil(canvas: Picture, luck: random.Random) -> Picture:
    """Lines and pale shading on paper."""
    grey = ImageOps.grayscale(canvas)
    edges = ImageOps.invert(_edges(grey)).point(_darken)
    tone = Image.blend(grey, Image.new("L", canvas.size, 255), 0.55)
    drawn = ImageChops.multiply(tone, edges)
    rough = ImageChops.multiply(drawn, _grain(canvas.size, luck))
    return ImageOps.colorize(rough, INK_DARK, PAPER)


def _edges(grey: Picture) -> Picture:
    return grey.filter(EDGES).filter(ImageFilter.MaxFilter(3))


def _darken(level: float) -> float:
    strength = max(0, 255 - level - FAINTEST)
    return max(0, 255 - 3 * strength)


def _as_ink(canvas: Picture, luck: random.Random) -> Picture:
    """Black ink that runs on rice paper."""
    small = canvas.reduce(2)
    grey = ImageOps.grayscale(_wobble(small, luck))
    washed = grey.filter(ImageFilter.GaussianBlur(2))
    strokes = ImageOps.invert(_edges(grey)).point(_darken)
    inked = ImageChops.multiply(washed.point(_bleach), strokes)
    large = inked.resize(canvas.size, Image.Resampling.BICUBIC)
    rough = ImageChops.multiply(large, _grain(canvas.size, luck))
    return ImageOps.colorize(rough, INK_DARK, INK_LIGHT)


def _bleach(level: float) -> float:
    return min(255, 70 + level * 0.95)


def _as_pixels(canvas: Picture, _luck: random.Random) -> Picture:
    width, height = canvas.size
    block = max(1, min(canvas.size) // BLOCKS)
    small = canvas.resize(
        (width // block, height // block), Image.Resampling.BOX
    )
    few = small.quantize(24, dither=Image.Dither.NONE).convert("RGB")
    return few.resize(canvas.size, Image.Resampling.NEAREST)


def _as_comic(canvas: Picture, _luck: random.Random) -> Picture:
    """Flat, bright colours within black lines."""
    flat = ImageOps.posterize(ImageEnhance.Color(canvas).enhance(1.5), 3)
    edges = _edges(ImageOps.grayscale(canvas).filter(ImageFilter.SMOOTH))
    lines = ImageOps.invert(edges).point(_darken)
    lightened = ImageEnhance.Brightness(flat).enhance(1.12)
    return ImageChops.multiply(lightened, _as_rgb(lines))


def _as_mono(canvas: Picture, _luck: random.Random) -> Picture:
    return _as_rgb(ImageOps.autocontrast(ImageOps.grayscale(canvas)))


def _as_rgb(grey: Picture) -> Picture:
    return Image.merge("RGB", (grey, grey, grey))


STYLES: dict[str, Callable[[Picture, random.Random], Picture]] = {
    "watercolour": _as_watercolour,
    "oil": _as_oil,
    "pencil": _as_pencil,
    "ink": _as_ink,
    "pixel": _as_pixels,
    "comic": _as_comic,
    "mono": _as_mono,
}
