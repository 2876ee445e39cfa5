"""Masks: what a person painted → white where to change, black where to keep.

Always at the exact size of the picture, as the service demands.
"""

import pyvips

from core.errors import Rejected
from core.pictures.formats import inspect
from core.pictures.normalize import upright
from core.size import Size

RATIO_TOLERANCE = 0.02
"""How far a mask's ratio may be from its picture's: rounding, when it was made smaller."""
HALF = 128


def mask(data: bytes, size: Size) -> bytes:
    """Make a PNG (RGB, pure black and white) of exactly ``size``.

    Understood are transparent areas (as erasers leave them), red paint over the picture, and white
    on black. Raises Rejected for another shape, or when nothing or everything is marked.
    """
    facts = inspect(data)
    picture_ratio, mask_ratio = (
        size.width / size.height,
        facts.width / facts.height,
    )
    if abs(mask_ratio / picture_ratio - 1) > RATIO_TOLERANCE:
        raise Rejected(
            "picture.mask_size",
            mask=f"{facts.width}×{facts.height}",
            size=f"{size.width}×{size.height}",
        )
    try:
        marked = _find_marks(upright(data, facts).copy_memory())
        exact = marked.resize(
            size.width / marked.width,
            vscale=size.height / marked.height,
            kernel="linear",
        )
        # The service may misread greys, which resizing leaves along edges.
        change = (exact >= HALF).copy_memory()
    except pyvips.Error:
        raise Rejected("picture.damaged") from None
    if change.max() == 0:
        raise Rejected("picture.mask_empty")
    if change.min() > 0:
        raise Rejected("picture.mask_full")
    return _encode_png(change)


def region(name: str, size: Size) -> bytes:
    """Make a mask of a named region.

    The left, right, top or bottom half, or (center) the middle half of both sides.
    """
    half_width, half_height = size.width // 2, size.height // 2
    regions = {
        "left": (0, 0, half_width, size.height),
        "right": (size.width - half_width, 0, half_width, size.height),
        "top": (0, 0, size.width, half_height),
        "bottom": (0, size.height - half_height, size.width, half_height),
        "center": (size.width // 4, size.height // 4, half_width, half_height),
    }
    left, top, width, height = regions[name]
    white = pyvips.Image.black(width, height) + 255
    return _encode_png(
        white.embed(left, top, size.width, size.height).cast("uchar")
    )


def _find_marks(image: "pyvips.Image") -> "pyvips.Image":
    """255 where the person marked, else 0."""
    # Erasers leave holes: what is transparent is what should change.
    if image.hasalpha():
        alpha = image[image.bands - 1]
        if alpha.min() < HALF:
            return alpha < HALF
    red = green = blue = image[0]
    if image.bands >= 3:
        green, blue = image[1], image[2]
    # Red paint over the picture, as people mark things on a phone.
    painted = ((red > 180) & (green < 100) & (blue < 100)).copy_memory()
    if painted.max() > 0:
        return painted
    # Else it is a mask as the service wants it.
    brightness = red * 0.299 + green * 0.587 + blue * 0.114
    return brightness >= HALF


def _encode_png(change: "pyvips.Image") -> bytes:
    encoded: bytes = (
        change.bandjoin([change, change])
        .copy(interpretation="srgb")
        .pngsave_buffer(compression=6, keep="none")
    )
    return encoded
