"""What claims must hold on every database.

An account's limits hold for all workers together, and nothing is left behind.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps
from core.models import SubmitLimit
from core.post import PostedMessage
from core.storage.claims import Claims
from core.storage.store import Store
from core.storage.tables import steps
from core.types import LIVES, Person, Place, StepState
from tests.fakes.steps import NOW, PLACE, step

TENANT = PLACE.tenant
LINE = ("beijing", "qwen-image-plus")
SECOND = timedelta(seconds=1)


@pytest.fixture
def claims(engine: AsyncEngine) -> Claims:
    return Claims(engine, "one", ["test"])


async def add_waiting(store: Store, claims: Claims, *names: str) -> None:
    """Steps that wait in the line, begun a second apart."""
    for number, name in enumerate(names):
        await store.begin(
            step(name, created=NOW + number * SECOND), Caps(), NOW
        )
        await claims.announce(TENANT, name)


async def claimed(
    claims: Claims,
    size: int,
    limit: SubmitLimit | None = None,
    after: float = 0,
) -> list[str]:
    taken, _ = await claims.claim(*LINE, size, limit, NOW + after * SECOND)
    return [claim.step for claim in taken]


async def test_the_next_in_line_are_claimed_and_no_more_than_there_are_places(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b", "c")
    assert await claimed(claims, 2) == ["a", "b"]
    assert await claimed(claims, 2) == []
    assert await claims.lines() == [LINE]
    assert await claimed(claims, 3) == ["c"]
    assert await claims.lines() == []


async def test_what_waits_in_a_paused_workspace_is_not_claimed_and_holds_nobody_up(
    store: Store, claims: Claims
) -> None:
    other = replace(PLACE, workspace="other")
    await add_waiting(store, claims, "a", "b")
    later = step("c", place=other, created=NOW + 5 * SECOND)
    await store.begin(later, Caps(), NOW)
    await claims.announce(other.tenant, "c")
    assert await claimed(claims, 1) == ["a"]
    await store.pause(TENANT, NOW)
    await store.pause(TENANT, NOW)
    assert await store.pauses() == {TENANT}
    assert await store.has_pause(TENANT)
    assert await store.place_in_line(later) == 1
    assert [name for _, name in await store.line(*LINE)] == ["a", "c"]
    assert await claimed(claims, 3) == ["c"]
    assert await claims.lines() == []
    await store.resume(TENANT)
    assert not await store.has_pause(TENANT)
    assert await claims.lines() == [LINE]
    assert await claimed(claims, 3) == ["b"]


async def test_a_line_that_is_empty_is_not_looked_at_again_for_its_limit(
    store: Store, claims: Claims
) -> None:
    limit = SubmitLimit(count=2, seconds=1)
    assert await claims.claim(*LINE, 4, limit, NOW) == ([], None)
    await add_waiting(store, claims, "a", "b", "c")
    _, seconds = await claims.claim(*LINE, 4, limit, NOW)
    assert seconds == 1
    later = NOW + 2 * SECOND
    assert (await claims.claim(*LINE, 4, limit, later))[1] is None


async def test_what_is_ours_is_known_until_its_person_has_been_told(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b", "c")
    first, second = (await claims.claim(*LINE, 2, None, NOW))[0]
    assert sorted(claim.step for claim in await claims.own_claims()) == [
        "a",
        "b",
    ]
    await claims.release(first, NOW)
    await store.intend(TENANT, "b", NOW)
    await claims.free(second)
    assert [claim.step for claim in await claims.own_claims()] == ["b"]
    assert await Claims(engine, "two", ["test"]).own_claims() == []
    await store.end(
        await store.step(TENANT, "b"),
        StepState.FAILED,
        NOW,
        error="status.broken",
    )
    await store.close_step(TENANT, "b")
    assert await claims.own_claims() == []


async def test_a_step_that_gave_its_place_back_unsent_waits_for_the_next_start(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "broken", "next")
    [claim], _ = await claims.claim(*LINE, 1, None, NOW)
    await claims.free(claim)
    assert await claimed(claims, 1) == ["next"]
    adopted = await claims.adopt("one")
    assert sorted(claim.step for claim in adopted) == ["broken", "next"]
    assert await claimed(claims, 2) == []  # both have their place again


async def test_people_take_turns(store: Store, claims: Claims) -> None:
    await add_waiting(store, claims, "a", "b")
    late = step(
        "late",
        person=Person(id="bo", name="Bo"),
        session="c/@bo",
        created=NOW + 9 * SECOND,
    )
    await store.begin(late, Caps(), NOW)
    await claims.announce(TENANT, "late")
    assert await claimed(claims, 2) == ["a", "late"]


async def test_nobody_is_claimed_before_having_read_that_they_wait(
    store: Store, claims: Claims
) -> None:
    await store.begin(step("a"), Caps(), NOW)
    assert await claims.lines() == []
    assert await claimed(claims, 2) == []


async def test_a_place_is_free_once_the_service_has_finished(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b")
    [claim], _ = await claims.claim(*LINE, 1, None, NOW)
    await store.intend(TENANT, "a", NOW)
    await claims.free(claim)
    assert await claimed(claims, 1) == ["b"]


async def test_who_is_refused_goes_back_to_the_same_place_in_line(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b")
    [claim], _ = await claims.claim(*LINE, 1, None, NOW)
    await claims.release(claim, NOW)
    [again], _ = await claims.claim(*LINE, 1, None, NOW + SECOND)
    assert (again.step, again.claims, again.refused) == ("a", 1, NOW)
    await claims.release(again, NOW + SECOND)
    [third], _ = await claims.claim(*LINE, 1, None, NOW + 2 * SECOND)
    assert third.refused == NOW


async def test_a_cancelled_step_is_never_claimed(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b")
    await store.request_cancel(TENANT, "a", NOW)
    assert await claimed(claims, 2) == ["b"]


async def test_the_limit_of_a_period_holds_and_tells_when_the_next_may_go(
    store: Store, claims: Claims
) -> None:
    limit = SubmitLimit(count=2, seconds=60)
    await add_waiting(store, claims, "a", "b", "c")
    assert await claimed(claims, 9, limit) == ["a", "b"]
    taken, wait = await claims.claim(*LINE, 9, limit, NOW + 20 * SECOND)
    assert (taken, wait) == ([], 40)
    assert await claimed(claims, 9, limit, after=60.1) == ["c"]


async def test_the_limit_of_a_period_leaves_room_for_some(
    store: Store, claims: Claims
) -> None:
    limit = SubmitLimit(count=2, seconds=60)
    await add_waiting(store, claims, "a", "b", "c")
    assert await claimed(claims, 1, limit) == ["a"]
    taken, wait = await claims.claim(*LINE, 9, limit, NOW + 10 * SECOND)
    assert ([claim.step for claim in taken], wait) == (["b"], 50)


async def test_workers_at_once_never_claim_more_than_there_are_places(
    engine: AsyncEngine, store: Store
) -> None:
    workers = [Claims(engine, f"w{number}", ["test"]) for number in range(6)]
    await add_waiting(
        store, workers[0], *(f"s{number}" for number in range(20))
    )
    taken = await asyncio.gather(*(claimed(worker, 4) for worker in workers))
    names = [name for some in taken for name in some]
    assert sorted(names) == sorted(set(names)) == ["s0", "s1", "s2", "s3"]


async def test_a_dead_workers_steps_are_adopted_once(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b", "c")
    await claimed(claims, 2)
    await store.intend(TENANT, "a", NOW)
    survivors = [Claims(engine, name, ["test"]) for name in ("two", "three")]
    adopted = await asyncio.gather(
        *(survivor.adopt("one") for survivor in survivors)
    )
    assert sorted(claim.step for some in adopted for claim in some) == [
        "a",
        "b",
    ]
    assert {claim.claims for some in adopted for claim in some} == {2}
    assert await claimed(survivors[0], 2) == []


async def test_what_was_told_is_left_alone_and_what_was_not_is_adopted(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "told", "untold")
    await claimed(claims, 2)
    for name in ("told", "untold"):
        found = await store.step(TENANT, name)
        await store.end(found, StepState.FAILED, NOW, error="status.broken")
    await store.close_step(TENANT, "told")
    assert [
        claim.step
        for claim in await Claims(engine, "two", ["test"]).adopt("one")
    ] == ["untold"]
    async with engine.connect() as connection:
        slots = (
            (
                await connection.execute(
                    select(steps.c.slot).where(steps.c.id == "told")
                )
            )
            .scalars()
            .all()
        )
    assert slots == [False]


async def test_steps_from_before_there_were_claims_are_adopted_but_for_those_in_line(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "queued", "running")
    async with engine.begin() as connection:
        running = update(steps).where(steps.c.id == "running")
        await connection.execute(
            running.values(state=StepState.RUNNING, task_id="t", submitted=NOW)
        )
    assert [claim.step for claim in await claims.adopt(None)] == ["running"]
    assert await claimed(claims, 1) == []
    assert await claimed(claims, 2) == ["queued"]


async def test_the_steps_of_other_platforms_are_left_to_others(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    elsewhere = Place(platform="elsewhere", workspace="w", channel="c")
    await store.begin(step("a", place=elsewhere), Caps(), NOW)
    await claims.announce(elsewhere.tenant, "a")
    assert await claims.lines() == []
    assert await claimed(claims, 2) == []
    there = Claims(engine, "there", ["elsewhere"])
    assert await claimed(there, 2) == ["a"]
    assert await claims.adopt("there") == []
    assert len(await there.adopt("there")) == 1


async def test_a_finished_step_is_nobodys(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a")
    [claim], _ = await claims.claim(*LINE, 1, None, NOW)
    await store.intend(TENANT, "a", NOW)
    await store.record_task(TENANT, "a", "task", "req", None, NOW)
    await claims.free(claim)
    kept = await store.record_results(
        await store.step(TENANT, "a"), [], None, 3.0, NOW
    )
    assert kept
    await store.remember(PostedMessage(place=PLACE, message="m"), TENANT, "a")
    await store.finish(TENANT, "a")
    assert await claims.adopt("one") == []


async def test_a_clock_set_back_holds_a_line_up_for_two_periods_at_most(
    store: Store, claims: Claims
) -> None:
    limit = SubmitLimit(count=2, seconds=60)
    await add_waiting(store, claims, "a", "b", "c", "d")
    assert await claimed(claims, 2, limit, after=3600) == ["a", "b"]
    assert await claimed(claims, 4, limit) == ["c", "d"]


async def test_who_is_being_cancelled_is_not_claimed_and_the_next_one_is(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    """Only PostgreSQL lets anybody write beside another."""
    if engine.dialect.name != "postgresql":
        return
    await add_waiting(store, claims, "a", "b")
    ended = {
        "state": StepState.CANCELLED,
        "told": True,
        "slot": False,
        "finished": NOW,
    }
    async with engine.begin() as connection:
        await connection.execute(
            update(steps).where(steps.c.id == "a").values(ended)
        )
        claiming = asyncio.create_task(claimed(claims, 1))
        await asyncio.sleep(0.5)
    assert await claiming == ["b"]
    async with engine.connect() as connection:
        assert (
            await connection.execute(
                select(steps.c.slot).where(steps.c.id == "a")
            )
        ).scalars().all() == [False]


async def test_a_worker_that_seemed_dead_gives_away_no_slot_of_its_survivor(
    engine: AsyncEngine, store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a", "b")
    [claim], _ = await claims.claim(*LINE, 1, None, NOW)
    survivor = Claims(engine, "two", ["test"])
    assert len(await survivor.adopt("one")) == 1
    await claims.release(claim, NOW)
    await claims.free(claim)
    assert [own.step for own in await survivor.own_claims()] == ["a"]
    assert await claimed(claims, 1) == []
    await survivor.free(claim)
    assert await claimed(claims, 1) == ["b"]


async def test_a_step_on_its_last_life_is_marked_until_it_gets_on(
    store: Store, claims: Claims
) -> None:
    await add_waiting(store, claims, "a")
    await claimed(claims, 1)
    for _ in range(LIVES):
        await claims.adopt("one")
    assert await store.lives(TENANT, "a") == LIVES
    assert await store.given_up(10) == []
    await store.record_lives(TENANT, "a", LIVES + 1)
    assert await store.given_up(10) == ["a"]
    await store.record_lives(TENANT, "a", LIVES)
    await store.intend(TENANT, "a", NOW)
    await store.record_task(TENANT, "a", "task", "req", None, NOW)
    # It has got on, and whatever is said of its last state does not count any more.
    for lives in (LIVES + 1, LIVES):
        await store.record_lives(TENANT, "a", lives)
        assert await store.lives(TENANT, "a") == 1
