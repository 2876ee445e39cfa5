"""Pictures in.

Bytes of anybody → an upright sRGB picture without metadata, inside a model's ranges.

Decisions where the references differ: at most 30 MiB and 50 megapixels in, so that phone photos of
12 and 48 megapixels just work and a 9000 × 9000 bomb does not; a side at most 12 000 pixels; what
we keep has no side over 3072 pixels, the most Qwen takes, so that a photo is shrunk once, while it
is read. Formats are told by their first bytes, and only the loader of that format is ever called.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import pyvips
from PIL import Image, UnidentifiedImageError

from core.errors import Rejected
from core.types import PictureLimits

MAX_BYTES = 30 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SIDE = 12_000
KEPT_SIDE = 3072
MAX_RATIO = 20.0
MAX_CHUNKS = 5_000
"""Chunks of a PNG: a hundred thousand text chunks are an attack, not a picture."""
JPEG_QUALITY = 95
ASKED_FORMATS = "PNG, JPEG, WebP"

pyvips.cache_set_max(0)
# Two pictures are worked on at a time (core.pictures.pool); a picture needs no threads of its own
# beside.
pyvips.concurrency_set(1)
# No loader but those of the formats we take, whatever a file pretends to be.
pyvips.operation_block_set("VipsForeignLoad", True)
for _name in ("Jpeg", "Png", "Webp", "Nsgif", "Tiff"):
    pyvips.operation_block_set(f"VipsForeignLoad{_name}", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a header says: size as shown upright, pages or frames, transparency."""

    format: str
    width: int
    height: int
    frames: int = 1
    alpha: bool = False

    @property
    def media_type(self) -> str:
        """Such as image/png."""
        return f"image/{self.format}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizedImage:
    """A picture of ours: clean bytes; ``notes`` are message keys its person should hear."""

    data: bytes
    width: int
    height: int
    media_type: str
    notes: tuple[str, ...] = ()


LOADERS = {
    "jpeg": ("jpegload_buffer", {}),
    "png": ("pngload_buffer", {}),
    "webp": ("webpload_buffer", {"n": 1}),
    "gif": ("gifload_buffer", {"n": 1}),
    "tiff": ("tiffload_buffer", {"n": 1}),
}


def kind_of(data: bytes) -> str:
    """The format told by the first bytes.

    Raises Rejected for an empty file and for anything we do not take.
    """
    if not data:
        raise Rejected("picture.empty")
    head = data[:32]
    if head[4:8] == b"ftyp":
        return _brand(head)
    signatures = {
        b"\xff\xd8\xff": "jpeg",
        b"\x89PNG\r\n\x1a\n": "png",
        b"GIF87a": "gif",
        b"GIF89a": "gif",
        b"II*\x00": "tiff",
        b"MM\x00*": "tiff",
        b"BM": "bmp",
    }
    for signature, kind in signatures.items():
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    raise Rejected(
        "picture.not_an_image"
        if _is_text(head) or len(data) < 12
        else "picture.format",
        allowed=ASKED_FORMATS,
    )


def too_many_bytes(limit: int) -> Rejected:
    """The refusal of a file with more bytes than ``limit``."""
    return Rejected("picture.too_many_bytes", limit=limit >> 20)


def inspect(data: bytes) -> Facts:
    """Look at the header alone.

    Raises Rejected: empty, not a picture, a format we refuse, too large, damaged.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(MAX_BYTES)
    kind = kind_of(data)
    if kind == "png":
        _check_png(data)
    try:
        facts = (
            _facts_by_pillow(data, kind)
            if kind in {"bmp", "heic"}
            else _facts(data, kind)
        )
    except (
        pyvips.Error,
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        raise Rejected("picture.damaged") from None
    _check_size(facts)
    return facts


def normalize(data: bytes) -> NormalizedImage:
    """The clean form we keep: upright, sRGB, no metadata, no side over 3072 pixels.

    Same bytes in, same bytes out.

    A JPEG stays a JPEG (nearly lossless), everything else becomes PNG, so that nothing drawn is
    smeared.
    """
    facts = inspect(data)
    try:
        is_large = (
            max(facts.width, facts.height) > KEPT_SIDE and facts.format in LOADERS
        )
        image = _shrunk(data, facts) if is_large else upright(data, facts)
        encoded, kind = _encode(
            image,
            "jpeg"
            if facts.format in {"jpeg", "heic"} and not image.hasalpha()
            else "png",
        )
    except (
        pyvips.Error,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        raise Rejected("picture.damaged") from None
    notes = ("picture.note.first_frame",) if facts.frames > 1 else ()
    return NormalizedImage(
        data=encoded,
        width=image.width,
        height=image.height,
        media_type=f"image/{kind}",
        notes=notes,
    )


def fit_to(data: bytes, limits: PictureLimits) -> NormalizedImage:
    """A kept picture inside a model's ranges; the very same bytes when it is inside already.

    Raises Rejected when only distortion could bring it there.
    """
    facts = inspect(data)
    ratio = max(facts.width, facts.height) / min(facts.width, facts.height)
    if ratio > min(limits.max_ratio, limits.max_side / limits.min_side):
        allowed = f"{min(limits.max_ratio, limits.max_side / limits.min_side):g}:1"
        raise Rejected(
            "picture.aspect", size=f"{facts.width}×{facts.height}", allowed=allowed
        )
    if _is_inside(facts, len(data), limits):
        return NormalizedImage(
            data=data,
            width=facts.width,
            height=facts.height,
            media_type=facts.media_type,
        )
    try:
        return _brought_inside(_decode(data, facts), facts, limits)
    except pyvips.Error:
        raise Rejected("picture.damaged") from None


def check_result(data: bytes) -> Facts:
    """What the service sent must be a whole picture like any other. Raises Rejected."""
    facts = inspect(data)
    try:
        _decode(data, facts).avg()
    except (pyvips.Error, OSError, ValueError):
        raise Rejected("picture.damaged") from None
    return facts


def _brand(head: bytes) -> str:
    if (
        head[8:12] in {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}
        and _heif_plugin()
    ):
        return "heic"
    raise Rejected("picture.format", allowed=ASKED_FORMATS)


def _heif_plugin() -> bool:
    """Is the optional extra installed?"""
    try:
        import pi_heif  # noqa: PLC0415  # an optional extra
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    return True


def _is_text(head: bytes) -> bool:
    return head.lstrip()[:1] in {b"<", b"{", b"%"} or all(
        9 <= byte < 127 for byte in head
    )


def _check_png(data: bytes) -> None:
    """Walk the chunks.

    A flood of them, or one that unpacks to far more than it is, never reaches the decoder.
    """
    position, chunks = 8, 0
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        chunks += 1
        if chunks > MAX_CHUNKS or (
            kind == b"IHDR" and not _is_sound(data, position, length)
        ):
            raise Rejected("picture.damaged")
        if kind == b"IEND":
            return
        position += 12 + length
    raise Rejected("picture.damaged")


def _is_sound(data: bytes, position: int, length: int) -> bool:
    """Does the chunk's checksum fit? The decoder forgives it, and would believe a damaged size."""
    end = position + 8 + length
    return (
        struct.pack(">I", zlib.crc32(data[position + 4 : end])) == data[end : end + 4]
    )


def _facts(data: bytes, kind: str) -> Facts:
    image = _load(data, kind)
    width, height = image.width, image.height
    turned = _field(image, "orientation", 1) in {5, 6, 7, 8}
    frames = _field(image, "n-pages", 1)
    if kind == "png" and b"acTL" in data[:4096]:
        frames = 2
    return Facts(
        format=kind,
        width=height if turned else width,
        height=width if turned else height,
        frames=frames,
        alpha=image.hasalpha(),
    )


def _field(image: "pyvips.Image", name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


def _facts_by_pillow(data: bytes, kind: str) -> Facts:
    with Image.open(
        io.BytesIO(data), formats=(("HEIF",) if kind == "heic" else ("BMP",))
    ) as image:
        turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8} and kind != "heic"
        width, height = image.size
        return Facts(
            format=kind,
            width=height if turned else width,
            height=width if turned else height,
            alpha="A" in image.getbands(),
        )


def _check_size(facts: Facts) -> None:
    if facts.width < 1 or facts.height < 1:
        raise Rejected("picture.damaged")
    ratio = max(facts.width, facts.height) / min(facts.width, facts.height)
    if ratio > MAX_RATIO:
        raise Rejected(
            "picture.aspect",
            size=f"{facts.width}×{facts.height}",
            allowed=f"{MAX_RATIO:g}:1",
        )
    if (
        facts.width * facts.height > MAX_PIXELS
        or max(facts.width, facts.height) > MAX_SIDE
    ):
        raise Rejected(
            "picture.too_large",
            size=f"{facts.width}×{facts.height}",
            limit=MAX_PIXELS // 1_000_000,
            side=MAX_SIDE,
        )


def _load(data: bytes, kind: str) -> "pyvips.Image":
    name, options = LOADERS[kind]
    return getattr(pyvips.Image, name)(
        data, access="sequential", fail_on="truncated", **options
    )


def _decode(data: bytes, facts: Facts) -> "pyvips.Image":
    if facts.format not in {"bmp", "heic"}:
        return _load(data, facts.format)
    with Image.open(
        io.BytesIO(data), formats=(("HEIF",) if facts.format == "heic" else ("BMP",))
    ) as opened:
        plain = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    return pyvips.Image.new_from_memory(
        plain.tobytes(), plain.width, plain.height, len(plain.getbands()), "uchar"
    )


def upright(data: bytes, facts: Facts) -> "pyvips.Image":
    """Turned as its EXIF says, in sRGB, eight bits; the profile has done its work and goes.

    Raises pyvips.Error.
    """
    image = _decode(data, facts)
    if _field(image, "orientation", 1) > 1:
        # Turning reads the rows out of their order, which a picture read as it comes does not
        # allow.
        image = image.copy_memory().autorot()
    if image.get_typeof("icc-profile-data"):
        try:
            image = image.icc_transform("srgb", embedded=True, intent="perceptual")
        except pyvips.Error:
            image = image.colourspace("srgb")
    elif image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return _plain(image)


def _plain(image: "pyvips.Image") -> "pyvips.Image":
    """Eight bits, three bands or four."""
    if image.bands == 2 or image.bands > 4:
        image = image.extract_band(0, n=min(image.bands, 3))
    return image.cast("uchar")


def _shrunk(data: bytes, facts: Facts) -> "pyvips.Image":
    """As ``upright``, brought to our size while it is read.

    The first bytes chose the loader: it is one of ours.
    """
    header = _load(data, facts.format)
    is_plain = not header.get_typeof("icc-profile-data") and header.interpretation in {
        "srgb",
        "b-w",
    }
    # Through a profile only where there is one: it costs seven times the rest.
    colours = {} if is_plain else {"output_profile": "srgb"}
    options = {"height": KEPT_SIDE, "size": "down", "fail_on": "truncated", **colours}
    return _plain(pyvips.Image.thumbnail_buffer(data, KEPT_SIDE, **options))


def _encode(
    image: "pyvips.Image", kind: str, quality: int = JPEG_QUALITY
) -> tuple[bytes, str]:
    if kind == "jpeg":
        return image.jpegsave_buffer(
            Q=quality, subsample_mode="off", keep="none"
        ), "jpeg"
    return image.pngsave_buffer(compression=6, keep="none"), "png"


def _is_inside(facts: Facts, length: int, limits: PictureLimits) -> bool:
    return (
        limits.min_side <= min(facts.width, facts.height)
        and max(facts.width, facts.height) <= limits.max_side
        and length <= limits.max_bytes
        and facts.format in limits.formats
        and (limits.alpha or not facts.alpha)
    )


def _brought_inside(
    image: "pyvips.Image", facts: Facts, limits: PictureLimits
) -> NormalizedImage:
    image = image.copy_memory()
    if image.hasalpha() and not limits.alpha:
        image = image.flatten(background=[255, 255, 255])
    scale = max(limits.min_side / min(image.width, image.height), 1.0)
    scale = min(scale, limits.max_side / max(image.width, image.height))
    if scale != 1.0:
        image = _resized(image, scale, limits).copy_memory()
    encoded, kind = _encode(image, "jpeg" if facts.format == "jpeg" else "png")
    quality = 92
    while len(encoded) > limits.max_bytes:
        if kind == "png":
            image = (
                image.flatten(background=[255, 255, 255]) if image.hasalpha() else image
            )
        if quality < 60:
            image, quality = image.resize(0.8, kernel="lanczos3").copy_memory(), 92
        encoded, kind = _encode(image, "jpeg", quality)
        quality -= 8
    return NormalizedImage(
        data=encoded, width=image.width, height=image.height, media_type=f"image/{kind}"
    )


def _resized(
    image: "pyvips.Image", scale: float, limits: PictureLimits
) -> "pyvips.Image":
    """Both sides scaled alike, and rounded inwards where a limit is touched."""
    width = min(max(round(image.width * scale), limits.min_side), limits.max_side)
    height = min(max(round(image.height * scale), limits.min_side), limits.max_side)
    return image.resize(
        width / image.width, vscale=height / image.height, kernel="lanczos3"
    )
