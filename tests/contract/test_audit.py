"""The audit log and the table of usage, on every database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from core.audit import ASKED, SET, AuditEntry
from core.budgets import Caps
from core.storage.store import Store
from core.types import Money, Person
from tests.fakes.steps import NOW, PLACE, step

TENANT = PLACE.tenant
ANA, BO = Person(id="ana", name="Ana"), Person(id="bo", name="Bo")
PRICE = Money(amount=Decimal("0.2"), currency="CNY")
DAY = timedelta(days=1)


def entry(id_: str, hours: int, after: str = "5") -> AuditEntry:
    return AuditEntry(
        id=id_,
        at=NOW + timedelta(hours=hours),
        act=SET,
        person=ANA,
        subject="person_day",
        after=after,
    )


async def test_the_log_holds_acts_and_requests_in_order_and_each_once(
    store: Store,
) -> None:
    await store.save_settings(TENANT, {"a": 1}, [entry("one", 1)])
    await store.record(TENANT, [entry("two", 3), entry("one", 9, "again")])
    drawn = step("drawn", person=BO, created=NOW + timedelta(hours=2))
    await store.begin(replace(drawn, price=PRICE), Caps(), NOW)
    other = replace(PLACE, workspace="other")
    await store.record(other.tenant, [entry("elsewhere", 1)])
    log = await store.audit(TENANT, 10)
    assert [one.id for one in log] == ["two", "drawn", "one"]
    asked = log[1]
    assert (asked.act, asked.subject, asked.person) == (ASKED, "draw", BO)
    assert asked.cost == PRICE
    assert log[2] == entry("one", 1)
    assert await store.count_audit(TENANT) == 3
    assert await store.audit(TENANT, 1, offset=2) == log[2:]
    await store.forget_workspace(TENANT)
    assert await store.count_audit(TENANT) == 0
    assert await store.count_audit(other.tenant) == 1


async def test_usage_by_model_adds_up_what_is_held_and_charged(
    store: Store,
) -> None:
    for name, person, model, days in (
        ("a", ANA, "one", 0),
        ("b", ANA, "one", 0),
        ("c", ANA, "two", 0),
        ("d", BO, "one", 1),
        ("early", BO, "one", -3),
    ):
        made = step(name, person=person, model=model)
        at = NOW + days * DAY
        await store.begin(replace(made, price=PRICE), Caps(), at)
    await store.request_cancel(TENANT, step("c").id, NOW + DAY)
    usage = await store.usage_by_model(TENANT, NOW)
    rows = [
        (row.day, row.person.name, row.model, row.jobs, row.total.amount)
        for row in usage
    ]
    today, tomorrow = f"{NOW:%Y-%m-%d}", f"{NOW + DAY:%Y-%m-%d}"
    assert rows == [
        (today, "Ana", "one", 2, Decimal("0.4")),
        (today, "Ana", "two", 1, Decimal(0)),
        (tomorrow, "Bo", "one", 1, Decimal("0.2")),
    ]
    assert {row.total.currency for row in usage} == {"CNY"}
