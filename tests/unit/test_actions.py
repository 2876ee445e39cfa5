"""Button ids say all and last for ever; reactions are understood with skin tones and aliases."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.button_ids import LONGEST_ID, decode_button, encode_button
from core.emoji import Reaction, action_of, reaction
from core.errors import Rejected
from core.operations import OPERATIONS, Action, ButtonKind
from core.options import MOST_PICTURES


@given(
    st.sampled_from(list(ButtonKind)),
    st.from_regex(r"[a-z2-7]{10}", fullmatch=True),
    st.integers(0, 5),
)
def test_a_button_says_what_it_does_and_to_which_picture(
    kind: ButtonKind, step: str, index: int
) -> None:
    text = encode_button(kind, step, index)
    assert len(text) <= LONGEST_ID
    assert decode_button(text) == (kind, step, index)


odd_ids = st.from_regex(
    r"e[12]:[a-z]{0,6}:[a-z2-7]{0,45}:[0-9٣]{0,3}\n?", fullmatch=True
)


@given(st.text(max_size=200) | odd_ids)
def test_a_button_we_never_made_is_refused_and_nothing_else_happens(
    text: str,
) -> None:
    with suppress(Rejected):
        assert encode_button(*decode_button(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e1",
        "e2:edit:abc:0",
        "e1:edit:abc:10",
        "e1:edit::0",
        "e1:edit:abc:٣",
        "x" * 10**6,
    ],
)
def test_odd_button_ids_are_refused_by_name(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode_button(text)
    assert caught.value.key == "button.unknown"


def test_a_button_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Rejected):
        decode_button("e1:explode:abcdef:0")


@pytest.mark.parametrize(
    ("emoji", "meaning"),
    [
        ("🔁", Reaction(action=Action.AGAIN)),
        (":repeat:", Reaction(action=Action.AGAIN)),
        ("⬆️", Reaction(action=Action.UPSCALE)),
        ("↩️", Reaction(action=Action.UNDO)),
        ("1️⃣", Reaction(action=Action.VOTE, index=0)),
        ("six", Reaction(action=Action.VOTE, index=5)),
        ("❤️", Reaction(action=Action.FAVOURITE, index=1)),
        ("star::skin-tone-3", Reaction(action=Action.FAVOURITE, index=0)),
        ("♥️", Reaction(action=Action.FAVOURITE, index=1)),
        ("email", Reaction(action=Action.SEND_ME)),
        ("✔️", Reaction(action=Action.CHOOSE)),
        ("", None),
        ("🗑️", Reaction(action=Action.REMOVE)),
        ("ℹ️", Reaction(action=Action.INFO)),
        ("👍🏽", None),
        ("7️⃣", None),
    ],
)
def test_reactions_mean_the_same_in_every_spelling(
    emoji: str, meaning: Reaction | None
) -> None:
    assert reaction(emoji) == meaning


def test_every_picture_of_a_request_can_be_voted_for() -> None:
    vote = OPERATIONS[Action.VOTE].reaction
    assert vote is not None
    assert len(vote.emoji) == MOST_PICTURES


def test_a_reaction_taken_back_asks_for_what_the_table_says() -> None:
    assert action_of(Reaction(action=Action.VOTE), added=True) is Action.VOTE
    assert (
        action_of(Reaction(action=Action.VOTE), added=False) is Action.UNVOTE
    )
    assert action_of(Reaction(action=Action.AGAIN), added=False) is None


def test_a_workspace_may_have_reactions_of_its_own() -> None:
    assert reaction("👍", {"👍": "favourite"}) == Reaction(
        action=Action.FAVOURITE, index=0
    )
    assert reaction("👍🏽", {"👍🏿": "again"}) == Reaction(action=Action.AGAIN)
    assert reaction("arrow_up", {"⬆️": "undo"}) == Reaction(action=Action.UNDO)


def test_a_workspace_may_switch_a_reaction_off_and_its_mistakes_break_nothing() -> (
    None
):
    assert reaction("🗑️", {"wastebasket": "none"}) is None
    assert reaction("🔁", {"🔁": "explode"}) is None


@given(
    st.text(max_size=40),
    st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3),
)
def test_no_reaction_whatever_raises(
    emoji: str, custom: dict[str, str]
) -> None:
    reaction(emoji, custom)
