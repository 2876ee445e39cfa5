"""Cost of a job, use of the account, and delay of a result, beside a bare loop in one run.

    .venv/bin/python tests/bench/jobs.py [--jobs 20] [--scale 1] [--model qwen-image-plus]

The service (tests/bench/strict_service.py), the bot and the bare loop are separate processes. The
bound is the least time the durations take on two slots that never idle; efficiency is bound /
measured, from the first acceptance to the last task's end. The lag is from a task's end at the
service to its picture posted. The bare loop keeps two tasks submitted, asks for each, downloads,
posts, and remembers nothing.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

SYNC_MODELS = ("qwen-image-2.0", "qwen-image-edit-plus")
PACE = 0.55
"""Seconds between two submissions of the bare loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of one client.

    Seconds of processor a job, efficiency, lags in seconds, refusals, threads, megabytes.
    """

    jobs: int
    processor: float
    efficiency: float
    lag_mean: float
    lag_p95: float
    refused: Mapping[str, int]
    threads: int
    megabytes: float


@asynccontextmanager
async def service(
    scale: float, *, strict_running: bool = False
) -> AsyncIterator[str]:
    """The service's address."""
    arguments = f"{scale}, strict_running={strict_running}"
    call = f"from tests.bench.strict_service import main; main({arguments})"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        call,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout
    try:
        port = json.loads(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


def environment() -> dict[str, str]:
    """Environment of a child: the repository on its path, and not the bench."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
        "EASEL_LOG_LEVEL": "error",
        "EASEL_MOST_WAITING": "10000",
    }


async def client(name: str, address: str, jobs: int, model: str) -> Figures:
    """Run one client in a separate process and work out its figures."""
    call = f"from tests.bench import jobs; jobs.child({name!r}, {address!r}, {jobs}, {model!r})"
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
    assert process.returncode == 0, name
    own = json.loads(output.decode().strip().splitlines()[-1])
    async with httpx.AsyncClient(trust_env=False) as http:
        seen = (await http.get(f"{address}/figures", timeout=60)).json()
    return work_out(jobs, own, seen)


def work_out(
    jobs: int, own: Mapping[str, Any], seen: Mapping[str, Any]
) -> Figures:
    """Figures from what the client and the service say."""
    assert len(seen["posts"]) == jobs, (
        f"{len(seen['posts'])} of {jobs} were posted"
    )
    lags = sorted(
        posted - seen["ends"][prompt]
        for prompt, posted in seen["posts"].items()
    )
    measured = max(seen["ends"].values()) - min(seen["accepted"])
    bound = sum(seen["durations"]) / 2
    return Figures(
        jobs=jobs,
        processor=own["processor"] / jobs,
        efficiency=bound / measured,
        lag_mean=statistics.mean(lags),
        lag_p95=lags[int(len(lags) * 0.95)] if len(lags) > 1 else lags[0],
        refused=seen["refused"],
        threads=own["threads"],
        megabytes=own["megabytes"],
    )


def child(name: str, address: str, jobs: int, model: str) -> None:
    """The client's process: prints what it used itself."""
    threads: list[int] = []
    runs = {"easel": easel, "bare": bare}
    processor = asyncio.run(runs[name](address, jobs, model, threads))
    # The processes of pictures have ended with it.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor += children.ru_utime + children.ru_stime
    print(
        json.dumps(
            {
                "processor": processor,
                "threads": max(threads),
                "megabytes": megabytes(),
            }
        )
    )


async def easel(
    address: str, jobs: int, model: str, threads: list[int]
) -> float:
    """Run the whole of Easel with a chat that posts to the service.

    Return the seconds of processor while the jobs ran.
    """
    from bot import logs, settings, wiring  # noqa: PLC0415
    from bot.simulator.server import SimulatorConfig  # noqa: PLC0415
    from core.operations import Action  # noqa: PLC0415
    from core.types import Place  # noqa: PLC0415
    from tests.fakes import events  # noqa: PLC0415
    from tests.fakes.posting_chat import PostingChat  # noqa: PLC0415

    logs.set_up("json", "error", [])
    with tempfile.TemporaryDirectory() as folder:
        chosen = settings.load(
            EASEL_DATA_DIR=Path(folder),
            DASHSCOPE_API_KEY="sk-bench",
            EASEL_DASHSCOPE_URL=f"{address}/api/v1",
            EASEL_RESULT_HOSTS=urlsplit(address).netloc,
        )
        async with (
            httpx.AsyncClient(trust_env=False, base_url=address) as http,
            wiring.open_easel(
                chosen,
                lambda blobs: {"bench": PostingChat(http, blobs)},
                simulator=SimulatorConfig(),
            ) as opened,
        ):
            chat = opened.context.chats["bench"]
            assert isinstance(chat, PostingChat)
            started = time.process_time()
            for number in range(jobs):
                person = f"p{number % 4}"
                await opened.service.receive(
                    events.command(
                        Action.DRAW,
                        f"fox {number} --model {model}",
                        key=f"e{number}",
                        place=Place(
                            platform="bench", workspace="w", channel="c"
                        ),
                        person=person,
                    )
                )
            while len(chat.results) < jobs:
                threads.append(thread_count())
                await asyncio.sleep(0.2)
            return time.process_time() - started


async def bare(
    address: str, jobs: int, model: str, threads: list[int]
) -> float:
    """Run a loop without memory: submit, ask, download, post."""
    slots = asyncio.Semaphore(2)
    pace = asyncio.Lock()
    started = time.process_time()

    async def one_job(http: httpx.AsyncClient, number: int) -> None:
        prompt = f"fox {number}"
        async with slots:
            async with pace:
                await asyncio.sleep(PACE)
            ask = ask_sync if model in SYNC_MODELS else ask_async
            url = await ask(http, model, prompt)
        picture = (await http.get(url)).content
        threads.append(thread_count())
        await http.post(f"/post/{quote(prompt)}", content=picture)

    async with httpx.AsyncClient(
        trust_env=False, base_url=address, timeout=120
    ) as http:
        await asyncio.gather(
            *(one_job(http, number) for number in range(jobs))
        )
    return time.process_time() - started


async def ask_async(http: httpx.AsyncClient, model: str, prompt: str) -> str:
    """Submit a task and ask for it seven times a second."""
    path = "/api/v1/services/aigc/text2image/image-synthesis"
    task = (
        await http.post(
            path, json={"model": model, "input": {"prompt": prompt}}
        )
    ).json()["output"]["task_id"]
    while True:
        await asyncio.sleep(1 / 7)
        output = (
            (await http.get(f"/api/v1/tasks/{task}")).json().get("output", {})
        )
        if output.get("task_status") == "SUCCEEDED":
            return str(output["results"][0]["url"])


async def ask_sync(http: httpx.AsyncClient, model: str, prompt: str) -> str:
    """One synchronous call."""
    path = "/api/v1/services/aigc/multimodal-generation/generation"
    messages = [{"role": "user", "content": [{"text": prompt}]}]
    answer = (
        await http.post(
            path, json={"model": model, "input": {"messages": messages}}
        )
    ).json()
    return str(
        answer["output"]["choices"][0]["message"]["content"][0]["image"]
    )


def thread_count() -> int:
    """Threads of this process, those of libraries included."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("Threads:")[1].split()[0])


def megabytes() -> float:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(
    jobs: int, scale: float, model: str, *, strict_running: bool = False
) -> tuple[Figures, Figures]:
    """Easel and the bare loop against one service."""
    async with service(scale, strict_running=strict_running) as address:
        return await client("easel", address, jobs, model), await client(
            "bare", address, jobs, model
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--model", default="qwen-image-plus")
    parser.add_argument("--strict-running", action="store_true")
    chosen = parser.parse_args()
    figures = asyncio.run(
        measure(
            chosen.jobs,
            chosen.scale,
            chosen.model,
            strict_running=chosen.strict_running,
        )
    )
    for name, row in zip(("easel", "bare loop"), figures, strict=True):
        print(f"{name:10} {row}")


if __name__ == "__main__":
    main()
