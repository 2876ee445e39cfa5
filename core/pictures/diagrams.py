"""Pictures we draw ourselves, with Pillow: the tree of a history, before and after, thumbnails."""

import io
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pyvips
from PIL import Image, ImageColor, ImageDraw, ImageFont

from core.i18n import clip
from core.pictures import layout
from core.pictures.layout import Page, Spot

PAPER, INK, FAINT, LINE, ACCENT = "#faf8f4", "#2b2a28", "#8a857c", "#cfc9bd", "#d9622b"
MAX_SIDE = 4096
FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def thumbnail(data: bytes) -> bytes:
    """JPEG of the middle of a picture, as large as it ever stands in a tree."""
    side = layout.SIDE
    small = pyvips.Image.thumbnail_buffer(
        data, side, height=side, crop="centre", no_rotate=True
    )
    if small.hasalpha():
        small = small.flatten(background=ImageColor.getrgb(PAPER)[: small.bands - 1])
    encoded: bytes = small.jpegsave_buffer(Q=88, keep="none")
    return encoded


def tree(page: Page, thumbnails: Mapping[str, bytes], note: str = "") -> bytes:
    """PNG of the history: each picture joined to the one it came from, the head marked.

    The note stands above. ``thumbnails`` by the ids of the nodes, encoded.
    """
    canvas = Image.new("RGB", page.size, PAPER)
    draw = ImageDraw.Draw(canvas)
    for spot in page.spots:
        _join(draw, page, spot)
    mask = _rounded(page.side)
    for spot in page.spots:
        _place(canvas, page, spot, thumbnails[spot.node.id], mask)
    _write(draw, (layout.MARGIN, 12), note, FAINT, 16)
    return _png(canvas)


def compare(before: bytes, after: bytes, labels: tuple[str, str]) -> bytes:
    """PNG of both at equal height side by side, the labels above."""
    ratios = [width / height for width, height in map(_size, (before, after))]
    height = min(768, int((MAX_SIDE - 3 * 24) / sum(ratios)))
    pair = [
        _shrunk(data, max(1, round(ratio * height)), height)
        for data, ratio in zip((before, after), ratios, strict=True)
    ]
    top = 64
    size = (sum(picture.width for picture in pair) + 3 * 24, height + top + 24)
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    x = 24
    for picture, label in zip(pair, labels, strict=True):
        canvas.paste(picture, (x, top), picture)
        _write(draw, (x, 18), label, INK, 28)
        x += picture.width + 24
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
        bar = [
            x + step * 0.15,
            floor - amount / most * (floor - top),
            x + step * 0.85,
            floor,
        ]
        if amount > 0:
            draw.rounded_rectangle(bar, 4, fill=ACCENT)
        _write(draw, (x + step / 2 - 8, floor + 10), day, FAINT, 13)
    return _png(canvas)


def flicker(before: bytes, after: bytes) -> bytes:
    """Animated WebP of the two, a second each, no side over 1024 pixels, both at the size of ``after``."""
    width, height = _size(after)
    scale = min(1.0, 1024 / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    first, last = (_shrunk(data, *size).convert("RGB") for data in (before, after))
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=[last],
        duration=1000,
        loop=0,
        quality=85,
        method=0,
    )
    return buffer.getvalue()


def _join(draw: ImageDraw.ImageDraw, page: Page, spot: Spot) -> None:
    """Lines to its children; the end of one where it comes from elsewhere, or goes on there."""
    width = max(2, round(page.side / 44))
    x, y = page.corner(column=spot.column, row=spot.row)
    end, middle = page.gap // 3, y + page.side // 2
    right = x + page.side
    if spot.origin:
        draw.line([(x - end, middle), (x, middle)], fill=LINE, width=width)
    if spot.goes_on:
        draw.line([(right, middle), (right + end, middle)], fill=LINE, width=width)
    for child in spot.children:
        left, top = page.corner(column=child.column, row=child.row)
        turn, level = right + page.gap // 2, top + page.side // 2
        bends = [(right, middle), (turn, middle), (turn, level), (left, level)]
        draw.line(bends, fill=LINE, width=width, joint="curve")


def _place(
    canvas: Image.Image,
    page: Page,
    spot: Spot,
    thumbnail: bytes,
    mask: Image.Image,
) -> None:
    """The picture, its frame, and the words below it."""
    side, node = page.side, spot.node
    x, y = page.corner(column=spot.column, row=spot.row)
    canvas.paste(_opened(thumbnail).resize((side, side)), (x, y), mask)
    draw = ImageDraw.Draw(canvas)
    colour, breadth = (ACCENT, max(4, side // 30)) if node.is_head else (LINE, 2)
    frame = (x - 3, y - 3, x + side + 2, y + side + 2)
    draw.rounded_rectangle(frame, side // 9, outline=colour, width=breadth)
    room = side + page.gap - 4
    label = f"{node.label} ‹ {spot.origin.label}" if spot.origin else node.label
    size = max(12, side // 10)
    below = y + side + page.lines // 8
    _write(draw, (x + 2, below), label, ACCENT if node.is_head else INK, size, room)
    if side >= layout.READABLE:
        under = below + round(size * 1.28)
        _write(draw, (x + 2, under), node.caption, FAINT, max(11, side // 13), room)


def _rounded(side: int) -> Image.Image:
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 10, fill=255)
    return mask


def _size(data: bytes) -> tuple[int, int]:
    """Width and height as its header says."""
    header = pyvips.Image.new_from_buffer(data, "")
    return header.width, header.height


def _shrunk(data: bytes, width: int, height: int) -> Image.Image:
    """The picture at that size, never held at its own: it shrinks while it is read."""
    small = pyvips.Image.thumbnail_buffer(
        data, width, height=height, size="force", no_rotate=True
    )
    small = small.colourspace("srgb").cast("uchar")
    if not small.hasalpha():
        small = small.addalpha()
    return Image.frombytes("RGBA", (width, height), small.write_to_memory())


def _opened(thumbnail: bytes) -> Image.Image:
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
        return image.convert("RGB")


@cache
def _cjk_font(size: int) -> Font | None:
    found = next((path for path in FONTS if Path(path).exists()), None)
    return ImageFont.truetype(found, size) if found else None


@cache
def _plain_font(size: int) -> Font:
    return ImageFont.load_default(size)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    fill: str,
    size: int,
    room: float = math.inf,
) -> None:
    """In the bundled font; in one of the system's for letters it lacks. No boxes.

    Letters that no font here has are left out. What is longer than ``room`` pixels is cut.
    """
    font: Font | None = _plain_font(size)
    if not all(map(_is_plain, text)):
        font = _cjk_font(size)
    if font is None:
        font, text = _plain_font(size), "".join(filter(_is_plain, text)).strip()
    draw.text(at, _cut(text, font, room), fill=fill, font=font)


def _cut(text: str, font: Font, room: float) -> str:
    """As much of it as the room holds, with an ellipsis where it was cut."""
    shown, limit = text, len(text)
    while limit and (length := font.getlength(shown)) > room:
        limit = min(limit - 1, int(limit * room / length))
        shown = clip(text, limit)
    return shown


def _is_plain(letter: str) -> bool:
    return ord(letter) < 0x250 or letter in "…–—×‘’“”‹"


def _png(canvas: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # An eighth more bytes than the usual level, in a fifth of the time.
    canvas.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()
