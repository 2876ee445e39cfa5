"""Pictures we draw ourselves, with Pillow: the tree of a history, before and after, thumbnails."""

import io
from collections.abc import Mapping

from PIL import Image, ImageColor, ImageDraw

from core.pictures import layout
from core.pictures.canvas import (
    ACCENT,
    FAINT,
    INK,
    LINE,
    MARGIN,
    PAPER,
    encode_png,
    write,
)
from core.pictures.layout import Page, Spot
from core.pictures.libvips import pyvips

MAX_SIDE = 4096
FLICKER_SIDE = 1024
COMPARE_HEIGHT, COMPARE_TOP = 768, 64


def thumbnail(data: bytes) -> bytes:
    """A square JPEG of a picture's middle, as large as it is ever drawn in a tree."""
    side = layout.SIDE
    small = pyvips.Image.thumbnail_buffer(
        data,
        side,
        height=side,
        crop="centre",
        no_rotate=True,
    )
    if small.hasalpha():
        small = small.flatten(
            background=ImageColor.getrgb(PAPER)[: small.bands - 1]
        )
    encoded: bytes = small.jpegsave_buffer(Q=88, keep="none")
    return encoded


def tree(
    page: Page,
    thumbnails: Mapping[str, bytes],
    note: str = "",
) -> bytes:
    """Draw the history as PNG: each picture joined to its parent, the head marked.

    ``note`` is written above. ``thumbnails`` are encoded pictures by node id.
    """
    canvas = Image.new(
        "RGB",
        page.size,
        PAPER,
    )
    draw = ImageDraw.Draw(canvas)
    # Lines first: pictures cover their ends.
    for spot in page.spots:
        _join(
            draw,
            page,
            spot,
        )
    mask = _round_corners(page.side)
    for spot in page.spots:
        _place(
            canvas,
            page,
            spot,
            thumbnails.get(spot.node.id),
            mask,
        )
    write(
        draw,
        (layout.MARGIN, 12),
        note,
        FAINT,
        16,
    )
    return encode_png(canvas)


def compare(
    before: bytes,
    after: bytes,
    labels: tuple[str, str],
) -> bytes:
    """Draw both at equal height side by side as PNG, with the labels above."""
    ratios = [_ratio(data) for data in (before, after)]
    most_width = MAX_SIDE - 3 * MARGIN
    height = min(COMPARE_HEIGHT, int(most_width / sum(ratios)))
    left, right = [
        _shrink(
            data,
            max(1, round(ratio * height)),
            height,
        )
        for data, ratio in zip(
            (before, after),
            ratios,
            strict=True,
        )
    ]
    full_width = left.width + right.width + 3 * MARGIN
    full_height = height + COMPARE_TOP + MARGIN
    canvas = Image.new(
        "RGB",
        (full_width, full_height),
        PAPER,
    )
    draw = ImageDraw.Draw(canvas)
    x = MARGIN
    for picture, label in zip(
        (left, right),
        labels,
        strict=True,
    ):
        canvas.paste(
            picture,
            (x, COMPARE_TOP),
            picture,
        )
        write(
            draw,
            (x, 18),
            label,
            INK,
            28,
        )
        x += picture.width + MARGIN
    return encode_png(canvas)


def _ratio(data: bytes) -> float:
    width, height = _size(data)
    return width / height


def flicker(before: bytes, after: bytes) -> bytes:
    """Animate the two as WebP, a second each, at the shape of ``after``.

    No side is over 1024 pixels.
    """
    width, height = _size(after)
    scale = min(1.0, FLICKER_SIDE / max(width, height))
    width = max(1, round(width * scale))
    height = max(1, round(height * scale))
    first = _shrink(
        before,
        width,
        height,
    ).convert("RGB")
    last = _shrink(
        after,
        width,
        height,
    ).convert("RGB")
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


def _join(
    draw: ImageDraw.ImageDraw,
    page: Page,
    spot: Spot,
) -> None:
    """Draw lines to its children, and stubs where its parent or a child stands elsewhere."""
    width = max(2, round(page.side / 44))
    x, y = page.corner(column=spot.column, row=spot.row)
    stub = page.gap // 3
    half = page.side // 2
    middle = y + half
    right = x + page.side
    if spot.origin:
        ends = [(x - stub, middle), (x, middle)]
        draw.line(
            ends,
            fill=LINE,
            width=width,
        )
    if spot.continues:
        ends = [(right, middle), (right + stub, middle)]
        draw.line(
            ends,
            fill=LINE,
            width=width,
        )
    turn = right + page.gap // 2
    for child in spot.children:
        left, top = page.corner(column=child.column, row=child.row)
        level = top + half
        bends = [(right, middle), (turn, middle), (turn, level), (left, level)]
        draw.line(
            bends,
            fill=LINE,
            width=width,
            joint="curve",
        )


def _place(
    canvas: Image.Image,
    page: Page,
    spot: Spot,
    thumbnail: bytes | None,
    mask: Image.Image,
) -> None:
    """Draw the picture if there is one, its frame, and its label and caption below."""
    side, node = page.side, spot.node
    x, y = page.corner(column=spot.column, row=spot.row)
    if thumbnail is not None:
        picture = _open_thumbnail(thumbnail).resize((side, side))
        canvas.paste(
            picture,
            (x, y),
            mask,
        )
    frame_colour, frame_width, label_colour = LINE, 2, INK
    if node.is_head:
        frame_colour, frame_width, label_colour = (
            ACCENT,
            max(4, side // 30),
            ACCENT,
        )
    draw = ImageDraw.Draw(canvas)
    frame = (x - 3, y - 3, x + side + 2, y + side + 2)
    draw.rounded_rectangle(
        frame,
        side // 9,
        outline=frame_colour,
        width=frame_width,
    )
    max_width = side + page.gap - 4
    label = node.label
    if spot.origin:
        label += f" ‹ {spot.origin.label}"
    size = max(12, side // 10)
    label_y = y + side + page.lines // 8
    write(
        draw,
        (x + 2, label_y),
        label,
        label_colour,
        size,
        max_width,
    )
    if side >= layout.READABLE:
        caption_y = label_y + round(size * 1.28)
        caption_size = max(11, side // 13)
        write(
            draw,
            (x + 2, caption_y),
            node.caption,
            FAINT,
            caption_size,
            max_width,
        )


def _round_corners(side: int) -> Image.Image:
    mask = Image.new(
        "L",
        (side, side),
        0,
    )
    draw = ImageDraw.Draw(mask)
    draw.rounded_rectangle(
        (0, 0, side - 1, side - 1),
        side // 10,
        fill=255,
    )
    return mask


def _size(data: bytes) -> tuple[int, int]:
    header = pyvips.Image.new_from_buffer(data, "")
    return header.width, header.height


def _shrink(
    data: bytes,
    width: int,
    height: int,
) -> Image.Image:
    """Decode the picture at that size; it is never in memory at its own."""
    small = pyvips.Image.thumbnail_buffer(
        data,
        width,
        height=height,
        size="force",
        no_rotate=True,
    )
    # Pillow takes raw bytes: eight bits and four bands, whatever the file had.
    small = small.colourspace("srgb").cast("uchar")
    if not small.hasalpha():
        small = small.addalpha()
    return Image.frombytes(
        "RGBA",
        (width, height),
        small.write_to_memory(),
    )


def _open_thumbnail(thumbnail: bytes) -> Image.Image:
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
        return image.convert("RGB")
