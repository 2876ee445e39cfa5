"""The sizes a model makes, and the legal one nearest to what a person asked for. Pure."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from core.errors import Rejected
from core.options import OPTIONS, SIDES, Options
from core.size import Size

EDIT_AREA = 1024 * 1024
"""A smaller input is brought up to this area in pixels: what the service itself would
choose."""
EXPAND_FACTOR = 1.5
"""All four sides, when a person names none."""


class SizeKind(StrEnum):
    """How a model limits its sizes: it takes none, those of a list, an area, or both sides."""

    NONE = "none"
    LIST = "list"
    AREA = "area"
    SIDES = "sides"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """The sizes a model makes. ``min`` and ``max`` in pixels of area or of a side, by ``kind``."""

    kind: SizeKind
    sizes: tuple[Size, ...] = ()
    min: int = 0
    max: int = 0
    max_ratio: float = math.inf
    default: Size | None = None
    multiple: int = 16

    @property
    def takes_size(self) -> bool:
        """Can it be asked for a size at all?"""
        return self.kind is not SizeKind.NONE

    def describe(self) -> str:
        """The rule in figures, for a refusal."""
        if self.kind is SizeKind.LIST:
            return ", ".join(str(size) for size in self.sizes)
        unit = "px" if self.kind is SizeKind.SIDES else "px²"
        return f"{self.min}–{self.max} {unit}"


def is_legal(rule: SizeRule, size: Size) -> bool:
    """Would the service take this size?"""
    if rule.kind is SizeKind.LIST:
        return size in rule.sizes
    short, long = sorted((size.width, size.height))
    if rule.kind is SizeKind.SIDES:
        return rule.min <= short and long <= rule.max
    if long / short > rule.max_ratio:
        return False
    return rule.min <= size.area <= rule.max


def target_area(rule: SizeRule, last_input: Size | None) -> float:
    """The area in pixels that a result should have."""
    if last_input is not None:
        return max(last_input.area, EDIT_AREA)
    return rule.default.area if rule.default else EDIT_AREA


def nearest_size(rule: SizeRule, ratio: float, area: float) -> Size:
    """The legal size nearest to a ratio (width / height) and an area in pixels."""
    if rule.kind is SizeKind.LIST:
        return _nearest_of_list(rule, ratio)
    if rule.kind is SizeKind.SIDES:
        return _nearest_by_sides(rule, ratio, area)
    return _nearest_by_area(rule, ratio, area)


def _nearest_of_list(rule: SizeRule, ratio: float) -> Size:
    def distance(size: Size) -> float:
        difference = math.log(size.ratio / ratio)
        return abs(difference)

    return min(rule.sizes, key=distance)


def _nearest_by_sides(rule: SizeRule, ratio: float, area: float) -> Size:
    limit = rule.max / rule.min
    ratio = _clamp(ratio, 1 / limit, limit)
    # The height, width / ratio, has to keep the limits too.
    narrowest = rule.min * max(1.0, ratio)
    widest = rule.max * min(1.0, ratio)
    width = math.sqrt(area * ratio)
    width = _clamp(width, narrowest, widest)
    height = width / ratio
    return Size(
        width=_clamp_side(width, rule),
        height=_clamp_side(height, rule),
    )


def _nearest_by_area(rule: SizeRule, ratio: float, area: float) -> Size:
    # Rounding to multiples may move the ratio by up to a twentieth: stay that far inside the limit.
    limit = rule.max_ratio * 0.95
    ratio = _clamp(ratio, 1 / limit, limit)
    area = _clamp(area, rule.min, rule.max)
    step = rule.multiple
    width = _multiple(math.sqrt(area * ratio), step)
    # Rounded sides may leave the legal area: go step by step until they are inside it.
    while True:
        height = _multiple(width / ratio, step)
        size = Size(width=width, height=height)
        if rule.min <= size.area <= rule.max:
            return size
        width += step if size.area < rule.min else -step


def _clamp(number: float, low: float, high: float) -> float:
    return min(max(number, low), high)


def _multiple(side: float, step: int) -> int:
    """The nearest multiple of the step, but not 0."""
    steps = round(side / step)
    return max(step, steps * step)


def _clamp_side(side: float, rule: SizeRule) -> int:
    rounded = _multiple(side, rule.multiple)
    return int(_clamp(rounded, rule.min, rule.max))


def expansion(options: Options, size: Size) -> Options:
    """The options with the four factors of an expansion of a picture of this size.

    As chosen, else those that reach the chosen ratio, else 1.5 all round. A factor f on both
    opposite sides makes that length f times as long. Raises Rejected where the largest factor does
    not reach the ratio.
    """
    factors: dict[str, Any] = {
        side: OPTIONS[side].value(options) for side in SIDES
    }
    if any(factors.values()):
        # A side that was not named stays where it is.
        for side in SIDES:
            factors[side] = factors[side] or 1.0
        return replace(options, **factors)
    across = up = EXPAND_FACTOR
    if options.ratio is not None:
        across, up = _factors_to_ratio(options.ratio, size)
    return replace(
        options,
        left=across,
        right=across,
        top=up,
        bottom=up,
    )


def _factors_to_ratio(
    ratio: tuple[int, int],
    size: Size,
) -> tuple[float, float]:
    width, height = ratio
    target = width / height
    across = max(target / size.ratio, 1.0)
    up = max(size.ratio / target, 1.0)
    if max(across, up) > OPTIONS["top"].high:
        raise Rejected(
            "catalog.expand_ratio",
            ratio=f"{width}:{height}",
            size=str(size),
        )
    return across, up
