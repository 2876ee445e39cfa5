"""BMP and HEIC, the two formats libvips does not read here, by Pillow.

A separate module, because Pillow is slow to load and hardly ever needed for this.
HEIC needs the optional extra ``heif``.
"""

import io

from PIL import Image, ImageFile

from core.pictures.facts import Facts
from core.pictures.libvips import pyvips

PILLOW_NAMES = {"bmp": "BMP", "heic": "HEIF"}
INTERPRETATIONS = {"L": "b-w", "LA": "b-w", "RGB": "srgb", "RGBA": "srgb"}
"""Pillow's modes that need no conversion, by libvips's names."""
HEIC_BANDS = {"RGB": 3, "RGBA": 4}
"""The usual colours of HEIC, and how many numbers a pixel has."""


def register_heif() -> bool:
    """Make Pillow read HEIC. False when the extra is not installed."""
    try:
        import pi_heif  # noqa: PLC0415  # an optional extra
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    return True


def read_header(data: bytes, kind: str) -> Facts:
    """What the header says. Raises one of formats.DECODER_ERRORS."""
    with _open(data, kind) as image:
        # A BMP has no orientation, and the HEIC reader has already turned the picture.
        width, height = image.size
        return Facts(
            format=kind,
            width=width,
            height=height,
            alpha=_has_alpha(image),
        )


def decode(data: bytes, kind: str) -> "pyvips.Image":
    """The picture for libvips. Raises one of formats.DECODER_ERRORS."""
    if kind == "heic":
        picture = _decode_in_place(data)
        if picture is not None:
            return picture
    with _open(data, kind) as opened:
        image = _to_eight_bits(opened)
        content = image.tobytes()
        profile = opened.info.get("icc_profile")
    width, height = image.size
    bands = len(image.getbands())
    pixels = pyvips.Image.new_from_memory(
        content,
        width,
        height,
        bands,
        "uchar",
    )
    interpretation = INTERPRETATIONS[image.mode]
    return _with_colours(pixels, interpretation, profile)


def _decode_in_place(data: bytes) -> "pyvips.Image | None":
    """A HEIC of usual colours from the decoder's own memory.

    Of 50 megapixels a copy would take 150 MB more. None for other colours.
    """
    import pi_heif  # noqa: PLC0415  # an optional extra

    heic = pi_heif.open_heif(data)
    bands = HEIC_BANDS.get(heic.mode)
    if bands is None:
        return None
    width, height = heic.size
    # A line of pixels may be longer than the picture is wide.
    line, odd = divmod(heic.stride, bands)
    if odd:
        return None
    pixels = pyvips.Image.new_from_memory(
        heic.data,
        line,
        height,
        bands,
        "uchar",
    )
    # The memory lives as long as the decoder's picture, and pyvips hands this on.
    pixels._references.append(heic)
    pixels = pixels.crop(0, 0, width, height)
    return _with_colours(pixels, "srgb", heic.info.get("icc_profile"))


def _with_colours(
    pixels: "pyvips.Image",
    interpretation: str,
    profile: bytes | None,
) -> "pyvips.Image":
    """Say what the numbers of the pixels mean."""
    picture = pixels.copy(interpretation=interpretation)
    if profile:
        blob = pyvips.GValue.blob_type
        picture.set_type(
            blob,
            "icc-profile-data",
            profile,
        )
    return picture


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip, not scale.
        return image.point(lambda sample: sample / 257).convert("L")
    if image.mode in INTERPRETATIONS:
        return image
    return image.convert("RGBA" if _has_alpha(image) else "RGB")


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands()


def _open(data: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        return Image.open(io.BytesIO(data), formats=(PILLOW_NAMES[kind],))
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None
