"""The picture formats we accept, recognised by their first bytes and their header.

Where vendors and platforms differ we chose: at most 30 MiB and 50 megapixels, so that phone photos
of 12, 48 and 50 megapixels work and a 9000 × 9000 bomb does not; no side over 12,000 pixels. Only
the loader of the format that was recognised is ever called.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Rejected
from core.pictures.facts import UPLOADS, Facts, FileLimits, too_many_bytes
from core.pictures.libvips import pyvips

MAX_RATIO = 20.0
MAX_BANDS = 4
"""A picture of a thousand bands is no photograph: each takes as much memory as a grey picture."""
MAX_CHUNKS = 5_000
"""Chunks of a PNG: a hundred thousand text chunks are an attack, not a picture."""
ACCEPTED = "PNG, JPEG, WebP"
"""What we tell people to send. Other formats are accepted quietly."""
PILLOW_FORMATS = frozenset({"bmp", "heic"})
"""What libvips as we install it cannot read."""
HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
MAX_BRANDS_END = 256
"""Bytes of a container that are searched for its brands."""
AV1_BRANDS = frozenset({b"avif", b"avis"})
GENERAL_BRANDS = frozenset({b"mif1", b"msf1"})
"""Of any codec: the other brands say which."""
SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"BM": "bmp",
}
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations of EXIF that swap width and height."""
COLOUR_SPACES = frozenset({"lab", "labs", "scrgb"})
"""Those that define their own white, for every type of sample."""
LOADERS = {
    "jpeg": ("jpegload_buffer", {}),
    "png": ("pngload_buffer", {}),
    "webp": ("webpload_buffer", {"n": 1}),
    "gif": ("gifload_buffer", {"n": 1}),
    "tiff": ("tiffload_buffer", {"n": 1}),
    "avif": ("heifload_buffer", {"n": 1}),
}
DECODER_ERRORS = (
    pyvips.Error,
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    EOFError,
)
"""What libvips and Pillow's plugins raise for a file they cannot read."""
OUT_OF_MEMORY = ("out of memory", "insufficient memory")
"""How decoders say it; they have no code for it."""


def inspect(data: bytes, limits: FileLimits = UPLOADS) -> Facts:
    """Read the header alone.

    Raises Rejected: empty, not a picture, a format we refuse, too large, damaged.
    """
    if len(data) > limits.bytes:
        raise too_many_bytes(limits.bytes)
    facts = _read_header(data, kind_of(data))
    _check_size(facts, limits)
    return facts


def measure(data: bytes) -> Facts:
    """Read the header of a picture of any size, of which this may be the beginning.

    Raises Rejected when it has none.
    """
    kind = kind_of(data)
    with refusing_damage():
        loader = getattr(pyvips.Image, LOADERS[kind][0])
        image = loader(data, access="sequential")
    return Facts(
        format=kind,
        width=image.width,
        height=image.height,
        alpha=image.hasalpha(),
    )


def kind_of(data: bytes) -> str:
    """Recognise the format by the first bytes.

    Raises Rejected for an empty file and for anything we do not accept.
    """
    if not data:
        raise Rejected("picture.empty")
    head = data[:32]
    if head[4:8] == b"ftyp":
        return _kind_of_container(data)
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    is_image = len(data) >= 12 and not _is_text(head)
    reason = "picture.format" if is_image else "picture.not_an_image"
    raise Rejected(reason, allowed=ACCEPTED)


def load(data: bytes, kind: str) -> "pyvips.Image":
    """Open a picture in one of libvips's formats. Raises pyvips.Error."""
    name, options = LOADERS[kind]
    loader = getattr(pyvips.Image, name)
    # "truncated" is not enough: a TIFF in a compression that is not built in would be black.
    return loader(
        data,
        access="sequential",
        fail_on="error",
        **options,
    )


def decode(data: bytes, facts: Facts) -> "pyvips.Image":
    """Open a picture in any accepted format. Raises pyvips.Error or OSError."""
    if facts.format in PILLOW_FORMATS:
        from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

        return pillow_formats.decode(data, facts.format)
    return load(data, facts.format)


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Turn every error of a decoder into Rejected: damaged, or too much for our memory."""
    try:
        yield
    except DECODER_ERRORS as error:
        text = str(error).lower()
        if any(words in text for words in OUT_OF_MEMORY):
            raise Rejected("picture.too_heavy") from None
        raise Rejected("picture.damaged") from None


def header_number(image: "pyvips.Image", name: str) -> int:
    """A number from the header, 1 where it is not there."""
    return int(image.get(name)) if image.get_typeof(name) else 1


def _kind_of_container(data: bytes) -> str:
    """Tell HEIC from AVIF by the brands of an ISO container; refuse videos."""
    brands = _brands(data)
    if brands & AV1_BRANDS and not brands & HEVC_BRANDS:
        return "avif"
    if brands & (HEVC_BRANDS | GENERAL_BRANDS):
        from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

        if pillow_formats.register_heif():
            return "heic"
    raise Rejected("picture.format", allowed=ACCEPTED)


def _brands(data: bytes) -> set[bytes]:
    """The major brand and the compatible ones, which follow the version."""
    length = int.from_bytes(data[:4])
    head = data[: min(length, MAX_BRANDS_END)]
    brands = {head[8:12]}
    for start in range(
        16,
        len(head),
        4,
    ):
        brands.add(head[start : start + 4])
    return brands


def _is_text(head: bytes) -> bool:
    if head.lstrip()[:1] in {b"<", b"{", b"%"}:
        return True
    return all(9 <= byte < 127 for byte in head)


def _png_chunks(data: bytes) -> list[bytes]:
    """The kinds of all chunks, read before the decoder sees them.

    A flood of them, or a header that claims another size, never reaches the decoder.
    """
    kinds: list[bytes] = []
    position = 8
    while position + 8 <= len(data) and len(kinds) < MAX_CHUNKS:
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind == b"IHDR" and not _has_sound_checksum(
            data,
            position,
            length,
        ):
            break
        kinds.append(kind)
        if kind == b"IEND":
            return kinds
        position += 12 + length
    raise Rejected("picture.damaged")


def _has_sound_checksum(
    data: bytes,
    position: int,
    length: int,
) -> bool:
    # The decoder forgives a wrong checksum, and would believe a damaged size.
    start = position + 4
    end = start + 4 + length
    checksum = zlib.crc32(data[start:end])
    written = data[end : end + 4]
    return written == checksum.to_bytes(4)


def _read_header(data: bytes, kind: str) -> Facts:
    with refusing_damage():
        if kind in PILLOW_FORMATS:
            from core.pictures import pillow_formats  # noqa: PLC0415  # slow to load

            return pillow_formats.read_header(data, kind)
        return _read_vips_header(data, kind)


def _read_vips_header(data: bytes, kind: str) -> Facts:
    moves = _has_uncounted_frames(data, kind)
    image = load(data, kind)
    if image.bands > MAX_BANDS or not _has_known_white(image):
        raise Rejected("picture.format", allowed=ACCEPTED)
    width, height = image.width, image.height
    if header_number(image, "orientation") in SIDEWAYS:
        width, height = height, width
    frames = header_number(image, "n-pages")
    return Facts(
        format=kind,
        width=width,
        height=height,
        frames=2 if moves else frames,
        alpha=image.hasalpha(),
    )


def _has_uncounted_frames(data: bytes, kind: str) -> bool:
    """Has it more frames than libvips counts? It sees one of an animated PNG or AVIF."""
    if kind == "png":
        return b"acTL" in _png_chunks(data)
    return kind == "avif" and b"avis" in _brands(data)


def _has_known_white(image: "pyvips.Image") -> bool:
    """False for measurements: nothing says which of their values is white."""
    return (
        image.format in {"uchar", "ushort"}
        or image.interpretation in COLOUR_SPACES
    )


def _check_size(facts: Facts, limits: FileLimits) -> None:
    if facts.width < 1 or facts.height < 1:
        raise Rejected("picture.damaged")
    size = facts.size.label
    if facts.ratio > MAX_RATIO:
        raise Rejected(
            "picture.aspect",
            size=size,
            allowed=f"{MAX_RATIO:g}:1",
        )
    pixels, side = facts.width * facts.height, max(facts.width, facts.height)
    if pixels > limits.pixels or side > limits.side:
        megapixels = limits.pixels // 1_000_000
        raise Rejected(
            "picture.too_large",
            size=size,
            limit=megapixels,
            side=limits.side,
        )
