"""Processor time of a start until the bot is ready, with many jobs in the line against none.

    .venv/bin/python tests/bench/start.py [--queued 10000]

Each start is a separate process; its imports count.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from core.storage import database  # noqa: E402
from tests.bench import growth  # noqa: E402
from tests.bench.idle import chosen_settings, in_child  # noqa: E402
from tests.bench.jobs import service  # noqa: E402


async def measure(queued: int) -> dict[int, float]:
    """Seconds of processor until ready, by the number of jobs in the line."""
    spent = {}
    growth.PLACE = replace(
        growth.PLACE, platform="terminal"
    )  # one this bot speaks to
    async with service(1.0) as address:
        for count in (0, queued):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/easel.db"
                await database.migrate(url)
                await asyncio.to_thread(growth.build, url, count, 0)
                answer = await in_child(
                    "get_ready", folder, address, module="start"
                )
            spent[count] = answer["processor"]
    return spent


async def get_ready(folder: str, address: str) -> dict[str, Any]:
    """Start, and stop once ready."""
    from bot import logs, run  # noqa: PLC0415

    logs.set_up("json", "critical", [])
    async with run.running(
        chosen_settings(folder, address, None), role=run.Role.WORKER
    ):
        return {"processor": time.process_time()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=10_000)
    spent = asyncio.run(measure(parser.parse_args().queued))
    empty, full = spent.values()
    print(
        f"ready after {empty:.2f} s of processor with none, {full:.2f} s with many: "
        f"{full / empty:.2f} times"
    )


if __name__ == "__main__":
    main()
