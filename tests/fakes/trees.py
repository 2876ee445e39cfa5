"""Shapes a history can have: for each picture, the number of the one it was made from."""

from collections.abc import Callable, Sequence

Parents = Sequence[int | None]


def chain(count: int) -> Parents:
    """Each made from the one before."""
    return [None, *range(count - 1)]


def siblings(count: int) -> Parents:
    """All made from the first."""
    return [None] + [0] * (count - 1)


def drawings(count: int) -> Parents:
    """None made from another."""
    return [None] * count


def deep_and_wide(count: int) -> Parents:
    """Half of them a chain, the others made from its first."""
    deep = count // 2
    return [*chain(deep), *[0] * (count - deep)]


def branchy(count: int) -> Parents:
    """Two made from each."""
    return [None, *((at - 1) // 2 for at in range(1, count))]


SHAPES: dict[str, Callable[[int], Parents]] = {
    shape.__name__: shape
    for shape in (chain, siblings, drawings, deep_and_wide, branchy)
}
