"""Where the pictures of a history stand: inside the page, apart, as many as have room."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pictures import layout
from core.pictures.layout import Node, Page, lay_out
from tests.fakes.trees import SHAPES


def planted(parents: Sequence[int | None], head: int = -1) -> list[Node]:
    at = range(len(parents))[head]
    return [
        Node(
            id=f"s{number}",
            label=f"v{number + 1}",
            caption="",
            parent=None if parent is None else f"s{parent}",
            is_head=number == at,
        )
        for number, parent in enumerate(parents)
    ]


def check(page: Page, nodes: Sequence[Node]) -> None:
    """Inside, apart, each once, and joined to or named after where it comes from."""
    assert max(page.size) <= layout.PAGE
    assert page.side >= layout.SMALLEST
    rows = defaultdict(list)
    for spot in page.spots:
        rows[spot.column].append(spot.row)
    for column in map(sorted, rows.values()):
        assert all(below - above >= 1 for above, below in pairwise(column))
    shown = {spot.node.id: spot for spot in page.spots}
    assert len(shown) == len(page.spots)
    joined = {
        child.node.id: spot.node
        for spot in page.spots
        for child in spot.children
    }
    for spot in page.spots:
        above = shown.get(spot.node.parent or "")
        assert (spot.origin or joined.get(spot.node.id)) == (
            above and above.node
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [2, 3, 30, 200])
def test_two_hundred_pictures_of_any_shape_all_have_room(
    shape: str, count: int
) -> None:
    nodes = planted(SHAPES[shape](count))
    page = lay_out(nodes)
    check(page, nodes)
    assert len(page.spots) == count


@given(
    st.lists(
        st.integers(min_value=-1, max_value=200), min_size=1, max_size=200
    )
)
def test_so_have_those_of_any_other_tree(numbers: list[int]) -> None:
    parents = [
        None if parent < 0 or at == 0 else parent % at
        for at, parent in enumerate(numbers)
    ]
    nodes = planted(parents)
    check(lay_out(nodes), nodes)


def test_a_short_history_is_drawn_large_and_a_tree_is_not_torn() -> None:
    page = lay_out(planted([None, 0, 1, 1, 0]))
    assert page.side == layout.SIDE
    assert not any(spot.origin for spot in page.spots)


@pytest.mark.parametrize("shape", SHAPES)
def test_of_too_many_the_newest_stay_and_the_way_to_the_head(
    shape: str,
) -> None:
    nodes = planted(SHAPES[shape](490), head=5)
    page = lay_out(nodes)
    check(page, nodes)
    left = {spot.node.id for spot in page.spots}
    assert 200 < len(left) < 490
    way = {"s5"}
    while (
        above := nodes[
            int(min(way, key=lambda name: int(name[1:]))[1:])
        ].parent
    ) is not None:
        way.add(above)
    assert way <= left
    newest = [node.id for node in nodes if node.id not in way][
        -(len(left) - len(way)) :
    ]
    assert left == way | set(newest)
