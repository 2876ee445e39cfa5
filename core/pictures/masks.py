"""Masks.

Whatever a person painted → white where to change, black where to keep, at the picture's exact size.
"""

import pyvips

from core.errors import Rejected
from core.pictures.formats import inspect
from core.pictures.normalize import upright
from core.types import Size

RATIO_TOLERANCE = 0.02
"""How far a mask's ratio may be from its picture's: rounding when it was made smaller, not another
picture."""
HALF = 128


def mask(data: bytes, size: Size) -> bytes:
    """A PNG (RGB, pure black and white) of exactly ``size``.

    Understood: transparent areas (as erasers leave them), red paint over the picture, else white on
    black. Raises Rejected when it is of another shape, when nothing is marked, or everything.
    """
    facts = inspect(data)
    wanted, has = size.width / size.height, facts.width / facts.height
    if abs(has / wanted - 1) > RATIO_TOLERANCE:
        raise Rejected(
            "picture.mask_size",
            mask=f"{facts.width}×{facts.height}",
            size=f"{size.width}×{size.height}",
        )
    try:
        marked = _marked(upright(data, facts).copy_memory())
        exact = marked.resize(
            size.width / marked.width,
            vscale=size.height / marked.height,
            kernel="linear",
        )
        change = (exact >= HALF).copy_memory()
    except pyvips.Error:
        raise Rejected("picture.damaged") from None
    if change.max() == 0:
        raise Rejected("picture.mask_empty")
    if change.min() > 0:
        raise Rejected("picture.mask_full")
    return _png(change)


def region(name: str, size: Size) -> bytes:
    """A quick region as a mask.

    The left, right, top or bottom half, or the middle half of both sides (center).
    """
    half_width, half_height = size.width // 2, size.height // 2
    left, top, width, height = {
        "left": (0, 0, half_width, size.height),
        "right": (size.width - half_width, 0, half_width, size.height),
        "top": (0, 0, size.width, half_height),
        "bottom": (0, size.height - half_height, size.width, half_height),
        "center": (size.width // 4, size.height // 4, half_width, half_height),
    }[name]
    white = pyvips.Image.black(width, height) + 255
    return _png(white.embed(left, top, size.width, size.height).cast("uchar"))


def _marked(image: "pyvips.Image") -> "pyvips.Image":
    """255 where the person marked, else 0."""
    if image.hasalpha() and image[image.bands - 1].min() < HALF:
        return image[image.bands - 1] < HALF
    red, green, blue = (
        (image[band] for band in range(3)) if image.bands >= 3 else (image[0],) * 3
    )
    painted = ((red > 180) & (green < 100) & (blue < 100)).copy_memory()
    if painted.max() > 0:
        return painted
    return (red * 0.299 + green * 0.587 + blue * 0.114) >= HALF


def _png(change: "pyvips.Image") -> bytes:
    encoded: bytes = (
        change.bandjoin([change, change])
        .copy(interpretation="srgb")
        .pngsave_buffer(compression=6, keep="none")
    )
    return encoded
