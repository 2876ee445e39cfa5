"""How soon we know that a task is done, and how many queries that takes.

    .venv/bin/python tests/bench/watcher.py

The real client asks the simulator over HTTP, at the real pace (tasks of 5 to 15 s).
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx

from bot import logs
from bot.clock import WallClock
from bot.simulator.server import Running, SimulatorConfig, serve
from core.catalog import Catalog
from core.operations import Action
from core.providers.dashscope import catalog_text
from core.providers.dashscope.client import DashScope
from core.types import StepId, Task, Tenant, Work
from tests.fakes.steps import dashscope

CASES = {
    "2 running": [("qwen-image-plus", 20)],
    "20 running": [
        ("qwen-image-plus", 8),
        ("qwen-image", 8),
        ("wan2.6-t2i", 20),
        ("wan2.5-t2i-preview", 20),
        ("wan2.2-t2i-plus", 8),
        ("wan2.2-t2i-flash", 8),
    ],
    "200 in flight, 2 running": [("qwen-image-plus", 200)],
}
LONGEST = 100.0
"""Seconds of a case: with 200 in flight the first forty or so tell enough."""


async def measure(
    name: str,
    batches: Sequence[tuple[str, int]],
    catalog: Catalog,
    scale: float = 1.0,
) -> None:
    """Submit everything at once, wait for each, print lag and queries."""
    config = SimulatorConfig(time_scale=scale, rate_limits=False, seed=11)
    async with (
        serve(config) as simulator,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        client = DashScope(
            account=dashscope(),
            client=http,
            base_url=simulator.url,
            api_key=config.api_key,
            catalog=catalog,
            read=_nothing,
            result_hosts=[simulator.host],
            clock=WallClock(),
        )
        works = [
            _work(model, catalog)
            for model, count in batches
            for _ in range(count)
        ]
        tasks = [
            (work, await _submit(http, simulator, work)) for work in works
        ]
        started, queries = time.time(), simulator.account.queries
        lags: list[float] = []
        waits = [
            asyncio.create_task(_lag(client, simulator, work, task, lags))
            for work, task in tasks
        ]
        await asyncio.wait(waits, timeout=LONGEST)
        spent = time.time() - started
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await client.close()
        lags.sort()
        print(
            f"{name}: lag mean {statistics.mean(lags):.3f} s, "
            f"p95 {lags[int(len(lags) * 0.95)]:.3f} s over {len(lags)} "
            f"tasks; {(simulator.account.queries - queries) / spent:.1f} queries a second"
        )


async def _submit(
    http: httpx.AsyncClient, simulator: Running, work: Work
) -> Task:
    """Straight to the service: the submit's own pace is not measured here."""
    is_messages = work.model.startswith("wan2.6")
    path = (
        "image-generation/generation"
        if is_messages
        else "text2image/image-synthesis"
    )
    content = (
        {"messages": [{"role": "user", "content": [{"text": "fox"}]}]}
        if is_messages
        else {"prompt": "fox"}
    )
    headers = {
        "Authorization": "Bearer sk-simulator",
        "X-DashScope-Async": "enable",
    }
    body = {"model": work.model, "input": content, "parameters": {"n": 1}}
    answer = await http.post(
        f"{simulator.url}/services/aigc/{path}", json=body, headers=headers
    )
    return Task(id=answer.json()["output"]["task_id"], request_id="")


async def _lag(
    client: DashScope,
    simulator: Running,
    work: Work,
    task: Task,
    lags: list[float],
) -> None:
    began = time.time()
    await client.wait(work, task)
    # One that ended while the others were still being submitted was not waited for yet.
    lags.append(
        time.time() - max(simulator.account.tasks[task.id].ended or 0, began)
    )


async def _nothing(_tenant: str, _key: str) -> bytes:
    return b""


def _work(model: str, catalog: Catalog) -> Work:
    return Work(
        step=StepId("s"),
        tenant=Tenant("t"),
        model=model,
        account="beijing",
        action=Action.DRAW,
        prompt="fox",
        negative=None,
        n=1,
        size=catalog.model(model).size.default,
        seed=1,
        prompt_extend=True,
        watermark=False,
    )


async def main() -> None:
    """Every case in turn."""
    logs.set_up("json", "error", [])
    catalog = Catalog.load(catalog_text())
    for name, batches in CASES.items():
        await measure(name, batches, catalog)


if __name__ == "__main__":
    asyncio.run(main())
