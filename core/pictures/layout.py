"""Where the pictures of a history stand on one page, decided before anything is drawn. No I/O.

A tree grows from left to right. A branch that is too wide or too high for the page continues
elsewhere on it, and says where it comes from. When the pictures would become too small to be
recognised, the oldest are left out.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE = 2048
"""Most pixels of a side of the page."""
SIDE, READABLE, SMALLEST = 176, 96, 64
"""Pixels of a picture's side: at most; with a caption one can read; when just recognised."""
GAP, LINES, MARGIN = 40, 62, 40
"""Pixels between two of the largest pictures, below one for its caption, and around everything."""
LOW = 3
"""Rows of one block of a tree, where whole trees do not fit."""


def _columns_of(side: int) -> int:
    """How many pictures with that side fit into a row."""
    return (PAGE - 2 * MARGIN) * SIDE // ((SIDE + GAP) * side)


FEWEST, WHOLE, MOST = (
    _columns_of(SIDE),
    _columns_of(READABLE),
    _columns_of(SMALLEST),
)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class Node:
    """A picture of the history. ``parent`` is the id of the one it was made from."""

    id: str
    label: str
    caption: str
    parent: str | None
    is_head: bool = False


@dataclass(slots=True)
class Spot:
    """A node's place: column and row of the page. Lines join it to its ``children``.

    ``origin`` is its parent when that stands elsewhere; ``continues``: a child stands elsewhere.
    """

    node: Node
    column: int = 0
    row: float = 0.0
    children: list["Spot"] = field(default_factory=list)
    origin: Node | None = None
    continues: bool = False


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class Page:
    """Every spot; ``side``, ``gap`` and ``lines`` (below a picture, for its caption) in pixels."""

    spots: tuple[Spot, ...]
    side: int
    gap: int
    lines: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        last_column = max(spot.column for spot in self.spots)
        last_row = max(spot.row for spot in self.spots)
        left, top = self.corner(column=last_column, row=last_row)
        right = left + self.side
        bottom = top + self.side + self.lines
        return right + MARGIN, bottom + MARGIN

    def corner(
        self,
        *,
        column: int,
        row: float,
    ) -> tuple[int, int]:
        """The upper left pixel of the picture there."""
        column_width = self.side + self.gap
        row_height = self.side + self.lines
        left = MARGIN + column * column_width
        top = MARGIN + round(row * row_height)
        return left, top


def lay_out(nodes: Sequence[Node]) -> Page:
    """Find the page that holds all nodes with the largest pictures.

    If none holds them all, the newest on the page with the smallest pictures.
    """
    # Cutting a tree into low blocks makes it hard to follow: only when captions would be lost.
    whole_trees = [(columns, PAGE) for columns in range(FEWEST, WHOLE + 1)]
    low_blocks = [(columns, LOW) for columns in range(FEWEST, MOST + 1)]
    for columns, max_rows in whole_trees + low_blocks:
        if page := _try_page(
            nodes,
            columns,
            max_rows,
        ):
            return page
    while (
        page := _try_page(
            nodes,
            MOST,
            LOW,
        )
    ) is None:
        nodes = _drop_oldest(nodes)
    return page


def _try_page(
    nodes: Sequence[Node],
    columns: int,
    max_rows: int,
) -> Page | None:
    """Place the nodes in so many columns, in blocks of at most ``max_rows``, if they fit."""
    scale = min(1.0, (PAGE - 2 * MARGIN) / (columns * (SIDE + GAP)))
    side, gap = int(SIDE * scale), int(GAP * scale)
    # Letters do not shrink as far as pictures.
    lines = int(LINES * (1 + 2 * scale) / 3)
    rows = (PAGE - 2 * MARGIN) // (side + lines)
    spots = _place_blocks(
        nodes,
        columns,
        rows,
        min(rows, max_rows),
    )
    return (
        None
        if spots is None
        else Page(
            spots=spots,
            side=side,
            gap=gap,
            lines=lines,
        )
    )


def _drop_oldest(nodes: Sequence[Node]) -> Sequence[Node]:
    """One node fewer. The head and its ancestors are dropped last."""
    ancestry = _ids_up_from_head(nodes)
    oldest = next(
        (node for node in nodes if node.id not in ancestry), nodes[0]
    )
    return [node for node in nodes if node is not oldest]


def _ids_up_from_head(nodes: Sequence[Node]) -> set[str]:
    nodes_by_id = {node.id: node for node in nodes}
    node = next((node for node in nodes if node.is_head), None)
    ids: set[str] = set()
    while node is not None:
        ids.add(node.id)
        node = nodes_by_id.get(node.parent or "")
    return ids


def _place_blocks(
    nodes: Sequence[Node],
    columns: int,
    rows: int,
    max_rows: int,
) -> tuple[Spot, ...] | None:
    """Block by block, each where the page is filled least. None when it is full."""
    roots = deque(_plant_trees(nodes))
    filled = [0] * columns
    spots: list[Spot] = []
    while roots:
        block = _Block(
            roots.popleft(),
            columns,
            max_rows,
        )
        starts = range(columns - block.width + 1)
        column = min(
            starts, key=lambda start: max(filled[start : start + block.width])
        )
        row = max(filled[column : column + block.width])
        if row + block.height > rows:
            return None
        for offset, depth in enumerate(block.depths):
            filled[column + offset] = row + depth
        block.move(column, row)
        spots += block.spots
        roots.extendleft(reversed(block.left_out))
    return tuple(spots)


def _plant_trees(nodes: Sequence[Node]) -> list[Spot]:
    """The roots, with everything else below them."""
    spots = {node.id: Spot(node) for node in nodes}
    roots: list[Spot] = []
    for spot in spots.values():
        parent = spots.get(spot.node.parent or "")
        siblings = parent.children if parent else roots
        siblings.append(spot)
    return roots


class _Block:
    """As much of a tree as so many columns and rows hold.

    ``left_out`` are the roots of the blocks that follow.
    """

    def __init__(
        self,
        root: Spot,
        columns: int,
        rows: int,
    ) -> None:
        self._columns = columns
        self._rows = rows
        self.spots: list[Spot] = []
        self.left_out: list[Spot] = []
        self.height = self._grow(
            root,
            0,
            0,
        )
        self.width = max(spot.column for spot in self.spots) + 1

    @property
    def depths(self) -> list[int]:
        """Rows filled from each of its columns rightwards: there is room below a long top row."""
        lowest = [0] * self.width
        for spot in self.spots:
            lowest[spot.column] = max(
                lowest[spot.column], math.ceil(spot.row) + 1
            )
        return [max(lowest[column:]) for column in range(self.width)]

    def move(
        self,
        columns: int,
        rows: int,
    ) -> None:
        """Move it to its place on the page."""
        for spot in self.spots:
            spot.column += columns
            spot.row += rows

    def _grow(
        self,
        spot: Spot,
        column: int,
        row: int,
    ) -> int:
        """Place the spot and all below it from ``row`` down. Return the next free row."""
        spot.column = column
        self.spots.append(spot)
        beside: list[Spot] = []
        free = row
        for child in spot.children:
            if column + 1 < self._columns and free < self._rows:
                free = self._grow(
                    child,
                    column + 1,
                    free,
                )
                beside.append(child)
            else:
                child.origin = spot.node
                self.left_out.append(child)
        spot.continues = len(beside) < len(spot.children)
        spot.children = beside
        # A parent stands beside the middle of its children.
        spot.row = row
        if beside:
            spot.row = (beside[0].row + beside[-1].row) / 2
        return max(free, row + 1)
