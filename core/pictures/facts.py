"""What is known of a picture without decoding it, so that only the child loads libvips."""

from dataclasses import dataclass

from core.errors import Rejected
from core.size import Size

MAX_BYTES = 30 * 1024 * 1024


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class FileLimits:
    """How large a file may be: bytes, pixels, pixels of a side."""

    bytes: int
    pixels: int
    side: int


UPLOADS = FileLimits(
    bytes=MAX_BYTES,
    pixels=8192 * 6144,
    side=12_000,
)
"""What phones call 50 megapixels works, a bomb of 9000 × 9000 does not."""
RESULTS = FileLimits(
    bytes=256 << 20,
    pixels=9216 * 9216,
    side=16_384,
)
"""What the service made is paid for: three times the largest picture we send is kept, whatever its
grain."""


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
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
    def size(self) -> Size:
        """Width × height in pixels."""
        return Size(width=self.width, height=self.height)

    @property
    def ratio(self) -> float:
        """Long side by short side, 1.0 or more."""
        return max(self.width, self.height) / min(self.width, self.height)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class NormalizedImage:
    """Clean bytes.

    ``notes`` are keys of messages for the person who asked, ``original`` is the size of their file.
    """

    data: bytes
    width: int
    height: int
    media_type: str
    notes: tuple[str, ...] = ()
    original: Size | None = None


def too_many_bytes(limit: int) -> Rejected:
    """The refusal of a file with more bytes than ``limit``."""
    return Rejected("picture.too_many_bytes", limit=limit >> 20)
