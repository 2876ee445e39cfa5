"""Every benchmark with a tiny size: none is broken unseen, and what it counts stays so."""

from tests.bench import chatter, discord_ack, slack_ack


async def test_slack_is_answered_beside_photos() -> None:
    found = await slack_ack.measure(count=20, photos=1, passes=1)
    assert len(found.ours) == len(found.bare) == 20
    assert found.collections == []


async def test_discord_is_answered_and_events_leave_nothing_behind() -> None:
    found = await discord_ack.measure(count=10, photos=1, passes=1, events=100)
    assert len(found.ours) == len(found.bare) == 10
    assert found.memory[-1] < found.memory[0] + 20


async def test_talk_that_is_not_for_us_costs_one_look_at_most() -> None:
    found = await chatter.measure(count=40, draws=1)
    one, others, reactions = (cost.transactions for cost in found.costs.values())
    assert one < 0.5
    assert others < 1.5
    assert reactions < 1.5
    assert all(cost.log < 1 for cost in found.costs.values())
