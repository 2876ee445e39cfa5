"""Rules of the edit tree."""

import pytest

from core import sessions
from core.errors import Rejected
from core.operations import Action
from core.options import MAX_SEED
from core.types import Head, Person, Place, Request, StepId
from tests.fakes.steps import PLACE, picture, step


def request(key: str, place: Place = PLACE) -> Request:
    return Request(
        key=key,
        place=place,
        person=Person(id="ana", name="Ana"),
        locale="en",
        action=Action.DRAW,
    )


def test_a_redelivered_event_is_the_same_step_and_another_tenants_is_not() -> (
    None
):
    other = Place(platform="test", workspace="other", channel="c")
    assert sessions.step_id(request("e1")) == sessions.step_id(request("e1"))
    assert (
        len(
            {
                sessions.step_id(one)
                for one in (request("e1"), request("e2"), request("e1", other))
            }
        )
        == 3
    )


def test_a_seed_belongs_to_its_step() -> None:
    first, second = StepId("a"), StepId("b")
    assert sessions.seed_for(first) == sessions.seed_for(first)
    assert sessions.seed_for(first) != sessions.seed_for(second)
    assert 0 <= sessions.seed_for(first) <= MAX_SEED


def test_undo_goes_to_the_parents_very_picture_and_stops_at_the_root() -> None:
    assert sessions.undo(step("two", parent="one", parent_index=1)) == Head(
        step=StepId("one"), index=1
    )
    with pytest.raises(Rejected, match="nothing_to_undo"):
        sessions.undo(step("one"))


def test_only_pictures_that_are_there_can_be_taken() -> None:
    with pytest.raises(Rejected, match="no_result"):
        sessions.picture_at(step(), 0)
    with pytest.raises(Rejected, match="no_such_picture"):
        sessions.picture_at(step(outputs=(picture(),)), 1)


def test_a_chains_instructions_are_merged_in_their_order() -> None:
    chain = [
        step(prompt="add a hat."),
        step(prompt=""),
        step(prompt="改成夜晚。"),
    ]
    assert sessions.merged_instructions(chain) == "add a hat; 改成夜晚"


def test_a_recipe_tells_what_made_the_picture_and_leaves_out_what_is_empty() -> (
    None
):
    recipe = sessions.recipe(step(parent="zero", inputs=(picture("b"),)), 1)
    assert recipe == {
        "step": "one", "action": "draw", "prompt": "a fox", "model": "qwen-image-plus",
        "seed": "1", "picture": "2",
        "parent": "zero", "parents": "b" * 64,
    }  # fmt: skip


def test_threads_and_people_have_sessions_of_their_own() -> None:
    inside = Place(platform="test", workspace="w", channel="c", thread="t")
    assert sessions.thread_session(inside) != sessions.person_session(
        inside, "t"
    )
    assert sessions.own_session(step()) == sessions.person_session(
        PLACE, "ana"
    )
