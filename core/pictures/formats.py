"""The picture formats we accept, recognised by their first bytes and their header.

Where vendors and platforms differ we chose: at most 30 MiB and 50 megapixels, so that phone photos
of 12 and 48 megapixels work and a 9000 × 9000 bomb does not; no side over 12,000 pixels. Only the
loader of the format that was recognised is ever called.
"""

import struct
import zlib
from dataclasses import dataclass

import pyvips

from core.errors import Rejected

MAX_BYTES = 30 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SIDE = 12_000
MAX_RATIO = 20.0
MAX_CHUNKS = 5_000
"""Chunks of a PNG: a hundred thousand text chunks are an attack, not a picture."""
ACCEPTED = "PNG, JPEG, WebP"
"""What we tell people to send. Other formats are accepted quietly."""
PILLOW_FORMATS = frozenset({"bmp", "heic"})
"""What libvips as we install it cannot read."""
HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}
)
SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"BM": "bmp",
}
LOADERS = {
    "jpeg": ("jpegload_buffer", {}),
    "png": ("pngload_buffer", {}),
    "webp": ("webpload_buffer", {"n": 1}),
    "gif": ("gifload_buffer", {"n": 1}),
    "tiff": ("tiffload_buffer", {"n": 1}),
}

# Every picture is read once: a cache of operations would only hold memory.
pyvips.cache_set_max(0)
# The pool works on two pictures at a time; a single one needs no threads of its own.
pyvips.concurrency_set(1)
# No loader but those of the formats we accept, whatever a file pretends to be.
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

    @property
    def ratio(self) -> float:
        """Long side by short side, 1.0 or more."""
        return max(self.width, self.height) / min(self.width, self.height)


def inspect(data: bytes) -> Facts:
    """Read the header alone.

    Raises Rejected: empty, not a picture, a format we refuse, too large, damaged.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(MAX_BYTES)
    kind = kind_of(data)
    if kind == "png":
        _check_png_chunks(data)
    facts = _read_header(data, kind)
    _check_size(facts)
    return facts


def kind_of(data: bytes) -> str:
    """Recognise the format by the first bytes.

    Raises Rejected for an empty file and for anything we do not accept.
    """
    if not data:
        raise Rejected("picture.empty")
    head = data[:32]
    # An ISO container: HEIC, but also AVIF and videos, which are refused.
    if head[4:8] == b"ftyp":
        return _check_heif(head)
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    is_image = len(data) >= 12 and not _is_text(head)
    reason = "picture.format" if is_image else "picture.not_an_image"
    raise Rejected(reason, allowed=ACCEPTED)


def too_many_bytes(limit: int) -> Rejected:
    """The refusal of a file with more bytes than ``limit``."""
    return Rejected("picture.too_many_bytes", limit=limit >> 20)


def load(data: bytes, kind: str) -> "pyvips.Image":
    """Open a picture in one of libvips's formats. Raises pyvips.Error."""
    name, options = LOADERS[kind]
    loader = getattr(pyvips.Image, name)
    return loader(data, access="sequential", fail_on="truncated", **options)


def decode(data: bytes, facts: Facts) -> "pyvips.Image":
    """Open a picture in any accepted format. Raises pyvips.Error or OSError."""
    if facts.format in PILLOW_FORMATS:
        from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

        return pillow_formats.decode(data, facts.format)
    return load(data, facts.format)


def header_number(image: "pyvips.Image", name: str, default: int) -> int:
    """A number from the header, if it is there."""
    return int(image.get(name)) if image.get_typeof(name) else default


def _check_heif(head: bytes) -> str:
    if head[8:12] in HEIF_BRANDS:
        from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

        if pillow_formats.register_heif():
            return "heic"
    raise Rejected("picture.format", allowed=ACCEPTED)


def _is_text(head: bytes) -> bool:
    if head.lstrip()[:1] in {b"<", b"{", b"%"}:
        return True
    return all(9 <= byte < 127 for byte in head)


def _check_png_chunks(data: bytes) -> None:
    """Walk the chunks before the decoder does.

    A flood of them, or a header that claims another size, never reaches the decoder.
    """
    position, count = 8, 0
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        count += 1
        if count > MAX_CHUNKS:
            raise Rejected("picture.damaged")
        if kind == b"IHDR" and not _has_sound_checksum(data, position, length):
            raise Rejected("picture.damaged")
        if kind == b"IEND":
            return
        position += 12 + length
    raise Rejected("picture.damaged")


def _has_sound_checksum(data: bytes, position: int, length: int) -> bool:
    # The decoder forgives a wrong checksum, and would believe a damaged size.
    end = position + 8 + length
    checksum = zlib.crc32(data[position + 4 : end])
    return struct.pack(">I", checksum) == data[end : end + 4]


def _read_header(data: bytes, kind: str) -> Facts:
    try:
        if kind in PILLOW_FORMATS:
            from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

            return pillow_formats.read_header(data, kind)
        return _read_vips_header(data, kind)
    except (pyvips.Error, OSError, ValueError, SyntaxError):
        raise Rejected("picture.damaged") from None


def _read_vips_header(data: bytes, kind: str) -> Facts:
    image = load(data, kind)
    width, height = image.width, image.height
    if header_number(image, "orientation", 1) in {5, 6, 7, 8}:
        width, height = height, width
    frames = header_number(image, "n-pages", 1)
    # libvips sees the first frame of an animated PNG only.
    if kind == "png" and b"acTL" in data[:4096]:
        frames = 2
    return Facts(
        format=kind,
        width=width,
        height=height,
        frames=frames,
        alpha=image.hasalpha(),
    )


def _check_size(facts: Facts) -> None:
    if facts.width < 1 or facts.height < 1:
        raise Rejected("picture.damaged")
    size = f"{facts.width}×{facts.height}"
    if facts.ratio > MAX_RATIO:
        raise Rejected("picture.aspect", size=size, allowed=f"{MAX_RATIO:g}:1")
    pixels, side = facts.width * facts.height, max(facts.width, facts.height)
    if pixels > MAX_PIXELS or side > MAX_SIDE:
        megapixels = MAX_PIXELS // 1_000_000
        raise Rejected(
            "picture.too_large", size=size, limit=megapixels, side=MAX_SIDE
        )
