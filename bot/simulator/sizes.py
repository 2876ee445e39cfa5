"""The sizes a model makes, and the vendor's words for one it does not."""

import math
import re
from dataclasses import dataclass

from bot.simulator.refusals import invalid

Pixels = tuple[int, int]
WRITTEN = re.compile(r"([0-9]{1,6})\*([0-9]{1,6})")
TIERS = {"1K": (1024, 1024), "2K": (2048, 2048)}

OUT_OF_SIDES = "Size {size} is out of range [{low}*{low}, {high}*{high}]"
OUT_OF_SIDES_WAN = "Either width or height should be between {low} and {high}"
OUT_OF_AREA = "Image area must be between {pixels}."
OUT_OF_AREA_3 = "Image area must be between {pixels} for t2i requests"
OUT_OF_AREA_Z = (
    "Image area must be between {low} and {high} pixels. "
    "Got area={area} (width={width}, height={height})."
)
OUT_OF_AREA_WAN = "Total pixels ({area}) must be between {low} and {high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeList:
    """A few sizes and no other."""

    sizes: tuple[str, ...]

    def parse(self, text: object) -> Pixels:
        """Width and height. Raises Refusal."""
        if text not in self.sizes:
            allowed = ",".join(self.sizes)
            raise invalid(
                f"The size does not match the allowed size {allowed}."
            )
        return pair(str(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRange:
    """``low`` to ``high``: pixels of each side, or of the area where ``by_area``.

    ``words`` refuse a size outside, ``has_tiers`` lets 1K and 2K be written.
    """

    low: int
    high: int
    words: str
    by_area: bool = True
    max_ratio: float = math.inf
    has_tiers: bool = False

    def parse(self, text: object) -> Pixels:
        """Width and height. Raises Refusal."""
        if self.has_tiers and text in TIERS:
            return TIERS[str(text)]
        if not isinstance(text, str) or not WRITTEN.fullmatch(text):
            raise invalid("Expected format: '<width>*<height>'")
        width, height = pair(text)
        if not self._holds(width, height):
            raise invalid(self._refusal(width, height))
        return width, height

    def _holds(self, width: int, height: int) -> bool:
        shorter = min(width, height)
        longer = max(width, height)
        if longer / max(shorter, 1) > self.max_ratio:
            return False
        if self.by_area:
            return self.low <= width * height <= self.high
        return self.low <= shorter and longer <= self.high

    def _refusal(self, width: int, height: int) -> str:
        low_root = round(self.low**0.5)
        high_root = round(self.high**0.5)
        from_pixels = f"{self.low} ({low_root}x{low_root})"
        to_pixels = f"{self.high} ({high_root}x{high_root})"
        return self.words.format(
            low=self.low,
            high=self.high,
            width=width,
            height=height,
            size=f"{width}*{height}",
            area=width * height,
            pixels=f"{from_pixels} and {to_pixels} pixels",
        )


def pair(text: str) -> Pixels:
    """``1024*768`` as numbers."""
    width, _, height = text.partition("*")
    return int(width), int(height)
