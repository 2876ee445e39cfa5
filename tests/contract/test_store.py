"""What every database must do: idempotent, append-only, tenants apart, money exact."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps, amount
from core.errors import Charged, NotFound, Rejected
from core.post import PostedMessage
from core.storage.store import Store
from core.types import (
    Head,
    MessageRole,
    Person,
    Place,
    Step,
    StepId,
    StepState,
)
from tests.fakes.steps import NOW, PLACE, dollars, picture, step, yuan

TENANT = PLACE.tenant


async def make_step(
    store: Store, one: Step, letter: str = "a", cost: str = "0.2"
) -> Step:
    """Bring a step to its pictures."""
    begun = await store.begin(one, Caps(), NOW)
    await store.intend(TENANT, begun.id, NOW)
    await store.record_task(
        TENANT, begun.id, f"task-{begun.id}", "req", None, NOW
    )
    kept = await store.record_results(
        begun, [picture(letter)], yuan(cost), 3.0, NOW
    )
    assert kept
    return kept


async def test_a_step_is_begun_once_with_the_next_number(store: Store) -> None:
    first = await store.begin(step("one"), Caps(), NOW)
    assert (first.number, first.priority) == (1, 1)
    assert await store.begin(step("one", prompt="other"), Caps(), NOW) == first
    second = await store.begin(step("two"), Caps(), NOW)
    assert (second.number, second.priority) == (2, 2)


async def test_a_step_comes_back_as_it_went_in(store: Store) -> None:
    whole = step(
        inputs=(picture("a"), picture("b")),
        mask=picture("c"),
        parent=None,
        depth=2,
    )
    begun = await store.begin(whole, Caps(), NOW)
    assert begun == replace(whole, number=1)


async def test_another_tenant_finds_nothing(store: Store) -> None:
    await store.begin(step(), Caps(), NOW)
    with pytest.raises(NotFound):
        await store.step("test:other", "one")
    assert await store.history("test:other", "c/@ana") == []


async def test_steps_of_one_id_in_two_tenants_do_not_touch(
    store: Store,
) -> None:
    other = Place(platform="test", workspace="other", channel="c")
    await make_step(store, step())
    foreign = await store.begin(step(place=other), Caps(), NOW)
    assert foreign.state is StepState.QUEUED
    assert foreign.outputs == ()


async def test_the_road_of_a_job_is_walked_once(store: Store) -> None:
    kept = await make_step(store, step())
    assert (kept.state, kept.cost, kept.task_id) == (
        StepState.MADE,
        yuan("0.2"),
        "task-one",
    )
    assert (
        await store.record_results(kept, [picture("b")], yuan("0.2"), 1.0, NOW)
        is None
    )
    assert await store.intend(TENANT, "one", NOW) is None
    late = await store.record_task(TENANT, "one", "other", "req", None, NOW)
    assert late is None
    done = await store.finish(TENANT, "one")
    assert done
    assert (done.state, done.task_id) == (StepState.DONE, "task-one")
    assert await store.finish(TENANT, "one") is None


async def test_the_first_intent_stays_for_the_search_of_a_lost_submit(
    store: Store,
) -> None:
    await store.begin(step(), Caps(), NOW)
    await store.intend(TENANT, "one", NOW)
    again = await store.intend(TENANT, "one", NOW + timedelta(minutes=5))
    assert again
    assert (again.intended, again.attempts) == (NOW, 2)
    fresh = await store.forget_intent(TENANT, "one")
    assert fresh
    assert (fresh.state, fresh.intended) == (StepState.QUEUED, None)


async def test_the_result_becomes_the_head_and_heads_move_freely(
    store: Store,
) -> None:
    await make_step(store, step("one"))
    await make_step(store, step("two", parent="one"), "b")
    assert await store.head(TENANT, "c/@ana") == Head(step=StepId("two"))
    await store.move_head(TENANT, "c/@ana", Head(step=StepId("one"), index=0))
    assert await store.head(TENANT, "c/@ana") == Head(step=StepId("one"))
    assert [one.id for one in await store.history(TENANT, "c/@ana")] == [
        "one",
        "two",
    ]


async def test_a_result_in_a_thread_is_its_persons_last_output_in_the_channel_too(
    store: Store,
) -> None:
    inside = Place(platform="test", workspace="w", channel="c", thread="t1")
    await make_step(store, step("one", place=inside, session="c/#t1"))
    assert await store.head(TENANT, "c/#t1") == Head(step=StepId("one"))
    assert await store.head(TENANT, "c/@ana") == Head(step=StepId("one"))


async def test_messages_lead_to_their_step_and_threads_to_their_session(
    store: Store,
) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    inside = Place(platform="test", workspace="w", channel="c", thread="t1")
    sent = PostedMessage(place=inside, message="m1")
    await store.remember(sent, TENANT, "one")
    await store.remember(sent, TENANT, "one")
    assert await store.message_of(begun) == sent
    assert await store.step_of_message(inside, "m1") == "one"
    assert await store.is_step_thread(inside)
    assert await store.is_step_thread(replace(inside, thread="m1"))
    assert not await store.is_step_thread(replace(inside, thread="t2"))
    assert not await store.is_step_thread(replace(inside, thread=""))
    await store.remember(
        replace(sent, message="g1"), TENANT, "one", MessageRole.GALLERY
    )
    assert await store.message_of(begun) == sent
    assert await store.message_of(begun, MessageRole.GALLERY) == replace(
        sent, message="g1"
    )
    with pytest.raises(NotFound):
        await store.step_of_message(inside, "m2")


async def test_the_messages_with_a_drawn_picture_of_a_step_are_known(
    store: Store,
) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    history = PostedMessage(place=PLACE, message="h1")
    for _ in range(2):
        await store.remember_drawing(history, ["one"])
    await store.remember_drawing(history, [])
    assert await store.drawings_of(begun) == [history]
    assert await store.leftovers() == []


async def test_every_message_that_shows_a_step_is_known(store: Store) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    assert await store.messages_of(begun) == []
    shown = [
        PostedMessage(place=PLACE, message=number) for number in ("m1", "m2")
    ]
    for sent, role in zip(
        shown, (MessageRole.STATUS, MessageRole.GALLERY), strict=True
    ):
        await store.remember(sent, TENANT, "one", role)
    messages = await store.messages_of(begun)
    assert sorted(sent.message for sent in messages) == ["m1", "m2"]
    elsewhere = replace(begun, place=replace(PLACE, workspace="other"))
    assert await store.messages_of(elsewhere) == []


async def test_a_persons_newest_step_at_work_and_their_newest_pictures_are_found(
    store: Store,
) -> None:
    await make_step(store, step("one", created=NOW))
    await make_step(
        store, step("two", created=NOW + timedelta(seconds=1)), "b"
    )
    late = step("three", created=NOW + timedelta(seconds=2))
    bo = {"person": Person(id="bo", name="Bo"), "session": "c/@bo"}
    await store.begin(late, Caps(), NOW)
    await store.begin(step("four", created=late.created, **bo), Caps(), NOW)
    newest = await store.newest_open_step(TENANT, "ana")
    assert newest
    assert newest.id == "three"
    assert [one.id for one in await store.recent(TENANT, "ana", 5)] == [
        "two",
        "one",
    ]
    assert [one.id for one in await store.recent(TENANT, "ana", 1)] == ["two"]
    assert await store.recent(TENANT, "bo", 5) == []
    assert await store.newest_open_step("test:other", "ana") is None


async def test_those_served_before_a_step_are_counted(store: Store) -> None:
    for number, name in enumerate(("one", "two", "three")):
        created = NOW + timedelta(seconds=number)
        await store.begin(step(name, created=created), Caps(), NOW)
    three = await store.step(TENANT, "three")
    assert await store.place_in_line(three) == 2
    assert await store.place_in_line(await store.step(TENANT, "one")) == 0
    await store.end(
        await store.step(TENANT, "one"),
        StepState.FAILED,
        NOW,
        error="status.broken",
    )
    assert await store.place_in_line(three) == 1


async def test_a_workspace_that_is_forgotten_leaves_the_others_as_they_are(
    store: Store,
) -> None:
    other = replace(PLACE, workspace="other")
    for place in (PLACE, other):
        await store.begin(step(place=place), Caps(), NOW)
        await store.move_head(place.tenant, "c/@ana", Head(step=StepId("one")))
        await store.save_settings(place.tenant, {"n": 2})
        sent = PostedMessage(place=place, message="m1")
        await store.remember(sent, place.tenant, "one")
    await store.forget_workspace(TENANT)
    assert await store.history(TENANT, "c/@ana") == []
    assert await store.settings(TENANT) == {}
    assert await store.head(TENANT, "c/@ana") is None
    with pytest.raises(NotFound):
        await store.step_of_message(PLACE, "m1")
    assert len(await store.history(other.tenant, "c/@ana")) == 1
    assert await store.settings(other.tenant) == {"n": 2}
    assert await store.step_of_message(other, "m1") == "one"


async def test_a_database_that_is_there_answers(store: Store) -> None:
    await store.check()


async def test_what_is_not_ours_costs_one_look_and_nothing_once_it_is_known(
    engine: AsyncEngine, store: Store
) -> None:
    begun = 0

    def count(_connection: Connection) -> None:
        nonlocal begun
        begun += 1

    event.listen(engine.sync_engine, "begin", count)
    theirs = replace(PLACE, thread="theirs")
    for _ in range(3):
        assert not await store.may_show_step(theirs)
        assert not await store.may_show_step(PLACE, "theirs")
    assert not await store.may_show_step(PLACE)
    # Where others write to the same database, nothing is known without looking.
    assert begun == (2 if engine.dialect.name == "sqlite" else 6)


async def test_an_answer_is_heard_whoever_posted_and_however_soon_it_comes(
    engine: AsyncEngine, store: Store
) -> None:
    """Answers to a post count from the moment it may be seen, long before it is remembered."""
    worker = store if engine.dialect.name == "sqlite" else Store(engine)
    inside, root = replace(PLACE, thread="t1"), replace(PLACE, thread="m1")
    elsewhere = replace(PLACE, channel="other", thread="t9")
    for place in (inside, elsewhere):
        assert not await store.may_show_step(place)
    begun = await worker.begin(step(place=inside), Caps(), NOW)
    assert await store.may_show_step(inside)
    assert await store.may_show_step(root)
    assert not await store.may_show_step(elsewhere)
    await worker.remember(
        PostedMessage(place=inside, message="m1"), TENANT, begun.id
    )
    for _ in range(2):
        assert await store.may_show_step(inside)
        assert await store.may_show_step(root)
        assert await store.may_show_step(PLACE, "m1")
        assert not await store.may_show_step(replace(PLACE, thread="theirs"))
        assert not await store.may_show_step(PLACE, "m2")
    await worker.intend(TENANT, begun.id, NOW)
    await worker.record_task(TENANT, begun.id, "task", "req", None, NOW)
    await worker.record_results(begun, [picture("a")], yuan("0.2"), 3.0, NOW)
    # The pictures are on their way into the channel: messages of their own, which somebody may like
    # at once.
    assert await store.may_show_step(PLACE, "m3")
    pictures = (PostedMessage(place=inside, message="m2"),)
    await worker.remember(
        PostedMessage(place=inside, message="m1", pictures=pictures),
        TENANT,
        begun.id,
    )
    await worker.finish(TENANT, begun.id)
    assert await store.may_show_step(PLACE, "m2")
    assert not await store.may_show_step(PLACE, "m3")


async def test_a_look_that_began_before_a_post_does_not_make_its_thread_a_strangers(
    store: Store,
) -> None:
    inside = replace(PLACE, thread="t1")
    for at in range(20):
        place = replace(inside, thread=f"t{at}")
        begun = step(f"s{at}", place=place, session=f"c/#t{at}")
        await asyncio.gather(
            store.may_show_step(place), store.begin(begun, Caps(), NOW)
        )
        assert await store.may_show_step(place)
        sent = PostedMessage(place=place, message=f"m{at}")
        await asyncio.gather(
            store.may_show_step(PLACE, f"m{at}"),
            store.remember(sent, TENANT, f"s{at}"),
        )
        assert await store.may_show_step(PLACE, f"m{at}")


async def test_money_is_held_settled_and_given_back(store: Store) -> None:
    await store.begin(step("one"), Caps(), NOW)
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0.2")]
    await make_step(store, step("two"), cost="0.14")
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0.34")]
    failed = await store.end(
        await store.step(TENANT, "one"),
        StepState.FAILED,
        NOW,
        error="provider.hiccup",
    )
    assert failed
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0.14")]
    assert (
        await store.end(failed, StepState.FAILED, NOW, error="provider.hiccup")
        is None
    )


async def test_what_may_have_been_charged_stays_held_until_it_is_dropped(
    store: Store,
) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    ended = await store.end(
        begun,
        StepState.UNKNOWN,
        NOW,
        error="status.lost_call",
        charged=Charged.MAYBE,
    )
    assert ended
    again = await store.end(ended, StepState.FAILED, NOW, error="late")
    assert again is None
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0.2")]
    await store.drop_charge(ended, NOW)
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0")]


async def test_a_budget_refuses_and_writes_nothing(store: Store) -> None:
    caps = Caps(person_day=amount("0.3"))
    await store.begin(step("one"), caps, NOW)
    with pytest.raises(Rejected, match=r"budget\.person_day"):
        await store.begin(step("two"), caps, NOW)
    with pytest.raises(NotFound):
        await store.step(TENANT, "two")
    assert (
        await store.begin(step("three"), caps, NOW + timedelta(days=1))
    ).number == 2


async def test_what_is_spent_in_one_currency_leaves_a_budget_in_another_alone(
    store: Store,
) -> None:
    in_dollars = step("one", price=dollars("0.04"), cost=dollars("0.04"))
    await store.begin(in_dollars, Caps(), NOW)
    caps = Caps(person_day=amount("0.3"), workspace_month=amount("0.3"))
    await store.begin(step("two"), caps, NOW)
    with pytest.raises(Rejected, match=r"budget\.currency"):
        await store.begin(step("three", price=dollars("0.04")), caps, NOW)
    totals = await store.usage(TENANT, NOW - timedelta(days=1))
    assert {row.total for row in totals} == {yuan("0.2"), dollars("0.04")}


async def test_t16_sixty_four_racing_requests_never_break_a_budget(
    store: Store,
) -> None:
    caps = Caps(workspace_month=amount("2"))

    async def one(number: int) -> bool:
        person = Person(id=f"p{number}", name="x")
        try:
            await store.begin(
                step(f"s{number}", person=person, session=f"c/@p{number}"),
                caps,
                NOW,
            )
        except Rejected:
            return False
        return True

    taken = await asyncio.gather(*(one(number) for number in range(64)))
    assert sum(taken) == 10


async def test_a_queued_step_is_cancelled_at_once_and_free(
    store: Store,
) -> None:
    await store.begin(step(), Caps(), NOW)
    cancelled = await store.request_cancel(TENANT, "one", NOW)
    assert cancelled.state is StepState.CANCELLED
    assert [
        one.total for one in await store.usage(TENANT, NOW - timedelta(days=1))
    ] == [yuan("0")]
    assert await store.intend(TENANT, "one", NOW) is None


async def test_a_running_step_is_only_marked(store: Store) -> None:
    await store.begin(step(), Caps(), NOW)
    await store.intend(TENANT, "one", NOW)
    await store.record_task(TENANT, "one", "t1", "r1", None, NOW)
    marked = await store.request_cancel(TENANT, "one", NOW)
    assert (marked.state, marked.cancel_requested) == (StepState.RUNNING, True)


async def test_the_line_is_in_the_order_of_service(store: Store) -> None:
    for name in ("one", "two"):
        await store.begin(step(name), Caps(), NOW)
    bo = Person(id="bo", name="Bo")
    await store.begin(
        step(
            "three",
            person=bo,
            session="c/@bo",
            created=NOW + timedelta(seconds=1),
        ),
        Caps(),
        NOW,
    )
    line = await store.line("beijing", "qwen-image-plus")
    assert line == [(TENANT, "one"), (TENANT, "three"), (TENANT, "two")]
    assert [one.id for one in await store.open_steps(2)] == ["one", "three"]


async def test_known_tasks_and_durations_are_remembered(store: Store) -> None:
    await make_step(store, step())
    assert await store.task_ids(
        "beijing", "qwen-image-plus", NOW - timedelta(hours=1)
    ) == ["task-one"]
    assert (
        await store.task_ids(
            "beijing", "qwen-image-plus", NOW + timedelta(hours=1)
        )
        == []
    )
    assert await store.durations("beijing", "qwen-image-plus") == [3.0]


async def test_a_failed_task_may_be_made_once_more(store: Store) -> None:
    await store.begin(step(), Caps(), NOW)
    await store.intend(TENANT, "one", NOW)
    await store.record_task(TENANT, "one", "t1", "r1", None, NOW)
    again = await store.requeue(TENANT, "one")
    assert again
    assert (again.state, again.task_id, again.intended) == (
        StepState.QUEUED,
        None,
        None,
    )


async def test_settings_are_kept_for_each_workspace(store: Store) -> None:
    assert await store.settings(TENANT) == {}
    await store.save_settings(TENANT, {"budgets": {"person_day": "1"}})
    await store.save_settings(TENANT, {"budgets": {"person_day": "2"}})
    assert await store.settings(TENANT) == {"budgets": {"person_day": "2"}}
    assert await store.settings("test:other") == {}


async def test_unfinished_steps_of_everybody_are_found(
    store: Store, engine: AsyncEngine
) -> None:
    await make_step(store, step("one"))
    await store.begin(step("two"), Caps(), NOW)
    await store.finish(TENANT, "one")
    assert [one.id for one in await store.open_steps()] == ["two"]
    await Store(engine).check()


async def test_progress_is_announced_while_a_step_is_open_and_never_after(
    store: Store,
) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    until = NOW + timedelta(seconds=12)
    assert await store.progress_until(begun.tenant, begun.id) is None
    assert await store.begin_progress(begun.tenant, begun.id, until)
    assert await store.progress_until(begun.tenant, begun.id) == until
    await store.end_progress(begun.tenant, begun.id)
    assert await store.progress_until(begun.tenant, begun.id) is None
    await store.request_cancel(begun.tenant, begun.id, NOW)
    assert not await store.begin_progress(begun.tenant, begun.id, until)


async def test_of_a_model_one_step_is_submitted_at_a_time(
    store: Store,
) -> None:
    for name in ("one", "two"):
        await store.begin(step(name), Caps(), NOW)
    names = ("one", "two")
    intended = await asyncio.gather(
        *(store.intend(TENANT, name, NOW, alone=True) for name in names)
    )
    first, second = sorted(
        intended, key=lambda one: one is None or one.intended is None
    )
    assert first
    assert second
    assert first.state is StepState.SUBMITTING
    assert (second.state, second.intended, second.attempts) == (
        StepState.QUEUED,
        None,
        0,
    )
    # Who died in the middle goes on; a step that has ended does not wait.
    assert await store.intend(TENANT, first.id, NOW, alone=True)
    later = NOW + timedelta(minutes=1)
    waiting = await store.intend(TENANT, second.id, later, alone=True)
    assert waiting
    assert waiting.state is StepState.QUEUED
    await store.record_task(TENANT, first.id, "task", "req", None, NOW)
    following = await store.intend(TENANT, second.id, later, alone=True)
    assert following
    assert following.state is StepState.SUBMITTING


async def test_a_submit_whose_worker_never_comes_back_is_not_waited_for_for_ever(
    store: Store,
) -> None:
    for name in ("one", "two"):
        await store.begin(step(name), Caps(), NOW)
    await store.intend(TENANT, "one", NOW, alone=True)
    later = NOW + timedelta(minutes=10)
    following = await store.intend(TENANT, "two", later, alone=True)
    assert following
    assert following.state is StepState.SUBMITTING
    cancelled = await store.request_cancel(TENANT, "two", later)
    assert cancelled.state is StepState.SUBMITTING


async def test_an_undelivered_result_is_taken_once(store: Store) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    for _ in range(2):
        await store.note_failed_delivery(TENANT, begun.id)
    assert await store.failed_deliveries() == [(TENANT, begun.id)]
    taken = [
        await store.take_failed_delivery(TENANT, begun.id) for _ in range(2)
    ]
    assert taken == [True, False]
    assert await store.failed_deliveries() == []


async def test_withheld_results_are_no_outputs_until_they_are_released(
    store: Store,
) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    await store.withhold(begun, [picture("a")])
    await store.end(begun, StepState.CANCELLED, NOW, error="status.cancelled")
    held = await store.step(TENANT, begun.id)
    assert (len(held.withheld), held.outputs) == (1, ())
    for _ in range(2):
        made = await store.release_results(TENANT, begun.id)
        assert (len(made.outputs), made.withheld) == (1, ())
        assert made.state is StepState.MADE
    head = await store.head(TENANT, begun.session)
    assert head is not None
    assert head.step == begun.id
    assert await store.delete_step(TENANT, begun.id, NOW) == ["a" * 64]


async def test_notes_are_added_once_each(store: Store) -> None:
    begun = await store.begin(step(), Caps(), NOW)
    for note in ("b", "a", "b"):
        await store.add_note(TENANT, begun.id, note)
    assert (await store.step(TENANT, begun.id)).notes == ("a", "b")


async def test_the_oldest_step_of_each_open_state_is_known(
    store: Store,
) -> None:
    assert await store.oldest_open() == {}
    for minutes in (3, 1, 2):
        created = NOW + timedelta(minutes=minutes)
        await store.begin(step(f"s{minutes}", created=created), Caps(), NOW)
    oldest = NOW + timedelta(minutes=1)
    assert await store.oldest_open() == {StepState.QUEUED: oldest}
