"""Masks: what a person painted → white where to change, black where to keep.

Always at the exact size of the picture, as the service demands.
"""

from core.errors import Rejected
from core.pictures.formats import inspect, refusing_damage
from core.pictures.libvips import pyvips
from core.pictures.normalize import upright
from core.size import Size

RATIO_TOLERANCE = 0.02
"""How far a mask's ratio may be from its picture's: rounding, when it was made smaller."""
HALF = 128
EDGES = 0.02
"""The share of a layer that may be neither white nor red, when it holds strokes."""


def mask(data: bytes, size: Size) -> bytes:
    """Make a PNG (RGB, pure black and white) of exactly ``size``.

    Understood are transparent areas (as erasers leave them), white or red strokes on a transparent
    layer, red paint over the picture, and white on black. Raises Rejected for another shape, or
    when nothing or everything is marked.
    """
    facts = inspect(data)
    picture_ratio, mask_ratio = (
        size.width / size.height,
        facts.width / facts.height,
    )
    if abs(mask_ratio / picture_ratio - 1) > RATIO_TOLERANCE:
        raise Rejected(
            "picture.mask_size",
            mask=facts.size.label,
            size=size.label,
        )
    with refusing_damage():
        marked = _find_marks(upright(data, facts).copy_memory())
        exact = marked.resize(
            size.width / marked.width,
            vscale=size.height / marked.height,
            kernel="linear",
        )
        # The service may misread greys, which resizing leaves along edges.
        change = (exact >= HALF).copy_memory()
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
    change = white.embed(
        left,
        top,
        size.width,
        size.height,
    )
    return _encode_png(change.cast("uchar"))


def _find_marks(image: "pyvips.Image") -> "pyvips.Image":
    """255 where the person marked, else 0."""
    if image.hasalpha():
        seen = image[3] >= HALF
        if seen.min() == 0:
            return _find_marks_in_layer(image, seen)
    red = _is_red(image)
    # Red paint over the picture, as people mark things on a phone.
    if red.max() > 0:
        return red
    # Else it is a mask as the service wants it.
    return _is_bright(image)


def _find_marks_in_layer(
    image: "pyvips.Image",
    seen: "pyvips.Image",
) -> "pyvips.Image":
    """Strokes on a transparent layer are the marks; in a picture the eraser's holes are."""
    paint = _is_red(image) | _is_white(image)
    unpainted = seen & ~paint
    # A brush leaves some other colours along its edges.
    if unpainted.avg() <= seen.avg() * EDGES:
        return seen
    return ~seen


def _is_red(image: "pyvips.Image") -> "pyvips.Image":
    return (image[0] > 180) & (image[1] < 100) & (image[2] < 100)


def _is_white(image: "pyvips.Image") -> "pyvips.Image":
    return (image[0] > 200) & (image[1] > 200) & (image[2] > 200)


def _is_bright(image: "pyvips.Image") -> "pyvips.Image":
    return image[0] * 0.299 + image[1] * 0.587 + image[2] * 0.114 >= HALF


def _encode_png(change: "pyvips.Image") -> bytes:
    encoded: bytes = (
        change.bandjoin([change, change])
        .copy(interpretation="srgb")
        .pngsave_buffer(compression=6, keep="none")
    )
    return encoded
