"""How soon Slack is answered.

    .venv/bin/python tests/bench/slack_ack.py [passes]

Signed commands come at 500 a second, each durably stored, with and without pictures beside. In
each pass a fresh Easel edits six photos, and the same commands go first to a bare slack-bolt app
in a separate process, which makes one durable SQLite commit for each, then to Easel. So the ratio
holds on a busy machine too (goals: p99 at most 1.5 × the bare app's; 20 ms on an idle one). Slack,
the image service and the sender of the commands are separate processes here, and machines in life.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.children import (
    EASEL,
    ROOT,
    Child,
    OneCommit,
    percentile,
    summary,
    tell_ready,
)

COUNT, PACE, CALM = 500, 0.002, 0.01
"""Commands, and seconds between two: 500 a second, more than one commit each may bear, and 100 a
second."""
PHOTOS = 6
"""Pictures being edited when the commands come."""
PASSES = 3
SETTLE = 1.0
"""Seconds after a start before anything is measured."""


@dataclass(kw_only=True)
class Acknowledged:
    """Milliseconds from a command's first byte to its acknowledgement.

    Also Easel's full garbage collections then.
    """

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Milliseconds of processor time per command while they came: Easel's and the bare app's."""
    collections: list[float] = field(default_factory=list)

    def ratio(self, percent: int) -> float:
        """Ours by the bare app's."""
        return percentile(self.ours, percent) / percentile(self.bare, percent)

    def __str__(self) -> str:
        ratios = f"p50 x{self.ratio(50):.2f}, p99 x{self.ratio(99):.2f}"
        longest = max(self.collections, default=0.0)
        easel = sum(self.processor[::2]) / max(1, len(self.processor[::2]))
        bare = sum(self.processor[1::2]) / max(1, len(self.processor[1::2]))
        return (
            f"  Easel {summary(self.ours)}\n  bare  {summary(self.bare)}\n  ratio {ratios}\n"
            f"  processor {easel:.2f} ms a command beside {bare:.2f}; "
            f"{len(self.collections)} full collections, the longest {longest:.0f} ms"
        )


async def measure(
    count: int = COUNT,
    photos: int = PHOTOS,
    passes: int = PASSES,
    pace: float = PACE,
) -> Acknowledged:
    """Start everything, edit some photos, send the commands."""
    measured = Acknowledged()
    for _ in range(passes):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            await _one_pass(Path(folder), measured, count, photos, pace)
    return measured


async def _one_pass(
    folder: Path, measured: Acknowledged, count: int, photos: int, pace: float
) -> None:
    from bot.simulator.server import SimulatorConfig, serve  # noqa: PLC0415
    from tests.fakes.slack.driver import slack  # noqa: PLC0415

    async with (
        serve(SimulatorConfig(time_scale=1.0, seed=1)) as simulator,
        slack() as fake,
    ):
        settings = {
            **fake.settings(),
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": simulator.url,
            "EASEL_RESULT_HOSTS": simulator.host,
        }
        easel, bare = folder / "easel", folder / "bare"
        children = [
            Child(EASEL, str(easel), json.dumps(settings), folder=easel),
            Child(__file__, "bare", str(bare), folder=bare),
        ]
        try:
            fake.url = await children[0].ready()
            other = await children[1].ready()
            await asyncio.sleep(SETTLE)
            bodies = _commands(fake, count)
            await _edit(fake, photos)
            before = children[1].seconds()
            measured.bare += await _send_all(other, bodies, pace)
            spent_by_bare = children[1].seconds() - before
            await _edit(fake, photos)
            before, began = children[0].seconds(), time.monotonic()
            measured.ours += await _send_all(fake.url, bodies, pace)
            spent = children[0].seconds() - before
            measured.processor += [
                spent * 1000 / count,
                spent_by_bare * 1000 / count,
            ]
            measured.collections += children[0].collections(began)
        finally:
            for child in children:
                child.kill()


async def _edit(fake: Any, photos: int) -> None:
    photo = (ROOT / "tests/samples/photos/rocket.jpg").read_bytes()
    for at in range(photos):
        person = fake.person(f"painter {at}")
        file = person.uploads(photo, "rocket.jpg")
        words = f"{person.easel} make it night {at}"
        await person.says(words, files=[file], as_events=("message",))


def _commands(fake: Any, count: int) -> list[bytes]:
    from tests.fakes.slack.driver import sample  # noqa: PLC0415

    people = [fake.person(f"p{at}") for at in range(20)]
    bodies = []
    for at in range(count):
        body = sample("slash_command") | {
            "team_id": fake.workspace.id,
            "channel_id": fake.general,
            "user_id": people[at % 20].id,
            "text": f"a fox number {at}",
            "trigger_id": f"{at}.bench",
        }
        bodies.append(urlencode(body).encode())
    return bodies


async def _send_all(url: str, bodies: list[bytes], pace: float) -> list[float]:
    sender = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        __file__,
        "send",
        str(pace),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    times, _ = await sender.communicate(b"\n".join([url.encode(), *bodies]))
    assert sender.returncode == 0
    return list(json.loads(times))


async def send(url: str, bodies: list[bytes], pace: float) -> list[float]:
    """Send each command at its moment; return the milliseconds until answered with 200."""
    from tests.fakes.slack.driver import sign  # noqa: PLC0415

    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector) as http:
        began = time.perf_counter()

        async def deliver(at: int, data: bytes) -> float:
            await asyncio.sleep(
                max(0.0, began + at * pace - time.perf_counter())
            )
            headers = {
                **sign(data),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            start = time.perf_counter()
            async with http.post(
                f"{url}/slack/events", data=BytesIO(data), headers=headers
            ) as answer:
                await answer.read()
                assert answer.status == 200
            return (time.perf_counter() - start) * 1000

        return await asyncio.gather(
            *(deliver(at, body) for at, body in enumerate(bodies))
        )


async def bare(folder: Path) -> None:
    """Run the smallest app that is as safe.

    It is slack-bolt with one durable commit before the acknowledgement.
    """
    from slack_bolt.adapter.starlette import async_handler  # noqa: PLC0415
    from slack_bolt.async_app import AsyncAck, AsyncApp  # noqa: PLC0415
    from slack_bolt.authorization import AuthorizeResult  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    from adapters.web.app import bind, serving  # noqa: PLC0415
    from tests.fakes.slack.driver import SECRET  # noqa: PLC0415

    async def authorize(
        enterprise_id: str | None, team_id: str | None
    ) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=""
        )

    commits = OneCommit(folder / "kept.db")
    # With process_before_response Bolt answers as soon as the listener has ended; without, from a
    # poll of 10 ms.
    app = AsyncApp(
        signing_secret=SECRET,
        authorize=authorize,
        process_before_response=True,
    )

    @app.command("/draw")
    async def draw(ack: AsyncAck, body: dict[str, Any]) -> None:
        await commits.keep(body["trigger_id"], body)
        await ack()

    handler = async_handler.AsyncSlackRequestHandler(app)
    web = Starlette(
        routes=[Route("/slack/events", handler.handle, methods=["POST"])]
    )
    listening = bind("127.0.0.1", 0)
    async with serving(web, listening):
        tell_ready(folder, f"http://127.0.0.1:{listening.getsockname()[1]}")
        await asyncio.Event().wait()


async def main(passes: int) -> None:
    """Print both."""
    for pace in (CALM, PACE):
        for photos in (0, PHOTOS):
            measured = await measure(photos=photos, passes=passes, pace=pace)
            print(
                f"{COUNT} commands, one each {pace * 1000:.0f} ms, beside {photos} edits, "
                f"{passes} passes:\n{measured}"
            )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", pace]:
            where, *what = sys.stdin.buffer.read().split(b"\n")
            print(
                json.dumps(
                    asyncio.run(send(where.decode(), what, float(pace)))
                )
            )
        case ["bare", place]:
            asyncio.run(bare(Path(place)))
        case arguments:
            asyncio.run(main(int(arguments[0]) if arguments else PASSES))
