"""Forgetting a person leaves no row of theirs, and what they spent, without a name."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from core.audit import AuditEntry
from core.budgets import Caps
from core.errors import NotFound, Rejected
from core.post import PostedMessage
from core.sessions import pseudonym
from core.storage import tables
from core.storage.drafts import DraftStore
from core.storage.people import PeopleStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.types import (
    CountedReaction,
    Head,
    KnownPerson,
    Leaver,
    MessageRole,
    Person,
    SessionId,
    Step,
    StepId,
    StepState,
)
from tests.fakes.search import rows_with
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant
ANA = Person(id="U0ANACANARY", name="Ana Canary")
BEN = Person(id="U0BEN", name="Ben")
LEAVER = Leaver(tenant=TENANT, person=ANA.id, asked=NOW)
CANARY = "canary"


@pytest.fixture
def people(engine: AsyncEngine) -> PeopleStore:
    return PeopleStore(engine)


async def makes(
    store: Store,
    name: str,
    who: Person = ANA,
    parent: str | None = None,
    **facts: object,
) -> Step:
    """A step that was drawn, shown and paid for."""
    plain = step(
        name,
        person=who,
        session=SessionId(f"c/@{who.id}"),
        prompt=f"{who.name}'s {name}",
        parent=StepId(parent) if parent else None,
        reply={"user": who.id},
        **facts,
    )
    begun = await store.begin(plain, Caps(), NOW)
    await store.intend(TENANT, begun.id, NOW)
    await store.record_task(TENANT, begun.id, "t", "r", {"text": name}, NOW)
    output = picture(name[0])
    await store.record_results(begun, [output], yuan("0.2"), 1.0, NOW)
    sent = PostedMessage(place=PLACE, message=f"m-{name}")
    await store.remember(sent, TENANT, begun.id, MessageRole.STATUS)
    await store.remember_drawing(sent, [begun.id])
    done = await store.finish(TENANT, begun.id)
    assert done is not None
    return done


async def forget(people: PeopleStore, store: Store) -> None:
    """What the flow does, but for messages and bytes."""
    while ended := await people.ended_steps_of(LEAVER, 2):
        for gone in ended:
            await store.delete_step(TENANT, gone.id, NOW)
            await store.forget_outputs(TENANT, gone.id)
        await people.remove_steps(LEAVER, [gone.id for gone in ended])
    await people.take_reactions(LEAVER)
    await people.erase(LEAVER, [f"dm-{ANA.id}"], NOW)
    await people.end_forgetting(LEAVER)


def entry(name: str, person: Person, **facts: Any) -> AuditEntry:
    """An act of a person."""
    return AuditEntry(id=name, at=NOW, act="set", person=person, **facts)


def test_every_table_that_names_people_is_known_here() -> None:
    """A new one needs a line in ``core.storage.people``, and then here."""
    naming = {"person", "person_name", "session", "request", "settings"}
    assert {
        name
        for name, table in tables.metadata.tables.items()
        if naming & {column.name for column in table.c}
    } == {
        "audit",
        "drafts",
        "forgetting",
        "ledger",
        "reactions",
        "spending",
        "steps",
        "workspaces",
    }


async def test_an_id_that_is_also_a_word_takes_nothing_of_others(
    engine: AsyncEngine, store: Store, people: PeopleStore
) -> None:
    """The room's ids are made of names."""
    leaver = replace(LEAVER, person="draw")
    acts = [
        entry("1", BEN, subject="style", before="a draw", after="drawn"),
        entry("2", BEN, subject="functions", before="draw", after="draw edit"),
        entry("3", BEN, subject="people", before="draw ben", after="drawer"),
    ]
    await store.save_settings(TENANT, {}, acts)
    request = {"action": "draw", "person": {"id": BEN.id, "name": "draw"}}
    drafts = DraftStore(engine)
    await drafts.save(TENANT, "bens", request, NOW)
    await people.erase(leaver, [], NOW)
    log = {act.id: act for act in await store.audit(TENANT, 9)}
    assert (log["1"], log["2"]) == (acts[0], acts[1])
    assert log["3"] == replace(acts[2], before="- ben")
    assert await drafts.read(TENANT, "bens") == (request, False)


async def total(engine: AsyncEngine) -> int:
    query = select(tables.spending.c.micros)
    async with engine.begin() as connection:
        return sum((await connection.execute(query)).scalars())


async def test_no_row_of_any_table_names_who_was_forgotten(
    engine: AsyncEngine, store: Store, people: PeopleStore
) -> None:
    await people.ask_to_forget(TENANT, ANA.id, NOW)
    assert await people.leavers() == [LEAVER]
    await makes(store, "alone")
    await makes(store, "base")
    await makes(store, "ben", BEN, parent="base")
    await makes(store, "cat", parent="alone")
    await makes(store, "dm", place=replace(PLACE, channel=f"dm-{ANA.id}"))
    await ReactionStore(engine).add(
        TENANT, "ben", ANA.id, CountedReaction.VOTE
    )
    request = {"person": {"id": ANA.id, "name": ANA.name}}
    await DraftStore(engine).save(TENANT, "d", request, NOW)
    lists = {
        "*": {"refused_people": f"{BEN.id} {ANA.id}"},
        "c": {"people": ANA.id},
        "x": {"people": BEN.id},
    }
    listed = {"subject": "refused_people", "before": f"{BEN.id} {ANA.id}"}
    acts = [entry("1", ANA), entry("2", BEN, **listed)]
    await store.save_settings(TENANT, {"channels": lists}, acts)
    assert len(await rows_with(engine, ANA.id)) > 8
    before = await total(engine)
    await forget(people, store)
    for word in (ANA.id, ANA.name):
        assert await rows_with(engine, word) == []
    assert await total(engine) == before
    assert await people.leavers() == []
    assert await people.tenants_of("test", ANA.id) == []
    assert await people.tenants_of("test", BEN.id) == [TENANT]
    # The channel that was hers alone is not everybody's now.
    settings = await store.settings(TENANT)
    assert settings["channels"] == {
        "*": {"refused_people": f"{BEN.id} {pseudonym(TENANT, ANA.id)}"},
        "c": {"people": "-"},
        "x": {"people": BEN.id},
    }
    (spent,) = {
        spent.person: spent for spent in await store.usage(TENANT, NOW)
    }.keys() - {BEN.name}
    assert spent == ""


async def test_what_others_made_stays_and_its_origin_is_an_empty_row(
    store: Store, people: PeopleStore
) -> None:
    await makes(store, "alone")
    await makes(store, "base")
    await makes(store, "ben", BEN, parent="base")
    await forget(people, store)
    await forget(people, store)
    bens = await store.step(TENANT, StepId("ben"))
    assert (bens.prompt, bens.outputs) == ("Ben's ben", (picture("b"),))
    base = await store.step(TENANT, StepId("base"))
    assert (base.person, base.prompt) == (Person(id="", name=""), "")
    assert base.deleted
    with pytest.raises(NotFound):
        await store.step(TENANT, StepId("alone"))
    assert [made.id for made in await store.chain(TENANT, StepId("ben"))] == [
        "base",
        "ben",
    ]
    assert await people.held_among(TENANT, [picture("b").key, "z"]) == {
        picture("b").key
    }


async def test_a_job_in_work_and_what_came_later_are_left(
    store: Store, people: PeopleStore
) -> None:
    await store.begin(step("work", person=ANA), Caps(), NOW)
    later = NOW + timedelta(seconds=1)
    await makes(store, "later", created=later)
    assert [open_.id for open_ in await people.open_steps_of(LEAVER)] == [
        "work"
    ]
    await forget(people, store)
    assert (await store.step(TENANT, StepId("work"))).person == ANA
    kept = await store.step(TENANT, StepId("later"))
    assert kept.state is StepState.DONE
    session = SessionId(f"c/@{ANA.id}")
    assert await store.head(TENANT, session) == Head(step=StepId("later"))


async def test_being_forgotten_makes_no_room_under_ones_cap(
    engine: AsyncEngine, store: Store, people: PeopleStore
) -> None:
    caps = Caps(person_day=yuan("0.3"))
    await makes(store, "first")
    await forget(people, store)
    again = step("again", person=ANA, session=SessionId(f"c/@{ANA.id}"))
    with pytest.raises(Rejected):
        await store.begin(again, caps, NOW)
    tomorrow = NOW + timedelta(days=1)
    assert (await store.begin(again, caps, tomorrow)).id == "again"
    assert await rows_with(engine, "'~")
    await people.forget_pseudonyms(tomorrow)
    assert await rows_with(engine, "'~") == []


async def test_a_person_is_found_by_id_and_by_name_and_told_what_is_kept(
    engine: AsyncEngine, store: Store, people: PeopleStore
) -> None:
    await makes(store, "alone")
    await makes(store, "base", created=NOW + timedelta(seconds=1))
    await ReactionStore(engine).add(
        TENANT, "base", BEN.id, CountedReaction.FAVOURITE
    )
    known = [KnownPerson(tenant=TENANT, id=ANA.id, name=ANA.name)]
    assert await people.known_as(ANA.id) == known
    assert await people.known_as(ANA.name) == known
    assert [person.id for person in await people.known_as(BEN.id)] == [BEN.id]
    assert await people.known_as("U0") == []
    first, second = [
        await people.steps_of(TENANT, ANA.id, 1, after) for after in (0, 1)
    ]
    assert [made.id for made in first + second] == ["base", "alone"]
    (spent,) = await people.spent_by(TENANT, ANA.id)
    assert (spent["micros"], spent["steps"]) == (400_000, 2)
    assert await people.reactions_of(TENANT, BEN.id) == [
        {"step": "base", "kind": "favourite", "position": 0}
    ]
