"""Easel in a separate process, as ``easel run`` starts it; it writes down what it costs.

Usage: ``easel_child.py FOLDER SETTINGS``, the settings as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from bot import run
from bot.memory import tune_garbage_collection
from bot.settings import load
from tests.bench.children import tell_ready, watch_collections

TELL_SECONDS = 0.05


class Transactions:
    """Counts the transactions begun in all databases, and writes the count to a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "transactions"
        self._begun = 0
        event.listen(Engine, "begin", self._count)

    def _count(self, _connection: Connection) -> None:
        self._begun += 1

    async def tell(self) -> None:
        """Until cancelled."""
        while True:
            self._path.write_text(f"{self._begun:12d}")
            await asyncio.sleep(TELL_SECONDS)


async def main(folder: Path, settings: dict[str, str]) -> None:
    """Until killed."""
    transactions = Transactions(folder)
    chosen = load(
        EASEL_DATA_DIR=folder / "data", EASEL_HTTP_PORT=0, **settings
    )
    async with run.running(chosen) as running:
        tune_garbage_collection()
        watch_collections(folder)
        telling = asyncio.create_task(transactions.tell())
        tell_ready(folder, f"http://127.0.0.1:{running.port}")
        await telling


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
