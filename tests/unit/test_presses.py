"""Two quick presses of a button that costs money are one."""

from dataclasses import replace

import pytest

from core.button_ids import encode_button
from core.incoming import Incoming, Kind
from core.operations import ButtonKind
from core.presses import RecentPresses
from core.types import Person, Place


def press(kind: ButtonKind, key: str, person: str = "U1") -> Incoming:
    return Incoming(
        key=key,
        kind=Kind.BUTTON,
        place=Place(platform="slack", workspace="T1", channel="C1"),
        person=Person(id=person, name=person),
        button=encode_button(kind, "abcdefghij"),
    )


def test_a_double_press_is_one_job_and_a_delivery_may_come_again() -> None:
    presses = RecentPresses()
    first = press(ButtonKind.AGAIN, "press:1")
    assert not presses.is_double(first)
    assert not presses.is_double(first)
    assert presses.is_double(press(ButtonKind.AGAIN, "press:2"))
    assert not presses.is_double(press(ButtonKind.AGAIN, "press:3", "U2"))
    elsewhere = replace(first.place, workspace="T2")
    assert not presses.is_double(replace(first, key="4", place=elsewhere))


def test_a_press_that_was_not_taken_may_be_tried_again_at_once() -> None:
    presses = RecentPresses()
    first = press(ButtonKind.AGAIN, "press:1")
    assert not presses.is_double(first)
    presses.forget(first)
    assert not presses.is_double(press(ButtonKind.AGAIN, "press:2"))


@pytest.mark.parametrize("kind", [ButtonKind.UNDO, ButtonKind.PICK])
def test_what_costs_nothing_may_be_pressed_as_fast_as_one_can(
    kind: ButtonKind,
) -> None:
    presses = RecentPresses()
    assert not presses.is_double(press(kind, "press:1"))
    assert not presses.is_double(press(kind, "press:2"))
