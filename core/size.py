"""The size of a picture."""

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
