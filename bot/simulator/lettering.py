"""Words on a picture: the prompt on a strip or in a corner, and the service's watermark."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
LAST_LATIN = 0x24F
"""Code points beyond need one of the fonts above; Pillow's own has the rest."""
SMALLEST = 12
PAPER = (250, 248, 244, 215)
INK = (40, 38, 36)
WHITE = (255, 255, 255)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Text ready to be drawn.

    ``size`` of its font, ``width`` and ``height`` of its strip, in pixels; ``left`` and ``top``:
    where the font begins to draw within the text's box.
    """

    text: str
    font: Font
    size: int
    left: float
    top: float
    width: float
    height: float


def write_caption(canvas: Image.Image, text: str) -> None:
    """The text, legible, on a strip at the foot."""
    label = _label(canvas, text, share=22)
    x = (canvas.width - label.width) // 2
    y = canvas.height - label.height - label.size
    _draw(canvas, label, x, y)


def write_badge(canvas: Image.Image, text: str) -> None:
    """The text, legible, at the top left."""
    label = _label(canvas, text, share=26)
    margin = label.size // 2
    _draw(canvas, label, margin, margin)


def stamp(canvas: Image.Image, text: str) -> None:
    """The watermark, at the foot on the right."""
    size = _font_size(canvas, share=30)
    font = _font(size, text.isascii())
    length = font.getlength(text)
    x = canvas.width - length - size
    y = canvas.height - 2 * size
    draw = ImageDraw.Draw(canvas)
    draw.text((x, y), text, fill=WHITE, font=font)


def _font_size(canvas: Image.Image, share: int) -> int:
    return max(SMALLEST, min(canvas.size) // share)


def _label(canvas: Image.Image, text: str, share: int) -> Label:
    size = _font_size(canvas, share)
    is_latin = all(ord(letter) <= LAST_LATIN for letter in text)
    font = _font(size, is_latin)
    room = canvas.width - 3 * size
    shortened = _shorten(text or "…", font, room)
    left, top, right, bottom = font.getbbox(shortened)
    text_width = right - left
    text_height = bottom - top
    return Label(
        text=shortened,
        font=font,
        size=size,
        left=left,
        top=top,
        width=text_width + 2 * size,
        height=text_height + size,
    )


def _draw(canvas: Image.Image, label: Label, x: float, y: float) -> None:
    draw = ImageDraw.Draw(canvas, "RGBA")
    right = x + label.width
    bottom = y + label.height
    margin = label.size // 2
    draw.rounded_rectangle((x, y, right, bottom), margin, fill=PAPER)
    text_x = x + label.size - label.left
    text_y = y + margin - label.top
    draw.text((text_x, text_y), label.text, fill=INK, font=label.font)


@cache
def _font(size: int, is_latin: bool) -> Font:
    if not is_latin:
        for path in CJK_FONTS:
            if Path(path).exists():
                return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def _shorten(text: str, font: Font, room: float) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= room:
        return text
    # A twelfth at a time: letter by letter a long prompt would take seconds.
    while text and font.getlength(text + "…") > room:
        twelfth = max(1, len(text) // 12)
        text = text[:-twelfth]
    return text + "…"
