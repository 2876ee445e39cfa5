"""A sequence in batches of limited size."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in order, at most ``size`` at a time."""
    for start in range(0, len(items), size):
        end = start + size
        yield items[start:end]
