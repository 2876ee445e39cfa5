"""BMP and HEIC, the two formats libvips does not read here, by Pillow.

A separate module, because Pillow is slow to load and hardly ever needed for this.
HEIC needs the optional extra ``heif``.
"""

import io

import pyvips
from PIL import Image, ImageFile

from core.pictures.formats import Facts

PILLOW_NAMES = {"bmp": "BMP", "heic": "HEIF"}
ORIENTATION = 0x0112
"""The EXIF tag."""


def register_heif() -> bool:
    """Make Pillow read HEIC. False when the extra is not installed."""
    try:
        import pi_heif  # noqa: PLC0415  # an optional extra
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    return True


def read_header(data: bytes, kind: str) -> Facts:
    """What the header says. Raises OSError, ValueError or SyntaxError."""
    with _open(data, kind) as image:
        width, height = image.size
        # The HEIC reader has already turned the picture.
        orientation = (
            1 if kind == "heic" else image.getexif().get(ORIENTATION, 1)
        )
        if orientation in {5, 6, 7, 8}:
            width, height = height, width
        return Facts(
            format=kind,
            width=width,
            height=height,
            alpha="A" in image.getbands(),
        )


def decode(data: bytes, kind: str) -> "pyvips.Image":
    """The picture for libvips. Raises OSError, ValueError or SyntaxError."""
    with _open(data, kind) as image:
        plain = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    return pyvips.Image.new_from_memory(
        plain.tobytes(),
        plain.width,
        plain.height,
        len(plain.getbands()),
        "uchar",
    )


def _open(data: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        return Image.open(io.BytesIO(data), formats=(PILLOW_NAMES[kind],))
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None
