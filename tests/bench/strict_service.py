"""An image service that knows nothing of Easel and is no kinder than the real one.

It runs in a separate process. Two submissions a second and two tasks at once for a model, twenty
questions a second for the account; synchronous calls beyond two at once are refused. Every result
is the same picture of about 1.5 MB. Posts come back here, so that one clock measures from a task's
end to its post.
"""

import asyncio
import json
import random
import time
import uuid
from collections import defaultdict, deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from aiohttp import web
from PIL import Image

BEIJING = timedelta(hours=8)
RUNNING = 2
SIDE = 706
"""Pixels of a side of the result: noise does not compress, so it has about 1.5 MB."""


def result() -> bytes:
    """A PNG of noise."""
    noise = random.Random(1).randbytes(SIDE * SIDE * 3)
    stream = BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), noise).save(
        stream, "PNG", compress_level=1
    )
    return stream.getvalue()


class Service:
    """``scale`` times 5–15 seconds a task.

    ``strict_running`` refuses tasks beyond two instead of queueing them.
    """

    def __init__(
        self, scale: float, seed: int = 42, *, strict_running: bool = False
    ) -> None:
        self.luck = random.Random(seed)
        self.scale = scale
        self.strict_running = strict_running
        self.picture = result()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, float] = {}
        self.posts: dict[str, float] = {}
        self.refused = {"submit": 0, "query": 0}
        self.most_running = 0
        self._at_work: defaultdict[str, int] = defaultdict(int)
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(RUNNING)
        )
        self._submits: defaultdict[str, deque[float]] = defaultdict(deque)
        self._queries: deque[float] = deque()
        self._running: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """The vendor's paths, and ours."""
        app = web.Application(client_max_size=64 << 20)
        api = "/api/v1/services/aigc"
        for path in (
            "text2image/image-synthesis",
            "image2image/image-synthesis",
            "image-generation/generation",
        ):
            app.router.add_post(f"{api}/{path}", self.submit)
        app.router.add_post(
            f"{api}/multimodal-generation/generation", self.call
        )
        app.router.add_get("/api/v1/tasks/{id}", self.task)
        app.router.add_get("/api/v1/tasks", self.listed)
        app.router.add_get("/result/{id}", self.download)
        app.router.add_post("/post/{prompt}", self.post)
        app.router.add_get("/figures", self.figures)
        return app

    async def submit(self, request: web.Request) -> web.Response:
        """An asynchronous task."""
        body = await request.json()
        model = body["model"]
        full = self.strict_running and self._at_work[model] >= RUNNING
        if full or not within(self._submits[model], 2, 1.0):
            self.refused["submit"] += 1
            return refusal()
        task = self._accept(model, prompt_of(body["input"]))
        work = asyncio.create_task(self._work(task))
        self._running.add(work)
        work.add_done_callback(self._running.discard)
        return web.json_response(
            {
                "output": {"task_id": task["id"], "task_status": "PENDING"},
                "request_id": task["id"],
            }
        )

    async def call(self, request: web.Request) -> web.Response:
        """A synchronous call."""
        body = await request.json()
        model = body["model"]
        if self._at_work[model] >= RUNNING or not within(
            self._submits[model], 2, 1.0
        ):
            self.refused["submit"] += 1
            return refusal()
        task = self._accept(model, prompt_of(body["input"]))
        await self._work(task)
        content = [{"image": self._url(request, task["id"])}]
        choices = [
            {
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ]
        return web.json_response(
            {
                "output": {"choices": choices},
                "usage": {"image_count": 1},
                "request_id": task["id"],
            }
        )

    async def task(self, request: web.Request) -> web.Response:
        """Where a task stands."""
        if not within(self._queries, 20, 1.0):
            self.refused["query"] += 1
            return refusal()
        task = self.tasks[request.match_info["id"]]
        output = {
            "task_id": task["id"],
            "task_status": task["state"],
            **task["times"],
        }
        if task["state"] == "SUCCEEDED":
            output["results"] = [{"url": self._url(request, task["id"])}]
        return web.json_response(
            {
                "output": output,
                "usage": {"image_count": 1},
                "request_id": task["id"],
            }
        )

    async def listed(self, request: web.Request) -> web.Response:
        """List the account's tasks, newest first."""
        if not within(self._queries, 20, 1.0):
            self.refused["query"] += 1
            return refusal()
        page, size = (
            int(request.query["page_no"]),
            int(request.query["page_size"]),
        )
        newest = list(reversed(self.tasks.values()))
        rows = [
            {
                "task_id": task["id"],
                "status": task["state"],
                "model_name": task["model"],
                **task["times"],
            }
            for task in newest[(page - 1) * size : page * size]
        ]
        pages = -(-len(newest) // size)
        return web.json_response(
            {
                "data": rows,
                "total_page": pages,
                "page_no": page,
                "request_id": "list",
            }
        )

    async def download(self, _: web.Request) -> web.Response:
        """The picture."""
        return web.Response(body=self.picture, content_type="image/png")

    async def post(self, request: web.Request) -> web.Response:
        """What the chat platform would get."""
        assert len(await request.read()) > 1_000_000
        self.posts.setdefault(request.match_info["prompt"], time.time())
        return web.Response()

    async def figures(self, _: web.Request) -> web.Response:
        """What was measured: everything since the last question."""
        tasks = list(self.tasks.values())
        answer = {
            "durations": [task["duration"] for task in tasks],
            "accepted": [task["accepted"] for task in tasks],
            "ends": {
                task["prompt"]: self.ends[task["id"]]
                for task in tasks
                if task["id"] in self.ends
            },
            "posts": dict(self.posts),
            "refused": dict(self.refused),
            "most_running": self.most_running,
        }
        self.refused = {"submit": 0, "query": 0}
        self.most_running = 0
        for memory in (self.tasks, self.ends, self.posts):
            memory.clear()
        return web.json_response(answer)

    def _accept(self, model: str, prompt: str) -> dict[str, Any]:
        task: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "model": model,
            "prompt": prompt,
            "state": "PENDING",
            "duration": self.luck.uniform(5, 15) * self.scale,
            "accepted": time.time(),
            "times": {"submit_time": stamp()},
        }
        self._at_work[model] += 1
        self.tasks[task["id"]] = task
        return task

    async def _work(self, task: dict[str, Any]) -> None:
        async with self._slots[task["model"]]:
            task["state"] = "RUNNING"
            task["times"]["scheduled_time"] = stamp()
            running = sum(
                other["state"] == "RUNNING" for other in self.tasks.values()
            )
            self.most_running = max(self.most_running, running)
            await asyncio.sleep(task["duration"])
            task["state"] = "SUCCEEDED"
            task["times"]["end_time"] = stamp()
            self.ends[task["id"]] = time.time()
            self._at_work[task["model"]] -= 1

    def _url(self, request: web.Request, task: str) -> str:
        return f"http://{request.host}/result/{task}"


def prompt_of(given: dict[str, Any]) -> str:
    """The words, whichever way the model takes them."""
    if "messages" in given:
        return str(given["messages"][0]["content"][-1]["text"])
    return str(given["prompt"])


def within(times: deque[float], count: int, seconds: float) -> bool:
    """May one more happen in this period?"""
    now = time.monotonic()
    while times and times[0] <= now - seconds:
        times.popleft()
    if len(times) >= count:
        return False
    times.append(now)
    return True


def refusal() -> web.Response:
    """Too much at once, in the vendor's words."""
    body = {
        "code": "Throttling",
        "message": "Requests throttling triggered.",
        "request_id": "refused",
    }
    return web.json_response(body, status=429)


def stamp() -> str:
    """Beijing's clock without a zone."""
    return f"{datetime.now(UTC) + BEIJING:%Y-%m-%d %H:%M:%S.%f}"[:-3]


async def serve(scale: float, *, strict_running: bool = False) -> None:
    """Serve until killed; the first line printed is the port."""
    runner = web.AppRunner(
        Service(scale, strict_running=strict_running).app(), access_log=None
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps(runner.addresses[0][1]), flush=True)
    await asyncio.Event().wait()


def main(scale: float, *, strict_running: bool = False) -> None:
    """The process."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(scale, strict_running=strict_running))
