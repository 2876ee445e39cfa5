"""What Easel costs while no one asks anything.

    .venv/bin/python tests/bench/idle.py [--seconds 20] [--postgres URL]

Every model of the catalogue is used once, then the bot is restarted. Prints the processor in per
cent of a core, transactions and bytes written a second, threads, and megabytes resident.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.jobs import environment, service, thread_count  # noqa: E402
from tests.fakes import events  # noqa: E402

PHOTO = ROOT / "tests" / "samples" / "photos" / "rocket.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Cost of a process that waits.

    Per cent of a core, transactions and bytes written a second, threads, megabytes.
    """

    processor: float
    transactions: float
    written: float
    threads: int
    megabytes: float


async def measure(
    seconds: float, models: int | None = None, database: str | None = None
) -> Idle:
    """Use the models once in one process, then wait in another."""
    with tempfile.TemporaryDirectory() as folder:
        async with service(0.01) as address:
            await in_child(
                "use_models", folder, address, database, models or 0
            )
            return Idle(
                **await in_child("wait", folder, address, database, seconds)
            )


async def in_child(
    work: str, *arguments: Any, module: str = "idle"
) -> dict[str, Any]:
    """Run a function of a bench in a separate process."""
    call = f"from tests.bench import idle, {module}; idle.child({module}.{work}, {arguments!r})"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        call,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, work
    answer: dict[str, Any] = json.loads(
        output.decode().strip().splitlines()[-1]
    )
    return answer


def child(
    work: Callable[..., Coroutine[Any, Any, dict[str, Any]]],
    arguments: tuple[Any, ...],
) -> None:
    """The process."""
    print(json.dumps(asyncio.run(work(*arguments))))


def chosen_settings(folder: str, address: str, database: str | None) -> Any:
    """The same for both lives."""
    from bot import settings  # noqa: PLC0415

    overrides = {"EASEL_DATABASE_URL": database} if database else {}
    return settings.load(
        EASEL_DATA_DIR=Path(folder),
        EASEL_HTTP_PORT=0,
        DASHSCOPE_API_KEY="sk-bench",
        EASEL_DASHSCOPE_URL=f"{address}/api/v1",
        EASEL_RESULT_HOSTS=urlsplit(address).netloc,
        **overrides,
    )


async def use_models(
    folder: str, address: str, database: str | None, models: int
) -> dict[str, Any]:
    """Run one job of each model that draws, and of each that edits."""
    from bot import wiring  # noqa: PLC0415
    from bot.simulator.server import SimulatorConfig  # noqa: PLC0415
    from core.operations import Action  # noqa: PLC0415
    from core.types import Attachment, Place  # noqa: PLC0415
    from tests.fakes.memory_chat import MemoryChat  # noqa: PLC0415

    chosen = chosen_settings(folder, address, database)
    chat = MemoryChat()
    async with wiring.open_easel(
        chosen, lambda _: {"memory": chat}, simulator=SimulatorConfig()
    ) as easel:
        catalog = easel.context.catalog
        usable = [
            model
            for model in catalog.models.values()
            if "beijing" in model.regions
        ]
        jobs = []
        for number, model in enumerate(usable[: models or None]):
            draws = Action.DRAW in model.actions
            action = Action.DRAW if draws else min(model.actions)
            incoming = events.command(
                action,
                f"a fox --model {model.id}",
                key=f"e{number}",
                place=Place(platform="memory", workspace="w", channel="c"),
                person="ana",
                attachments=()
                if draws
                else (Attachment(ref=str(PHOTO), name=PHOTO.name),),
            )
            meaning = await easel.service.understand(incoming)
            if meaning is not None:
                jobs.append((await easel.service.answer(meaning)).accepted)
        ends = [await chat.end_of(job, 120) for job in jobs if job]
    return {"jobs": len(ends)}


async def wait(
    folder: str, address: str, database: str | None, seconds: float
) -> dict[str, Any]:
    """Start, let everything settle, and count what happens while nothing is asked."""
    from sqlalchemy import Engine, event  # noqa: PLC0415

    from bot import logs, run  # noqa: PLC0415

    transactions = 0

    def count(_: object) -> None:
        nonlocal transactions
        transactions += 1

    logs.set_up("json", "error", [])
    event.listen(Engine, "begin", count)
    chosen = chosen_settings(folder, address, database)
    async with run.running(chosen, role=run.Role.WORKER):
        await asyncio.sleep(2)
        written, processor, began = (
            bytes_written(),
            time.process_time(),
            transactions,
        )
        await asyncio.sleep(seconds)
        return {
            "processor": 100 * (time.process_time() - processor) / seconds,
            "transactions": (transactions - began) / seconds,
            "written": (bytes_written() - written) / seconds,
            "threads": thread_count(),
            "megabytes": resident(),
        }


def bytes_written() -> int:
    """What this process has caused to be written to disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(
        next(line for line in lines if line.startswith("write_bytes")).split()[
            1
        ]
    )


def resident() -> float:
    """Megabytes of memory this process has now."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--postgres",
        help="An empty database, such as postgresql://user:word@127.0.0.1/bench",
    )
    chosen = parser.parse_args()
    print(asyncio.run(measure(chosen.seconds, database=chosen.postgres)))


if __name__ == "__main__":
    main()
