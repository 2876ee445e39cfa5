"""Button ids say all and last for ever; reactions are understood with skin tones and aliases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import LONGEST_ID, Reaction, ReactionKind, decode, encode, reaction
from core.errors import Rejected
from core.types import ButtonKind


@given(st.sampled_from(list(ButtonKind)), st.from_regex(r"[a-z2-7]{10}", fullmatch=True), st.integers(0, 5))
def test_a_button_says_what_it_does_and_to_which_picture(kind: ButtonKind, step: str, index: int) -> None:
    text = encode(kind, step, index)
    assert len(text) <= LONGEST_ID
    assert decode(text) == (kind, step, index)


@given(st.text(max_size=200))
def test_a_button_we_never_made_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(Rejected):
        decode(text)


def test_a_button_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Rejected):
        decode("e1:explode:abcdef:0")


@pytest.mark.parametrize(
    ("emoji", "meaning"),
    [
        ("🔁", Reaction(kind=ReactionKind.AGAIN)),
        (":repeat:", Reaction(kind=ReactionKind.AGAIN)),
        ("⬆️", Reaction(kind=ReactionKind.UPSCALE)),
        ("↩️", Reaction(kind=ReactionKind.UNDO)),
        ("1️⃣", Reaction(kind=ReactionKind.VOTE, index=0)),
        ("six", Reaction(kind=ReactionKind.VOTE, index=5)),
        ("❤️", Reaction(kind=ReactionKind.FAVOURITE)),
        ("star::skin-tone-3", Reaction(kind=ReactionKind.FAVOURITE)),
        ("🗑️", Reaction(kind=ReactionKind.REMOVE)),
        ("ℹ️", Reaction(kind=ReactionKind.INFO)),
        ("👍🏽", None),
        ("7️⃣", None),
    ],
)
def test_reactions_mean_the_same_in_every_spelling(emoji: str, meaning: Reaction | None) -> None:
    assert reaction(emoji) == meaning


def test_a_workspace_may_have_reactions_of_its_own() -> None:
    assert reaction("👍", {"👍": "favourite"}) == Reaction(kind=ReactionKind.FAVOURITE)
