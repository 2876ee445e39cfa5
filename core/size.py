"""The size of a picture, and what of it a model takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Size:
    """Width × height in pixels."""

    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    @property
    def ratio(self) -> float:
        """Width by height."""
        return self.width / self.height

    @property
    def label(self) -> str:
        """As people write it."""
        return f"{self.width}×{self.height}"

    def __str__(self) -> str:
        return f"{self.width}*{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """What a model takes.

    Sides in pixels, bytes, formats (jpeg, png, webp), longest side to shortest, alpha or not.
    """

    min_side: int = 1
    max_side: int = 4096
    max_bytes: int = 7_000_000
    formats: frozenset[str] = frozenset({"jpeg", "png", "webp"})
    max_ratio: float = 8.0
    alpha: bool = True
