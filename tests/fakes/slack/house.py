"""An Easel on the Slack on loopback, in this loop, with a simulator of the image service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot import run, settings
from bot.simulator.server import SimulatorConfig
from tests.fakes.slack.driver import Slack


@asynccontextmanager
async def easel_in(
    fake: Slack,
    folder: Path,
    *,
    socket: bool = False,
    config: SimulatorConfig | None = None,
    **changes: Any,
) -> AsyncIterator[run.Running]:
    """Start it with the settings that lead to the fake, and wait until it is found there."""
    folder.mkdir(parents=True, exist_ok=True)
    overrides = {
        "EASEL_DATA_DIR": folder,
        "EASEL_HTTP_PORT": 0,
        **fake.settings(socket=socket),
        **changes,
    }
    chosen = settings.load(
        **{
            name: setting
            for name, setting in overrides.items()
            if setting is not None
        }
    )
    async with run.running(
        chosen, simulator=config or SimulatorConfig(time_scale=0.01, seed=7)
    ) as bot:
        fake.url = "" if socket else f"http://127.0.0.1:{bot.port}"
        yield bot
