"""Reactions, drafts and deletions, on SQLite and PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps
from core.errors import NotFound
from core.post import Tally
from core.storage.drafts import DraftStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.types import CountedReaction, Head, StepId, StepState
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant


@pytest.fixture
def reactions(engine: AsyncEngine) -> ReactionStore:
    return ReactionStore(engine)


@pytest.fixture
def drafts(engine: AsyncEngine) -> DraftStore:
    return DraftStore(engine)


async def make_step(
    store: Store, name: str, letters: str, **changes: object
) -> None:
    """A step brought to its end with a picture for each letter."""
    begun = await store.begin(step(name, **changes), Caps(), NOW)
    await store.intend(TENANT, name, NOW)
    await store.record_task(TENANT, name, "t", "r", None, NOW)
    await store.record_results(
        begun, [picture(letter) for letter in letters], yuan("0.2"), 1.0, NOW
    )
    await store.finish(TENANT, name)


async def test_a_reaction_counts_once_a_person_and_can_be_taken_back(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "ab")
    await asyncio.gather(
        *(
            reactions.add(TENANT, "one", "ana", CountedReaction.VOTE, 1)
            for _ in range(4)
        )
    )
    await reactions.add(TENANT, "one", "bo", CountedReaction.VOTE, 1)
    await reactions.add(TENANT, "one", "bo", CountedReaction.VOTE, 0)
    assert await reactions.add(
        TENANT, "one", "bo", CountedReaction.FAVOURITE
    ) == Tally(votes={0: 1, 1: 2}, favourites=1)
    assert await reactions.remove(
        TENANT, "one", "bo", CountedReaction.VOTE, 0
    ) == Tally(votes={1: 2}, favourites=1)
    assert await reactions.tally("test:other", "one") == Tally(
        votes={}, favourites=0
    )


async def test_a_draft_that_is_put_replaces_the_one_before_it(
    drafts: DraftStore,
) -> None:
    await drafts.save(TENANT, "d", {"text": "a hat"}, NOW)
    assert await drafts.use(TENANT, "d")
    await drafts.put(TENANT, "d", {"text": "another"}, NOW)
    assert await drafts.read(TENANT, "d") == ({"text": "another"}, False)


async def test_a_draft_is_used_by_one_only(drafts: DraftStore) -> None:
    await drafts.save(TENANT, "d", {"text": "a hat"}, NOW)
    await drafts.save(TENANT, "d", {"text": "another"}, NOW)
    assert await drafts.read(TENANT, "d") == ({"text": "a hat"}, False)
    used = await asyncio.gather(*(drafts.use(TENANT, "d") for _ in range(8)))
    assert sorted(used) == [False] * 7 + [True]
    assert (await drafts.read(TENANT, "d"))[1]
    with pytest.raises(NotFound):
        await drafts.read("test:other", "d")
    await drafts.save(TENANT, "e", {}, NOW + timedelta(days=1, seconds=1))
    with pytest.raises(NotFound):
        await drafts.read(TENANT, "d")


async def test_deleting_gives_up_only_what_nothing_else_needs(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "ab")
    await make_step(store, "two", "c", parent="one", inputs=(picture("a"),))
    await make_step(store, "three", "d", parent="two", inputs=(picture("c"),))
    await make_step(store, "four", "e", inputs=(picture("b"),))
    # What others made of it stays, what they made it of does not.
    assert await store.delete_step(TENANT, "two", NOW) == [picture("c").key]
    await store.forget_outputs(TENANT, "two")
    assert (await store.step(TENANT, "two")).outputs == ()
    assert (await store.step(TENANT, "two")).prompt == ""
    three = await store.step(TENANT, "three")
    assert (three.inputs, three.outputs) == ((), (picture("d"),))
    assert (await store.step(TENANT, "two")).deleted == NOW
    await store.move_head(TENANT, "c/@ana", Head(step=StepId("three")))
    for _ in range(2):
        assert await store.delete_step(TENANT, "three", NOW) == [
            picture("d").key
        ]
    await store.forget_outputs(TENANT, "three")
    assert await store.head(TENANT, "c/@ana") == Head(step=StepId("one"))
    assert await store.delete_step(TENANT, "three", NOW) == []
    # Another's own upload of the same picture stays theirs.
    assert await store.delete_step(TENANT, "one", NOW) == [picture("a").key]
    assert await store.head(TENANT, "c/@ana") is None
    assert (await store.step(TENANT, "three")).state is StepState.DONE


async def test_a_deleted_picture_takes_its_thumbnail_along(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "ab")
    await make_step(store, "two", "c")
    for letter, thumbnail in ("a1", "b2", "c2"):
        assert await store.record_thumbnail(
            TENANT, letter * 64, thumbnail * 64
        )
    assert [
        one.thumbnail for one in (await store.step(TENANT, "one")).outputs
    ] == [
        "1" * 64,
        "2" * 64,
    ]
    assert await store.count_with_pictures(TENANT, "c/@ana") == 2
    # The third picture looks the same as the second.
    for _ in range(2):
        assert await store.delete_step(TENANT, "one", NOW) == [
            "a" * 64,
            "b" * 64,
            "1" * 64,
        ]
    assert await store.count_with_pictures(TENANT, "c/@ana") == 1
    assert await store.forget_outputs(TENANT, "one") == ["1" * 64]
    assert await store.delete_step(TENANT, "one", NOW) == []
    assert not await store.record_thumbnail(TENANT, "a" * 64, "1" * 64)
    assert not await store.record_thumbnail("test:other", "c" * 64, "2" * 64)
    assert await store.delete_step(TENANT, "two", NOW) == ["c" * 64, "2" * 64]


async def test_a_thumbnail_made_while_its_picture_is_deleted_goes_too(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "a")
    assert await store.delete_step(TENANT, "one", NOW) == ["a" * 64]
    recorded, late = await asyncio.gather(
        store.record_thumbnail(TENANT, "a" * 64, "1" * 64),
        store.forget_outputs(TENANT, "one"),
    )
    assert late == (["1" * 64] if recorded else [])


async def test_no_thumbnail_takes_a_picture_along(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "a")
    await make_step(store, "two", "b")
    await store.record_thumbnail(TENANT, "a" * 64, "b" * 64)
    assert await store.delete_step(TENANT, "one", NOW) == ["a" * 64]
    assert await store.forget_outputs(TENANT, "one") == []


async def test_what_was_chosen_is_kept(
    store: Store, reactions: ReactionStore
) -> None:
    await make_step(store, "one", "ab")
    await store.choose_picture(TENANT, "one", 1)
    assert replace(await store.step(TENANT, "one")).chosen == 1


async def test_steps_are_counted_by_what_they_are(store: Store) -> None:
    await make_step(store, "one", "a")
    await store.begin(step("two"), Caps(), NOW)
    assert await store.counts() == {
        ("draw", "qwen-image-plus", "done"): 1,
        ("draw", "qwen-image-plus", "queued"): 1,
    }
