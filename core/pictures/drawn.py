"""Pictures we draw ourselves, with Pillow: the tree of a history, before and after, thumbnails."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pyvips
from PIL import Image, ImageDraw, ImageFont

from core.messages import clip

PAPER, INK, FAINT, LINE, ACCENT = "#faf8f4", "#2b2a28", "#8a857c", "#cfc9bd", "#d9622b"
THUMB, GAP_X, GAP_Y, TEXT, MARGIN = 176, 40, 62, 44, 40
MAX_SIDE = 4096
MAX_WIDTH = 100_000
"""Of a picture made so high: none."""
CAPTION = 26
"""Characters under a thumbnail."""
FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A picture in the tree: ``thumbnail`` encoded, any size."""

    id: str
    label: str
    caption: str
    parent: str | None
    thumbnail: bytes
    is_head: bool = False


@dataclass(slots=True)
class _Spot:
    """Where a node goes: column (depth) and row."""

    node: Node
    column: int
    row: float = 0.0
    children: list["_Spot"] = field(default_factory=list)


def thumbnail(data: bytes, side: int) -> bytes:
    """PNG, no side longer than ``side`` pixels."""
    encoded: bytes = pyvips.Image.thumbnail_buffer(data, side, height=side, size="down").pngsave_buffer(keep="none")
    return encoded


def tree(nodes: Sequence[Node]) -> bytes:
    """PNG of the history from left to right: each picture joined to the one it came from, the head marked."""
    roots = _planted(nodes)
    rows = 0.0
    for root in roots:
        rows = _laid_out(root, rows)
    spots = [spot for root in roots for spot in _walk(root)]
    columns = max(spot.column for spot in spots) + 1
    width = 2 * MARGIN + columns * (THUMB + GAP_X) - GAP_X
    height = round(2 * MARGIN + rows * (THUMB + GAP_Y) - GAP_Y + TEXT)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for spot in spots:
        for child in spot.children:
            _join(draw, _corner(spot), _corner(child))
    for spot in spots:
        _place(canvas, draw, spot)
    canvas.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return _png(canvas)


def compare(before: bytes, after: bytes, labels: tuple[str, str]) -> bytes:
    """PNG of both at equal height side by side, the labels above."""
    height = 768
    pair = [_scaled(data, MAX_WIDTH, height, "both") for data in (before, after)]
    top = 64
    canvas = Image.new("RGB", (sum(one.width for one in pair) + 3 * 24, height + top + 24), PAPER)
    draw = ImageDraw.Draw(canvas)
    x = 24
    for one, label in zip(pair, labels, strict=True):
        canvas.paste(one, (x, top), one if one.mode == "RGBA" else None)
        _write(draw, (x, 18), label, INK, 28)
        x += one.width + 24
    canvas.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return _png(canvas)


def plot(days: Sequence[tuple[str, float]], heading: str) -> bytes:
    """PNG of a bar a day, 960 × 420: what was spent on it; the highest is labelled."""
    width, height, left, bottom, top = 960, 420, 72, 56, 72
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    _write(draw, (24, 20), heading, INK, 22)
    most = max((amount for _, amount in days), default=0.0) or 1.0
    step = (width - left - 24) / max(len(days), 1)
    floor = height - bottom
    for part in (0.0, 0.5, 1.0):
        y = round(floor - part * (floor - top))
        draw.line([(left, y), (width - 24, y)], fill=LINE, width=1)
        label = f"{most * part:.2f}"
        _write(draw, (16, y - 8), label, FAINT, 14)
    for at, (day, amount) in enumerate(days):
        x = left + at * step
        bar = [x + step * 0.15, floor - amount / most * (floor - top), x + step * 0.85, floor]
        if amount > 0:
            draw.rounded_rectangle(bar, 4, fill=ACCENT)
        _write(draw, (x + step / 2 - 8, floor + 10), day, FAINT, 13)
    return _png(canvas)


def flicker(before: bytes, after: bytes) -> bytes:
    """Animated WebP of the two, a second each, no side over 1024 pixels, both at the size of ``after``."""
    last = _scaled(after, 1024, 1024, "down").convert("RGB")
    first = _scaled(before, *last.size, "force").convert("RGB")
    buffer = io.BytesIO()
    first.save(buffer, "WEBP", save_all=True, append_images=[last], duration=1000, loop=0, quality=85, method=0)
    return buffer.getvalue()


def _planted(nodes: Sequence[Node]) -> list[_Spot]:
    known = {node.id: _Spot(node, 0) for node in nodes}
    roots: list[_Spot] = []
    for spot in known.values():
        parent = known.get(spot.node.parent or "")
        (parent.children if parent else roots).append(spot)
    return roots


def _laid_out(spot: _Spot, row: float, column: int = 0) -> float:
    """Give every spot of this tree a place from ``row`` down; the next free row."""
    spot.column = column
    if not spot.children:
        spot.row = row
        return row + 1
    for child in spot.children:
        row = _laid_out(child, row, column + 1)
    spot.row = (spot.children[0].row + spot.children[-1].row) / 2
    return row


def _walk(spot: _Spot) -> list[_Spot]:
    return [spot, *(one for child in spot.children for one in _walk(child))]


def _corner(spot: _Spot) -> tuple[int, int]:
    return MARGIN + spot.column * (THUMB + GAP_X), round(MARGIN + spot.row * (THUMB + GAP_Y))


def _join(draw: ImageDraw.ImageDraw, parent: tuple[int, int], child: tuple[int, int]) -> None:
    start = (parent[0] + THUMB, parent[1] + THUMB // 2)
    end = (child[0], child[1] + THUMB // 2)
    middle = (start[0] + end[0]) // 2
    draw.line([start, (middle, start[1]), (middle, end[1]), end], fill=LINE, width=4, joint="curve")


def _place(canvas: Image.Image, draw: ImageDraw.ImageDraw, spot: _Spot) -> None:
    x, y = _corner(spot)
    node = spot.node
    picture = _opened(node.thumbnail)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side)).resize((THUMB, THUMB))
    rounded = Image.new("L", (THUMB, THUMB), 0)
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, THUMB - 1, THUMB - 1), 18, fill=255)
    canvas.paste(square, (x, y), rounded)
    colour, breadth = (ACCENT, 6) if node.is_head else (LINE, 2)
    draw.rounded_rectangle((x - 3, y - 3, x + THUMB + 2, y + THUMB + 2), 20, outline=colour, width=breadth)
    _write(draw, (x + 2, y + THUMB + 8), node.label, ACCENT if node.is_head else INK, 18)
    caption = clip(node.caption, CAPTION)
    _write(draw, (x + 2, y + THUMB + 31), caption, FAINT, 13)


def _scaled(data: bytes, width: int, height: int, size: str) -> Image.Image:
    """Read and scaled in one go by libvips: half the work of opening it whole."""
    options = {"height": height, "size": size, "no_rotate": True}
    picture = pyvips.Image.thumbnail_buffer(data, width, **options).colourspace("srgb")
    mode = "RGBA" if picture.hasalpha() else "RGB"
    return Image.frombytes(mode, (picture.width, picture.height), picture.write_to_memory())


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        return image.convert("RGBA")


@cache
def _cjk_font(size: int) -> Font | None:
    found = next((path for path in FONTS if Path(path).exists()), None)
    return ImageFont.truetype(found, size) if found else None


@cache
def _plain_font(size: int) -> Font:
    return ImageFont.load_default(size)


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: str, size: int) -> None:
    """In the bundled font; in one of the system's for letters it lacks. Without one they are left out: no boxes."""
    font: Font | None = _plain_font(size)
    if not all(map(_is_plain, text)):
        font = _cjk_font(size)
    if font is None:
        font, text = _plain_font(size), "".join(filter(_is_plain, text)).strip()
    draw.text(at, text, fill=fill, font=font)


def _is_plain(letter: str) -> bool:
    return ord(letter) < 0x250 or letter in "…–—×‘’“”"


def _png(canvas: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # An eighth more bytes than the usual level, in a fifth of the time.
    canvas.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()
