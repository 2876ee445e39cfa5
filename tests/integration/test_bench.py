"""Every benchmark at a tiny size: none is broken unseen, and what it gates stays as cheap as it is."""

from pathlib import Path

from bot.simulator.server import SimulatorConfig
from tests.bench import room
from tests.fakes.house import open_house


async def test_a_word_costs_each_open_page_of_the_room_less_than_a_millisecond(tmp_path: Path) -> None:
    pages = 40
    async with open_house(tmp_path, SimulatorConfig(time_scale=0.01, seed=3)) as house:
        alone = await room.spread(house, 1)
        many = await room.spread(house, pages)
    assert (many.processor - alone.processor) / (pages - 1) < 0.001
