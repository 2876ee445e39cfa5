"""Every benchmark runs, in a tiny size, and those with a goal reach it."""

from tests.bench import chatter, discord_ack, growth, slack_ack


async def test_growth_costs_nothing() -> None:
    cases = {"little": (100, 100), "much waits": (2000, 100), "much was done": (100, 4000)}
    for question, spent in (await growth.compare(cases, rounds=31)).items():
        little = spent.pop("little")
        ratios = {case: round(growth.ratio(much, little), 2) for case, much in spent.items()}
        assert max(ratios.values()) <= 1.5, (question, ratios)


async def test_slack_is_answered_beside_photos() -> None:
    found = await slack_ack.measure(count=20, photos=1, passes=1)
    assert len(found.ours) == len(found.bare) == 20
    assert found.collections == []


async def test_discord_is_answered_and_events_leave_nothing_behind() -> None:
    found = await discord_ack.measure(count=10, photos=1, passes=1, events=100)
    assert len(found.ours) == len(found.bare) == 10
    assert found.memory[-1] < found.memory[0] + 20


async def test_talk_that_is_not_for_us_costs_one_look_at_most() -> None:
    found = await chatter.measure(count=100, draws=1)
    one, others, reactions = (cost.transactions for cost in found.costs.values())
    assert one < 0.5
    assert others < 1.5
    assert reactions < 1.5
    assert all(cost.log < 1 for cost in found.costs.values())
