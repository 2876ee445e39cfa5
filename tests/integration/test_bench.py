"""Every benchmark runs, in a tiny size, and those with a goal reach it."""

from tests.bench import growth


async def test_growth_costs_nothing() -> None:
    cases = {"little": (100, 100), "much waits": (2000, 100), "much was done": (100, 4000)}
    for question, spent in (await growth.compare(cases, rounds=31)).items():
        little = spent.pop("little")
        ratios = {case: round(growth.ratio(much, little), 2) for case, much in spent.items()}
        assert max(ratios.values()) <= 1.5, (question, ratios)
