"""Where the pictures of a history stand on one page: decided before anything is drawn. Values only.

A tree grows from left to right. What is too wide or too high for the page goes on at another
place of it, and says what it comes from. When the pictures would become too small to be
recognised, the oldest are left out.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE = 2048
"""Most pixels of a side of the page."""
SIDE, READABLE, SMALLEST = 176, 96, 64
"""Pixels of a picture's side: at most; with words that are still read; when just recognised."""
GAP, LINES, MARGIN = 40, 62, 40
"""Pixels between two of the largest pictures, below one for its words, and around everything."""
LOW = 3
"""Rows of a part of the tree, where whole trees do not fit."""


def _columns(side: int) -> int:
    """How many pictures of that side stand in a row."""
    return (PAGE - 2 * MARGIN) * SIDE // ((SIDE + GAP) * side)


FEWEST, WHOLE, MOST = _columns(SIDE), _columns(READABLE), _columns(SMALLEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A picture of the history. ``parent`` is the id of the one it was made from."""

    id: str
    label: str
    caption: str
    parent: str | None
    is_head: bool = False


@dataclass(slots=True)
class Spot:
    """A node's place: column and row of the page. ``children`` are joined to it.

    ``origin`` is the node it comes from when that stands elsewhere; ``goes_on`` when a child does.
    """

    node: Node
    column: int = 0
    row: float = 0.0
    children: list["Spot"] = field(default_factory=list)
    origin: Node | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Every spot, and the pixels of a picture's side, between pictures and below them."""

    spots: tuple[Spot, ...]
    side: int
    gap: int
    lines: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        columns = [spot.column for spot in self.spots]
        rows = [spot.row for spot in self.spots]
        right, bottom = self.corner(column=max(columns), row=max(rows))
        return right + self.side + MARGIN, bottom + self.side + self.lines + MARGIN

    def corner(self, *, column: int, row: float) -> tuple[int, int]:
        """The upper left pixel of the picture at a place."""
        left = column * (self.side + self.gap)
        top = round(row * (self.side + self.lines))
        return MARGIN + left, MARGIN + top


def lay_out(nodes: Sequence[Node]) -> Page:
    """The page with the largest pictures that holds all; else the newest, as small as can be.

    As long as the words can be read, trees are not cut lower than the page is high.
    """
    high = [(columns, PAGE) for columns in range(FEWEST, WHOLE + 1)]
    low = [(columns, LOW) for columns in range(FEWEST, MOST + 1)]
    for columns, highest in high + low:
        if page := _page(nodes, columns, highest):
            return page
    while (page := _page(nodes, MOST, LOW)) is None:
        nodes = _without_oldest(nodes)
    return page


def _page(nodes: Sequence[Node], columns: int, highest: int) -> Page | None:
    """The nodes on a page of so many columns, in blocks of at most so many rows, if they fit."""
    scale = min(1.0, (PAGE - 2 * MARGIN) / (columns * (SIDE + GAP)))
    side, gap = int(SIDE * scale), int(GAP * scale)
    # Letters do not shrink as far as pictures.
    lines = int(LINES * (1 + 2 * scale) / 3)
    rows = (PAGE - 2 * MARGIN) // (side + lines)
    spots = _folded(nodes, columns, rows, min(rows, highest))
    return None if spots is None else Page(spots=spots, side=side, gap=gap, lines=lines)


def _without_oldest(nodes: Sequence[Node]) -> Sequence[Node]:
    """One fewer; the head and what led to it go last."""
    way = _way_to_head(nodes)
    oldest = next((node for node in nodes if node.id not in way), nodes[0])
    return [node for node in nodes if node is not oldest]


def _way_to_head(nodes: Sequence[Node]) -> set[str]:
    known = {node.id: node for node in nodes}
    node = next((node for node in nodes if node.is_head), None)
    way: set[str] = set()
    while node is not None:
        way.add(node.id)
        node = known.get(node.parent or "")
    return way


def _folded(
    nodes: Sequence[Node],
    columns: int,
    rows: int,
    highest: int,
) -> tuple[Spot, ...] | None:
    """Block by block, each where the page is filled least. None when it is full."""
    blocks = deque(_planted(nodes))
    filled = [0] * columns
    spots: list[Spot] = []
    while blocks:
        block = _Block(blocks.popleft(), columns, highest)
        starts = range(columns - block.width + 1)
        column = min(starts, key=lambda start: max(filled[start : start + block.width]))
        row = max(filled[column : column + block.width])
        if row + block.height > rows:
            return None
        for at, depth in enumerate(block.depths):
            filled[column + at] = row + depth
        block.move(column, row)
        spots += block.spots
        blocks.extendleft(reversed(block.left_out))
    return tuple(spots)


def _planted(nodes: Sequence[Node]) -> list[Spot]:
    """The roots, everything else below them."""
    known = {node.id: Spot(node) for node in nodes}
    roots: list[Spot] = []
    for spot in known.values():
        parent = known.get(spot.node.parent or "")
        (parent.children if parent else roots).append(spot)
    return roots


class _Block:
    """As much of a tree as so many columns and rows hold.

    ``left_out`` are the roots of the blocks to come.
    """

    def __init__(self, root: Spot, columns: int, rows: int) -> None:
        self._columns = columns
        self._rows = rows
        self.spots: list[Spot] = []
        self.left_out: list[Spot] = []
        self.height = self._grow(root, 0, 0)
        self.width = max(spot.column for spot in self.spots) + 1

    @property
    def depths(self) -> list[int]:
        """Rows it takes from each of its columns on: below a long row at its top is room."""
        lowest = [0] * self.width
        for spot in self.spots:
            lowest[spot.column] = max(lowest[spot.column], math.ceil(spot.row) + 1)
        return [max(lowest[column:]) for column in range(self.width)]

    def move(self, columns: int, rows: int) -> None:
        """To its place on the page."""
        for spot in self.spots:
            spot.column += columns
            spot.row += rows

    def _grow(self, spot: Spot, column: int, row: int) -> int:
        """Give the spot and all below it a place from ``row`` down; the next free row."""
        spot.column = column
        self.spots.append(spot)
        beside: list[Spot] = []
        free = row
        for child in spot.children:
            if column + 1 < self._columns and free < self._rows:
                free = self._grow(child, column + 1, free)
                beside.append(child)
            else:
                child.origin = spot.node
                self.left_out.append(child)
        spot.goes_on = len(beside) < len(spot.children)
        spot.children = beside
        spot.row = (beside[0].row + beside[-1].row) / 2 if beside else row
        return max(free, row + 1)
