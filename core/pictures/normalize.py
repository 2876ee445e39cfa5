"""Anyone's bytes → an upright sRGB picture without metadata, inside a model's ranges.

What we keep has no side over 3072 pixels, the most Qwen accepts, so that a photo is
shrunk once, while it is read.
"""

from core.errors import Rejected
from core.pictures.facts import RESULTS, UPLOADS, Facts, NormalizedImage
from core.pictures.formats import (
    decode,
    header_number,
    inspect,
    refusing_damage,
)
from core.pictures.libvips import pyvips
from core.size import PictureLimits

KEPT_SIDE = 3072
JPEG_QUALITY = 95
FIRST_QUALITY, LAST_QUALITY, QUALITY_STEP = 92, 60, 8
"""JPEG qualities tried, from the first to the last, until a picture has few enough bytes."""
PHOTO_FORMATS = frozenset({"jpeg", "heic", "avif"})
EIGHT_BIT_NAMES = {"rgb16": "srgb", "grey16": "b-w"}
"""What libvips calls those of sixteen bits when they have eight."""
WHITE = [255, 255, 255]


def normalize(data: bytes) -> NormalizedImage:
    """Make the clean form we keep: upright, sRGB, no metadata, no side over 3072 pixels.

    Same bytes in, same bytes out. A JPEG stays a JPEG (nearly lossless), everything else
    becomes PNG, so that nothing drawn is smeared. Raises Rejected.
    """
    facts = inspect(data)
    with refusing_damage():
        image = upright(
            data,
            facts,
            KEPT_SIDE,
        )
        # Most photos stay small as JPEG; what was drawn would be smeared.
        is_photo = facts.format in PHOTO_FORMATS and not image.hasalpha()
        kind = "jpeg" if is_photo else "png"
        encoded = _encode(image, kind)
    notes = ("picture.note.first_frame",) if facts.frames > 1 else ()
    return NormalizedImage(
        data=encoded,
        width=image.width,
        height=image.height,
        media_type=f"image/{kind}",
        notes=notes,
        original=facts.size,
    )


def fit_to(data: bytes, limits: PictureLimits) -> NormalizedImage:
    """Bring a kept picture inside a model's ranges; return it untouched if it is inside.

    Raises Rejected when only distortion could bring it there.
    """
    facts = inspect(data, RESULTS)
    max_ratio = min(limits.max_ratio, limits.max_side / limits.min_side)
    if facts.ratio > max_ratio:
        size = facts.size.label
        raise Rejected(
            "picture.aspect",
            size=size,
            allowed=f"{max_ratio:g}:1",
        )
    if _is_inside(
        facts,
        len(data),
        limits,
    ):
        return NormalizedImage(
            data=data,
            width=facts.width,
            height=facts.height,
            media_type=facts.media_type,
        )
    with refusing_damage():
        return _bring_inside(
            decode(data, facts),
            facts,
            limits,
        )


def check_result(data: bytes) -> Facts:
    """Decode what the service sent: it must be a whole picture. Raises Rejected."""
    facts = inspect(data, RESULTS)
    with refusing_damage():
        decode(data, facts).avg()
    return facts


def upright(
    data: bytes,
    facts: Facts,
    max_side: int = UPLOADS.side,
) -> "pyvips.Image":
    """Decode, shrink to ``max_side``, turn as EXIF says, convert to eight-bit sRGB.

    Raises one of formats.DECODER_ERRORS.
    """
    image = decode(data, facts)
    # Smaller first: colours cost several times what shrinking does.
    image = _shrink(image, max_side)
    if header_number(image, "orientation") > 1:
        # Turning reads rows out of order, which sequential access does not allow.
        image = image.copy_memory().autorot()
    return _to_srgb(_to_eight_bits(image))


def _shrink(image: "pyvips.Image", max_side: int) -> "pyvips.Image":
    """Scale down, if it is larger; what is hidden does not bleed into what is seen."""
    scale = max_side / max(image.width, image.height)
    if scale >= 1:
        return image
    if not image.hasalpha():
        return image.resize(scale)
    small = image.premultiply().resize(scale).unpremultiply()
    return small.cast(image.format)


def _to_eight_bits(image: "pyvips.Image") -> "pyvips.Image":
    if image.format != "ushort":
        return image
    interpretation = EIGHT_BIT_NAMES.get(
        image.interpretation, image.interpretation
    )
    small = (image / 257).rint().cast("uchar")
    return small.copy(interpretation=interpretation)


def _to_srgb(image: "pyvips.Image") -> "pyvips.Image":
    """Three bands, or four with transparency."""
    image = _apply_profile(image)
    if image.interpretation == "cmyk":
        image = _mix_inks(image)
    image = image.colourspace("srgb")
    if image.bands > 4:
        image = image.extract_band(0, n=3)
    return image.cast("uchar")


def _apply_profile(image: "pyvips.Image") -> "pyvips.Image":
    if not image.get_typeof("icc-profile-data"):
        return image
    try:
        return image.icc_transform(
            "srgb",
            embedded=True,
            intent="perceptual",
            depth=8,
        )
    except pyvips.Error:
        # A broken profile: the picture is worth more than its exact colours.
        return image


def _mix_inks(image: "pyvips.Image") -> "pyvips.Image":
    """CMYK without a profile, as browsers show it."""
    light = 255 - image
    black = light[3] / 255
    colours = light.extract_band(0, n=3) * black
    pixels = colours.rint().cast("uchar")
    return pixels.copy(interpretation="srgb")


def _encode(
    image: "pyvips.Image",
    kind: str,
    quality: int = JPEG_QUALITY,
) -> bytes:
    if kind == "jpeg":
        encoded = image.jpegsave_buffer(
            Q=quality,
            subsample_mode="off",
            keep="none",
        )
    else:
        encoded = image.pngsave_buffer(compression=6, keep="none")
    return bytes(encoded)


def _is_inside(
    facts: Facts,
    length: int,
    limits: PictureLimits,
) -> bool:
    return (
        limits.min_side <= min(facts.width, facts.height)
        and max(facts.width, facts.height) <= limits.max_side
        and length <= limits.max_bytes
        and facts.format in limits.formats
        and (limits.alpha or not facts.alpha)
    )


def _bring_inside(
    image: "pyvips.Image",
    facts: Facts,
    limits: PictureLimits,
) -> NormalizedImage:
    image = image.copy_memory()
    if image.hasalpha() and not limits.alpha:
        image = image.flatten(background=WHITE)
    scale = max(limits.min_side / min(image.width, image.height), 1.0)
    scale = min(scale, limits.max_side / max(image.width, image.height))
    if scale != 1.0:
        image = _resize(
            image,
            scale,
            limits,
        ).copy_memory()
    kind = "jpeg" if facts.format == "jpeg" else "png"
    encoded = _encode(image, kind)
    if len(encoded) > limits.max_bytes:
        kind = "jpeg"
        image, encoded = _encode_within(image, limits.max_bytes)
    return NormalizedImage(
        data=encoded,
        width=image.width,
        height=image.height,
        media_type=f"image/{kind}",
    )


def _encode_within(
    image: "pyvips.Image", limit: int
) -> tuple["pyvips.Image", bytes]:
    """Encode as JPEG of at most ``limit`` bytes: lower quality first, then fewer pixels."""
    if image.hasalpha():
        image = image.flatten(background=WHITE)
    quality = FIRST_QUALITY
    while (
        len(
            encoded := _encode(
                image,
                "jpeg",
                quality,
            )
        )
        > limit
    ):
        quality -= QUALITY_STEP
        if quality < LAST_QUALITY:
            image = image.resize(0.8, kernel="lanczos3").copy_memory()
            quality = FIRST_QUALITY
    return image, encoded


def _resize(
    image: "pyvips.Image",
    scale: float,
    limits: PictureLimits,
) -> "pyvips.Image":
    """Scale both sides alike, and round inwards where a limit is touched."""
    width = min(
        max(round(image.width * scale), limits.min_side), limits.max_side
    )
    height = min(
        max(round(image.height * scale), limits.min_side), limits.max_side
    )
    return image.resize(
        width / image.width,
        vscale=height / image.height,
        kernel="lanczos3",
    )
