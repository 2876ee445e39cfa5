"""Words on a picture: the prompt on a strip with the mark of the demo, and the watermark."""

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bot.simulator.geometry import box_around

CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
LAST_LATIN = 0x24F
"""Code points beyond need one of the fonts above; Pillow's own has the rest."""
SMALLEST = 12
PAPER = (250, 248, 244)
INK = (40, 38, 36)
WHITE = (255, 255, 255)
MARK = "DEMO"
MARK_COLOUR = (180, 70, 26)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write_caption(canvas: Image.Image, text: str) -> None:
    """The text on a strip along the foot, with our mark in its corner.

    Always at the same place: a later strip covers the one before.
    """
    height = strip_height(canvas)
    size = max(SMALLEST, round(height * 0.5))
    top = canvas.height - height
    draw = ImageDraw.Draw(canvas)
    # A little more than before: the former may have run, or been rounded.
    strip = (
        0,
        top - height // 5,
        canvas.width,
        canvas.height,
    )
    draw.rectangle(strip, fill=PAPER)
    mark_width = _draw_mark(draw, canvas.size, height)
    room = canvas.width - mark_width - 2 * size
    is_latin = all(ord(letter) <= LAST_LATIN for letter in text)
    font = _font(size, is_latin)
    shortened = _shorten(text or "…", font, room)
    middle = top + height / 2
    draw.text(
        (size, middle),
        shortened,
        fill=INK,
        font=font,
        anchor="lm",
    )


def strip_height(canvas: Image.Image) -> int:
    """Pixels of the strip."""
    return max(18, canvas.height // 16)


def _draw_mark(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], height: int
) -> float:
    """Say in the corner that a stand-in has painted it; return its width."""
    font_size = max(10, round(height * 0.36))
    font = _font(font_size, is_latin=True)
    margin = height * 0.24
    width = font.getlength(MARK) + 2 * margin
    across = size[0] - margin - width / 2
    middle = (across, size[1] - height / 2)
    box = box_around(middle, width, height - 2 * margin)
    draw.rounded_rectangle(box, height / 4, fill=MARK_COLOUR)
    draw.text(
        middle,
        MARK,
        fill=WHITE,
        font=font,
        anchor="mm",
    )
    return width + 2 * margin


def stamp(canvas: Image.Image, text: str) -> None:
    """The watermark, above the strip on the right."""
    size = _font_size(canvas, share=30)
    font = _font(size, text.isascii())
    length = font.getlength(text)
    left = canvas.width - length - size
    top = canvas.height - strip_height(canvas) - 2 * size
    draw = ImageDraw.Draw(canvas)
    draw.text(
        (left, top),
        text,
        fill=WHITE,
        font=font,
    )


def _font_size(canvas: Image.Image, share: int) -> int:
    return max(SMALLEST, min(canvas.size) // share)


@cache
def _font(size: int, is_latin: bool) -> Font:
    if not is_latin:
        for path in CJK_FONTS:
            if Path(path).exists():
                return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def _shorten(
    text: str,
    font: Font,
    room: float,
) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= room:
        return text
    # A twelfth at a time: letter by letter a long prompt would take seconds.
    while text and font.getlength(text + "…") > room:
        twelfth = max(1, len(text) // 12)
        text = text[:-twelfth]
    return text + "…"
