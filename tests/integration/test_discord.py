"""Discord as its people use it: stories, told to the Discord on loopback by the real discord.py."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[Discord]:
    async with discord() as there:
        yield there


@pytest_asyncio.fixture
async def there(fake: Discord, tmp_path: Path) -> AsyncIterator[Discord]:
    async with easel_in(fake, tmp_path / "easel"):
        yield fake


async def test_a_newcomers_first_picture_and_its_edits(there: Discord) -> None:
    ana = there.person("Ana")
    asked = await there.command(ana, "draw", {"prompt": "a red fox", "n": 2})
    assert asked.ack_type == 5
    result = await there.sees("a red fox", button="Edit", files=2)
    print(result.words, list(result.buttons))
    edited = there.says(ana, "make it night", reply_to=result)
    night = await there.sees("make it night", button="Undo", files=1)
    print(night.words)
    await there.presses(ana, night, "Undo")
    await there.sees("v1")
