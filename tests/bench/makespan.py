"""How much of the account's capacity is used: 20 jobs of one model, through the whole of Easel, at the real pace.

    .venv/bin/python tests/bench/makespan.py [--jobs 20] [--time-scale 1]

The bound is the least time the same durations, in the order they were started, take on two slots that never idle.
Efficiency is bound / measured, measured from the first request to the last task's end at the service; the lag is from
a task's end at the service to its result posted. Goals: reference/performance.md §7.
"""

import argparse
import asyncio
import heapq
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bot import logs, settings, wiring
from bot.simulator.account import Account
from bot.simulator.server import SimulatorConfig, serve
from core.types import Action, Person, Place, Request
from tests.fakes.memory_chat import MemoryChat

PLACE = Place(platform="memory", workspace="w", channel="c")


async def measure(jobs: int, scale: float, folder: Path) -> None:
    """Run the jobs and print the figures."""
    config = SimulatorConfig(time_scale=scale, seed=42)
    async with serve(config) as simulator:
        chosen = settings.load(
            EASEL_DATA_DIR=folder,
            DASHSCOPE_API_KEY=config.api_key,
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
        )
        chat = MemoryChat()
        async with wiring.open_easel(chosen, lambda _: {"memory": chat}, simulator=config) as easel:
            await warm_up(easel, chat)
            simulator.account.tasks.clear()
            posted: dict[str, float] = {}
            started = time.time()
            asked = [await easel.service.handle(wish(number)) for number in range(jobs)]
            ends = [asyncio.create_task(note_end(chat, answer.accepted or "", posted)) for answer in asked]
            await asyncio.gather(*ends)
            await report(easel, simulator.account, started, posted)


async def warm_up(easel: wiring.Easel, chat: MemoryChat) -> None:
    """One job before the clock starts: DBOS sets a new queue up within a second, once in its life."""
    answer = await easel.service.handle(wish(-1))
    await chat.end_of(answer.accepted or "", 120)


def wish(number: int) -> Request:
    """One of four people asks for a fox."""
    person = f"p{number % 4}"
    return Request(
        key=f"e{number}",
        place=PLACE,
        person=Person(id=person, name=person),
        locale="en",
        action=Action.DRAW,
        text=f"fox {number} --model qwen-image-plus",
    )


async def note_end(chat: MemoryChat, job: str, posted: dict[str, float]) -> None:
    """When the job's result stood in the chat."""
    await chat.end_of(job, 3600)
    posted[job] = time.time()


def bound(durations: list[float], slots: int = 2) -> float:
    """Seconds the durations take in this order on slots that never idle."""
    free = [0.0] * slots
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


async def report(easel: wiring.Easel, account: Account, started: float, posted: dict[str, float]) -> None:
    """Print efficiency, lag and refusals."""
    tasks = sorted(account.tasks.values(), key=lambda task: task.started or 0)
    least = bound([(task.ended or 0) - (task.started or 0) for task in tasks])
    measured = max(task.ended or 0 for task in tasks) - started
    ended = {task.id: task.ended or 0 for task in tasks}
    lags = [posted[job] - ended[(await easel.tools.store.step(PLACE.tenant, job)).task_id or ""] for job in posted]
    lags.sort()
    print(f"jobs {len(tasks)} · bound {least:.2f} s · measured {measured:.2f} s · efficiency {least / measured:.4f}")  # noqa: T201
    print(  # noqa: T201
        f"from the service's end to the result posted: mean {statistics.mean(lags):.3f} s, "
        f"p95 {lags[int(len(lags) * 0.95)]:.3f} s"
    )
    print(  # noqa: T201
        f"refused submits {account.refused_submits} · refused queries {account.refused_queries} · "
        f"queries {account.queries} in {measured:.0f} s · most running {account.max_running}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--time-scale", type=float, default=1.0)
    chosen = parser.parse_args()
    logs.set_up("json", "error", [])
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(chosen.jobs, chosen.time_scale, Path(folder)))


if __name__ == "__main__":
    main()
