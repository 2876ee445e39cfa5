"""Fixtures for every test: a simulator, photos, and nothing of the developer's own environment."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.server import Running, SimulatorConfig, serve

PHOTOS = Path(__file__).parent / "samples" / "photos"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, setting or .env of the developer reaches a test."""
    for name in list(os.environ):
        if name.startswith(("EASEL_", "DASHSCOPE_", "SLACK_", "DISCORD_", "FAILPOINTS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EASEL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[Running]:
    """A quick simulator in this loop: tasks take 50 to 150 ms."""
    async with serve(SimulatorConfig(time_scale=0.01, seed=7)) as running:
        yield running


@pytest.fixture
def photo() -> bytes:
    """A real photograph, 600 × 400, PNG."""
    return (PHOTOS / "coffee.png").read_bytes()
