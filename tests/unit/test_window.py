"""How many calls at once: the vendor's figure, or what refusals teach."""

from dataclasses import replace

from core.catalog import Catalog
from core.providers.dashscope import catalog_text
from core.window import AHEAD, FIRST_PATIENCE, FIRST_SIZE, MAX_SIZE, Window

MODEL = Catalog.load(catalog_text()).model("qwen-image-plus")


def unnamed() -> Window:
    return Window.of(replace(MODEL, running_limit=None))


def test_a_named_limit_is_filled_with_two_ahead() -> None:
    window = Window.of(replace(MODEL, running_limit=2))
    assert window.size == 2 + AHEAD
    for _ in range(100):
        window.accept()
    assert window.size == 2 + AHEAD


def test_an_unnamed_limit_is_felt_for_until_the_first_refusal() -> None:
    window = unnamed()
    assert window.size == FIRST_SIZE
    for _ in range(3):
        window.accept()
    assert window.size == FIRST_SIZE + 3


def test_it_never_grows_beyond_bounds() -> None:
    window = unnamed()
    for _ in range(1000):
        window.accept()
    assert window.size == MAX_SIZE


def test_a_refusal_leaves_as_many_as_were_taken_beside_it() -> None:
    window = unnamed()
    for _ in range(4):
        window.accept()
    window.refuse(running=3)
    assert window.size == 3
    window.refuse(running=0)
    assert window.size == 1


def test_a_refusal_beside_more_than_the_window_does_not_widen_it() -> None:
    window = unnamed()
    window.refuse(running=9)
    assert window.size == FIRST_SIZE


def test_after_a_refusal_one_more_is_tried_now_and_then_and_ever_more_seldom() -> (
    None
):
    window = unnamed()
    window.refuse(running=2)
    for _ in range(FIRST_PATIENCE - 1):
        window.accept()
    assert window.size == 2
    window.accept()
    assert window.size == 3
    window.refuse(running=2)
    for _ in range(2 * FIRST_PATIENCE - 1):
        window.accept()
    assert window.size == 2
    window.accept()
    assert window.size == 3


def test_what_was_named_comes_back_after_a_refusal() -> None:
    window = Window.of(replace(MODEL, running_limit=2))
    window.refuse(running=2)
    assert window.size == 2
    for _ in range(10 * FIRST_PATIENCE):
        window.accept()
    assert window.size == 2 + AHEAD
