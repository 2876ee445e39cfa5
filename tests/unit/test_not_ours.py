"""What is known not to be ours: bounded, and forgotten the moment it may be ours."""

from core.storage.not_ours import MOST, NotOurs

NAME = ("slack:T1", "C1", "1.0", "")


def test_what_becomes_ours_is_forgotten() -> None:
    known = NotOurs(is_alone=True)
    known.add(NAME, known.changes)
    assert NAME in known
    known.discard(NAME)
    assert NAME not in known


def test_a_look_from_before_a_change_is_worth_nothing() -> None:
    known = NotOurs(is_alone=True)
    before = known.changes
    known.discard()
    known.add(NAME, before)
    assert NAME not in known


def test_where_others_write_too_nothing_is_known() -> None:
    known = NotOurs(is_alone=False)
    known.add(NAME, known.changes)
    assert NAME not in known


def test_it_grows_no_further_than_it_may() -> None:
    known = NotOurs(is_alone=True)
    for at in range(MOST + 5):
        known.add(("slack:T1", "C1", str(at), ""), known.changes)
    assert len(known) == MOST
    assert ("slack:T1", "C1", "4", "") not in known
    assert ("slack:T1", "C1", str(MOST + 4), "") in known
