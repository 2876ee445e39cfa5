"""Points, boxes and smooth lines in the plane."""

import random
from collections.abc import Sequence

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
STEPS = 6
"""Straight pieces of a curve between two of its points."""


def random_spot(size: tuple[int, int], luck: random.Random) -> Point:
    """A point of a picture of this size."""
    width, height = size
    across = luck.randrange(max(1, width))
    down = luck.randrange(max(1, height))
    return across, down


def box_around(
    middle: Point,
    width: float,
    height: float,
) -> Box:
    """The box with its middle there; half of the width lies on either side."""
    across, down = middle
    left = across - width / 2
    top = down - height / 2
    return left, top, left + width, top + height


def disc(middle: Point, radius: float) -> Box:
    """The box around a circle."""
    return box_around(
        middle,
        2 * radius,
        2 * radius,
    )


def smooth(points: Sequence[Point]) -> list[Point]:
    """A Catmull-Rom curve from the second point to the last but one."""
    path = [points[1]]
    last = len(points) - 2
    for start in range(1, last):
        around = points[start - 1 : start + 3]
        for step in range(1, STEPS + 1):
            share = step / STEPS
            path.append(_between(around, share))
    return path


def _between(around: Sequence[Point], share: float) -> Point:
    """The point of the curve between the middle two of four points."""
    weights = _weights(share)
    across = 0.0
    down = 0.0
    for point, weight in zip(around, weights, strict=True):
        across += weight * point[0]
        down += weight * point[1]
    return across, down


def _weights(share: float) -> tuple[float, float, float, float]:
    square = share * share
    cube = square * share
    before = square - (cube + share) / 2
    start = 1 + 1.5 * cube - 2.5 * square
    end = 2 * square + share / 2 - 1.5 * cube
    after = (cube - square) / 2
    return before, start, end, after
