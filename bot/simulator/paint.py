"""Pictures truly made from a request, with Pillow.

Scenes for drawings, visible changes for edits, exact masks.
"""

import hashlib
import io
import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from PIL import (
    Image,
    ImageChops,
    ImageDraw,
    ImageEnhance,
    ImageFilter,
    ImageFont,
    ImageOps,
)

from bot.simulator.rules import Rule, Wanted

FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
COLOURS = {
    "red": (200, 60, 45), "红": (200, 60, 45), "紅": (200, 60, 45), "merah": (200, 60, 45),
    "orange": (232, 130, 45), "fox": (226, 110, 40), "狐": (226, 110, 40),
    "yellow": (240, 200, 70), "黄": (240, 200, 70), "gold": (214, 170, 70), "金": (214, 170, 70),
    "green": (80, 150, 85), "绿": (80, 150, 85), "meadow": (110, 170, 80), "草": (110, 170, 80),
    "forest": (50, 110, 70),
    "blue": (65, 115, 200), "蓝": (65, 115, 200), "sea": (50, 120, 170), "海": (50, 120, 170), "biru": (65, 115, 200),
    "purple": (130, 85, 170), "紫": (130, 85, 170), "pink": (235, 150, 180), "粉": (235, 150, 180),
    "snow": (228, 236, 245), "雪": (228, 236, 245), "white": (240, 240, 238), "白": (240, 240, 238),
    "black": (45, 45, 52), "黑": (45, 45, 52), "night": (24, 34, 78), "夜": (24, 34, 78), "malam": (24, 34, 78),
    "sunset": (245, 140, 90), "夕": (245, 140, 90), "desert": (222, 180, 120),
    "autumn": (200, 110, 50), "秋": (200, 110, 50),
}  # fmt: skip
NIGHT = ("night", "夜", "dark", "moon", "月", "malam")
SNOW = ("snow", "雪", "winter", "冬", "salju")
Colour = tuple[int, int, int]


def paint(
    wanted: Wanted,
    rule: Rule,
    inputs: Sequence[bytes],
    mask: bytes | None,
    index: int,
    seed: int,
) -> bytes:
    """One result as PNG. The same request, index and seed give the same bytes."""
    luck = random.Random(f"{wanted.prompt}|{wanted.function}|{seed}|{index}")  # noqa: S311  # a picture, not a secret
    pictures = [opened(one) for one in inputs]
    if wanted.function:
        result = WANX[wanted.function](wanted, pictures[0], mask, luck)
    elif pictures:
        result = _edit(wanted, rule, pictures, luck)
    else:
        result = scene(wanted.prompt, wanted.size or (1024, 1024), luck)
    if wanted.watermark:
        _stamp(result, "AI生成" if wanted.model.startswith("wan") else "Qwen-Image")
    buffer = io.BytesIO()
    result.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """The picture upright, in RGB."""
    with Image.open(io.BytesIO(data)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def output_size(wanted: Wanted, rule: Rule, last: tuple[int, int]) -> tuple[int, int]:
    """Of an edit.

    What was asked for, to the nearest 16, or the last input's ratio at the model's own area.
    """
    if wanted.size:
        return tuple(max(16, round(side / 16) * 16) for side in wanted.size)  # type: ignore[return-value]
    area, ratio = rule.edit_area, last[0] / last[1]
    width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
    return max(16, round(width / 16) * 16), max(16, round(height / 16) * 16)


# Drawings


def scene(
    prompt: str, size: tuple[int, int], luck: random.Random, *, caption: bool = True
) -> Image.Image:
    """A painterly landscape in the prompt's colours, the prompt on a strip below."""
    width, height = size
    night = any(word in prompt.lower() for word in NIGHT)
    main = _colour_of(prompt, luck)
    small = (max(64, width // 4), max(64, height // 4))
    canvas = _sky(small, main, night, luck)
    _disc(canvas, night, luck)
    _hills(canvas, main, night, luck)
    if any(word in prompt.lower() for word in SNOW):
        _flakes(canvas, luck)
    canvas = canvas.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.SMOOTH)
    _brush(canvas, luck)
    if caption:
        _write(canvas, prompt)
    return canvas


def _colour_of(prompt: str, luck: random.Random) -> Colour:
    found = [colour for word, colour in COLOURS.items() if word in prompt.lower()]
    if found:
        return found[0]
    digest = hashlib.sha256(prompt.encode()).digest()
    return (
        70 + digest[0] % 150,
        70 + digest[1] % 150,
        70 + (digest[2] + luck.randrange(40)) % 150,
    )


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    return tuple(
        round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True)
    )  # type: ignore[return-value]


def _sky(
    size: tuple[int, int], main: Colour, night: bool, luck: random.Random
) -> Image.Image:
    top, low = (
        ((16, 22, 52), (70, 70, 120)) if night else ((120, 170, 220), (250, 232, 205))
    )
    gradient = Image.linear_gradient("L").resize(size)
    sky = ImageOps.colorize(gradient, _mixed(top, main, 0.25), _mixed(low, main, 0.3))
    draw = ImageDraw.Draw(sky)
    for _ in range(60 if night else 0):
        x, y = luck.randrange(size[0]), luck.randrange(size[1] // 2)
        draw.point((x, y), fill=(240, 240, 220))
    return sky


def _disc(canvas: Image.Image, night: bool, luck: random.Random) -> None:
    radius = min(canvas.size) // 9
    x = luck.randrange(radius * 2, max(radius * 2 + 1, canvas.width - radius * 2))
    y = luck.randrange(radius + 4, max(radius + 5, canvas.height // 3))
    colour = (238, 238, 222) if night else (255, 226, 140)
    ImageDraw.Draw(canvas).ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=colour
    )


def _hills(canvas: Image.Image, main: Colour, night: bool, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    for layer in range(4):
        base = height * (0.48 + 0.13 * layer)
        waves = [
            (
                luck.uniform(0.5, 2.2),
                luck.uniform(0, 7),
                luck.uniform(0.02, 0.07) * height,
            )
            for _ in range(3)
        ]
        ridge = [
            (
                x,
                base
                - sum(
                    size * math.sin(rate * 6.28 * x / width + shift)
                    for rate, shift, size in waves
                ),
            )
            for x in range(0, width + 2, 2)
        ]
        far = (30, 36, 70) if night else (205, 215, 228)
        colour = _mixed(
            far, _mixed(main, (20, 24, 30), 0.12 * layer), 0.3 + 0.22 * layer
        )
        draw.polygon([*ridge, (width, height), (0, height)], fill=colour)


def _flakes(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(canvas.width * canvas.height // 400):
        x, y, size = (
            luck.randrange(canvas.width),
            luck.randrange(canvas.height),
            luck.choice((1, 1, 2)),
        )
        draw.ellipse((x, y, x + size, y + size), fill=(250, 252, 255))


def _brush(canvas: Image.Image, luck: random.Random) -> None:
    """Strokes over the picture, each in the colour beneath it."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(500):
        x, y = luck.randrange(canvas.width), luck.randrange(canvas.height)
        colour = canvas.getpixel((x, y))
        length, lift = (
            luck.randrange(12, max(13, canvas.width // 18)),
            luck.randrange(-6, 7),
        )
        shift = luck.randrange(-14, 15)
        shifted = tuple(min(255, max(0, value + shift)) for value in colour)  # type: ignore[union-attr]
        draw.line(
            (x, y, x + length, y + lift), fill=shifted, width=luck.randrange(2, 6)
        )


@cache
def _font(size: int, plain: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    found = (
        None if plain else next((path for path in FONTS if Path(path).exists()), None)
    )
    return ImageFont.truetype(found, size) if found else ImageFont.load_default(size)


def _write(canvas: Image.Image, text: str, *, badge: bool = False) -> None:
    """The text, legible, on a strip at the foot (a badge: at the top left)."""
    size = max(12, min(canvas.size) // (26 if badge else 22))
    font = _font(size, all(ord(letter) < 0x250 for letter in text))
    shown = _shortened(text or "…", font, canvas.width - 3 * size)
    box = font.getbbox(shown)
    wide, high = box[2] - box[0] + 2 * size, box[3] - box[1] + size
    x, y = (
        (size // 2, size // 2)
        if badge
        else ((canvas.width - wide) // 2, canvas.height - high - size)
    )
    draw = ImageDraw.Draw(canvas, "RGBA")
    draw.rounded_rectangle(
        (x, y, x + wide, y + high), size // 2, fill=(250, 248, 244, 215)
    )
    draw.text(
        (x + size - box[0], y + size // 2 - box[1]), shown, fill=(40, 38, 36), font=font
    )


def _shortened(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[: -max(1, len(text) // 12)]
    return text + "…"


def _stamp(canvas: Image.Image, text: str) -> None:
    size = max(12, min(canvas.size) // 30)
    font = _font(size, text.isascii())
    place = (canvas.width - font.getlength(text) - size, canvas.height - 2 * size)
    ImageDraw.Draw(canvas).text(place, text, fill=(255, 255, 255), font=font)


# Edits


def _edit(
    wanted: Wanted,
    rule: Rule,
    pictures: Sequence[Image.Image],
    luck: random.Random,
) -> Image.Image:
    base = ImageOps.fit(
        pictures[0],
        output_size(wanted, rule, pictures[-1].size),
        Image.Resampling.LANCZOS,
    )
    result = graded(base, wanted.prompt, luck, 1.0)
    side = min(result.size) // 3
    for at, other in enumerate(pictures[1:]):
        inset = ImageOps.contain(other, (side, side))
        place = (result.width - inset.width - 24, 24 + at * (side + 24))
        result.paste(ImageOps.expand(inset, 4, (250, 248, 244)), place)
    _write(result, wanted.prompt)
    return result


def graded(
    base: Image.Image, prompt: str, luck: random.Random, strength: float
) -> Image.Image:
    """The photo in the light and colours the instruction speaks of; never the same as before."""
    tint = _colour_of(prompt, luck)
    if any(word in prompt.lower() for word in NIGHT):
        dark = ImageEnhance.Brightness(base).enhance(0.45)
        changed = Image.blend(dark, Image.new("RGB", base.size, (20, 34, 88)), 0.38)
        _stars(changed, luck)
    else:
        toned = ImageOps.colorize(
            ImageOps.grayscale(base),
            _mixed(tint, (0, 0, 0), 0.75),
            _mixed(tint, (255, 255, 255), 0.8),
        )
        changed = Image.blend(ImageEnhance.Contrast(base).enhance(1.15), toned, 0.45)
    if any(word in prompt.lower() for word in SNOW):
        _flakes(changed, luck)
    return Image.blend(base, changed, max(0.25, min(1.0, strength)))


def _stars(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(90):
        x, y, size = (
            luck.randrange(canvas.width),
            luck.randrange(max(1, canvas.height // 2)),
            luck.choice((1, 2, 3)),
        )
        draw.ellipse((x, y, x + size, y + size), fill=(245, 243, 220))


# The ten Wanx functions: each takes the request, the base, the mask's bytes and luck


def _style(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    flat = ImageOps.posterize(base.filter(ImageFilter.ModeFilter(9)), 3)
    if "金" in wanted.prompt or "gold" in wanted.prompt.lower():
        flat = ImageOps.colorize(
            ImageOps.grayscale(flat), (60, 36, 10), (255, 226, 150), mid=(206, 150, 50)
        )
    edges = ImageOps.invert(
        ImageOps.grayscale(base).filter(ImageFilter.FIND_EDGES)
    ).point(lambda v: 255 if v > 190 else v)
    drawn = ImageChops.multiply(
        ImageEnhance.Color(flat).enhance(1.4), Image.merge("RGB", (edges,) * 3)
    )
    _brush(drawn, luck)
    return Image.blend(base, drawn, 0.3 + 0.7 * float(wanted.extra["strength"]))


def _local_style(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    changed = graded(base.filter(ImageFilter.ModeFilter(7)), wanted.prompt, luck, 1.0)
    oval = Image.new("L", base.size, 0)
    ImageDraw.Draw(oval).ellipse(
        (base.width // 5, base.height // 5, base.width * 4 // 5, base.height * 4 // 5),
        fill=255,
    )
    return Image.composite(changed, base, oval.filter(ImageFilter.GaussianBlur(12)))


def _described(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    result = graded(
        base, wanted.prompt, luck, 0.4 + 0.6 * float(wanted.extra["strength"])
    )
    _write(result, wanted.prompt, badge=True)
    return result


def _masked(
    wanted: Wanted, base: Image.Image, mask: bytes | None, luck: random.Random
) -> Image.Image:
    """Outside the white every pixel stays as it is; inside every pixel changes."""
    white = (
        opened(mask or b"").convert("L").point(lambda value: 255 if value >= 128 else 0)
    )
    new = scene(wanted.prompt or "repair", base.size, luck, caption=False)
    same = (
        ImageChops.difference(new, base)
        .convert("L")
        .point(lambda value: 255 if value < 3 else 0)
    )
    new = Image.composite(ImageChops.invert(new), new, same)
    return Image.composite(new, base, white)


def _unmark(
    _wanted: Wanted, base: Image.Image, _mask: bytes | None, _luck: random.Random
) -> Image.Image:
    strip = max(8, base.height // 8)
    source = base.crop((0, base.height - 2 * strip, base.width, base.height - strip))
    result = base.copy()
    result.paste(
        ImageOps.flip(source).filter(ImageFilter.GaussianBlur(6)),
        (0, base.height - strip),
    )
    return result


def _expand(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    """W' = W·(1 + (left−1)/2 + (right−1)/2), the guide's own reading.

    The picture itself stays untouched.
    """
    extra = {
        side: (float(wanted.extra[f"{side}_scale"]) - 1) / 2
        for side in ("left", "right", "top", "bottom")
    }
    left, right = round(base.width * extra["left"]), round(base.width * extra["right"])
    top, bottom = (
        round(base.height * extra["top"]),
        round(base.height * extra["bottom"]),
    )
    size = (base.width + left + right, base.height + top + bottom)
    around = Image.blend(
        base.resize(size), scene(wanted.prompt, size, luck, caption=False), 0.45
    )
    result = around.filter(ImageFilter.GaussianBlur(max(4, min(size) // 60)))
    result.paste(base, (left, top))
    return result


def _upscale(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, _luck: random.Random
) -> Image.Image:
    factor = int(wanted.extra["upscale_factor"])
    larger = base.resize(
        (base.width * factor, base.height * factor), Image.Resampling.LANCZOS
    )
    return larger.filter(ImageFilter.UnsharpMask(2, 120, 2))


def _colorize(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    tint = _colour_of(wanted.prompt or "autumn meadow", luck)
    cool = ImageOps.colorize(
        ImageOps.grayscale(base), (20, 26, 60), (255, 244, 220), mid=tint
    )
    return ImageEnhance.Color(cool).enhance(1.3)


def _doodle(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    lines = ImageOps.grayscale(base)
    if not wanted.extra["is_sketch"]:
        lines = ImageOps.invert(lines.filter(ImageFilter.FIND_EDGES))
    ink = ImageOps.autocontrast(lines).point(
        lambda value: 255 if value > 150 else value
    )
    result = ImageChops.multiply(
        scene(wanted.prompt, base.size, luck, caption=False),
        Image.merge("RGB", (ink,) * 3),
    )
    _write(result, wanted.prompt, badge=True)
    return result


def _cartoon(
    wanted: Wanted, base: Image.Image, _mask: bytes | None, luck: random.Random
) -> Image.Image:
    """The character, cut out round, in a new scene."""
    result = scene(wanted.prompt, base.size, luck)
    side = min(base.size) * 3 // 5
    figure = ImageOps.fit(
        ImageOps.posterize(base.filter(ImageFilter.ModeFilter(5)), 4), (side, side)
    )
    round_mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(round_mask).ellipse((0, 0, side, side), fill=255)
    result.paste(
        figure, ((base.width - side) // 2, (base.height - side) // 2), round_mask
    )
    return result


WANX: dict[
    str, Callable[[Wanted, Image.Image, bytes | None, random.Random], Image.Image]
] = {
    "stylization_all": _style,
    "stylization_local": _local_style,
    "description_edit": _described,
    "description_edit_with_mask": _masked,
    "remove_watermark": _unmark,
    "expand": _expand,
    "super_resolution": _upscale,
    "colorization": _colorize,
    "doodle": _doodle,
    "control_cartoon_feature": _cartoon,
}
