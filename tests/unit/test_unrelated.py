"""Names that show no step: bounded, and forgotten the moment one may be shown there."""

from core.storage.unrelated import MOST_NAMES, UnrelatedMessages

NAME = ("slack:T1", "C1", "1.0", "")


def test_what_becomes_related_is_forgotten() -> None:
    unrelated = UnrelatedMessages(is_alone=True)
    unrelated.add(NAME, unrelated.changes)
    assert NAME in unrelated
    unrelated.discard(NAME)
    assert NAME not in unrelated


def test_a_look_from_before_a_change_is_worth_nothing() -> None:
    unrelated = UnrelatedMessages(is_alone=True)
    before = unrelated.changes
    unrelated.discard()
    unrelated.add(NAME, before)
    assert NAME not in unrelated


def test_where_others_write_too_nothing_is_remembered() -> None:
    unrelated = UnrelatedMessages(is_alone=False)
    unrelated.add(NAME, unrelated.changes)
    assert NAME not in unrelated


def test_it_grows_no_further_than_it_may() -> None:
    unrelated = UnrelatedMessages(is_alone=True)
    for number in range(MOST_NAMES + 5):
        unrelated.add(("slack:T1", "C1", str(number), ""), unrelated.changes)
    assert len(unrelated) == MOST_NAMES
    assert ("slack:T1", "C1", "4", "") not in unrelated
    assert ("slack:T1", "C1", str(MOST_NAMES + 4), "") in unrelated


def test_a_workspace_is_posting_only_once_it_is_noted() -> None:
    unrelated = UnrelatedMessages(is_alone=False)
    assert not unrelated.is_posting("slack:T1")
    unrelated.note_post("slack:T1")
    assert unrelated.is_posting("slack:T1")
    assert not unrelated.is_posting("slack:T2")
