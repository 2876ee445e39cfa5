"""How soon Slack is answered: 500 signed commands in a second, each durably kept, while pictures are being processed.

Run: ``python tests/bench/slack_ack.py``. The load comes from a process of its own; so do the Slack and the image
service. Prints the time from the request's first byte to the acknowledgement, as the sender sees it (goal: p99 at most
20 ms).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlencode

import aiohttp

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
COUNT, PACE = 500, 0.002
PHOTOS = 6
"""Pictures being edited when the commands come."""


async def bot(folder: Path, urls: dict[str, str], ready: Path) -> None:
    """The bot under test, in this process."""
    from bot import run, settings  # noqa: PLC0415

    chosen = settings.load(EASEL_DATA_DIR=folder, EASEL_HTTP_PORT=0, **urls)
    async with run.running(chosen) as running:
        ready.write_text(f"http://127.0.0.1:{running.port}")
        await asyncio.Event().wait()


async def measure() -> None:
    """Start everything, edit some photos, send the commands, print."""
    from bot.simulator.server import SimulatorConfig, serve  # noqa: PLC0415
    from tests.fakes.slack.driver import sample, slack  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp())
    async with serve(SimulatorConfig(time_scale=1.0, seed=1)) as simulator, slack() as fake:
        urls = {
            **fake.settings(),
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": simulator.url,
            "EASEL_RESULT_HOSTS": simulator.host,
        }
        ready = folder / "ready"
        arguments = [sys.executable, __file__, str(folder / "data"), json.dumps(urls), str(ready)]
        sender = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "send", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process = subprocess.Popen(arguments, env={**os.environ, "EASEL_LOG_LEVEL": "error"})  # noqa: ASYNC220
        try:
            await fake.until(ready.exists, 30)
            os.nice(15)  # What stands in for Slack and the image service has machines of its own in life.
            fake.url = ready.read_text()
            people = [fake.person(f"p{at}") for at in range(20)]
            photo = (ROOT / "tests/samples/photos/rocket.jpg").read_bytes()
            for at in range(PHOTOS):
                person = people[at]
                file = person.uploads(photo, "rocket.jpg")
                await person.says(f"{person.easel} make it night {at}", files=[file], as_events=("message",))
            bodies = []
            for at in range(COUNT):
                body = sample("slash_command") | {
                    "channel_id": fake.general,
                    "user_id": people[at % 20].id,
                    "text": f"a fox number {at}",
                    "trigger_id": f"{at}.bench",
                }
                bodies.append(urlencode(body).encode())
            told, _ = await sender.communicate(b"\n".join([fake.url.encode(), *bodies]))
            times = json.loads(told)
        finally:
            process.terminate()
            process.wait(30)
    cuts = quantiles(times, n=100)
    print(  # noqa: T201
        f"{COUNT} commands, one each {PACE * 1000:.0f} ms: acknowledged after median {cuts[49]:.1f} ms, "
        f"p95 {cuts[94]:.1f}, p99 {cuts[98]:.1f}, most {max(times):.1f} ms"
    )


async def send(url: str, bodies: list[bytes]) -> list[float]:
    """Each at its moment; milliseconds until answered with 200."""
    from tests.fakes.slack.driver import sign  # noqa: PLC0415

    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector) as http:
        began = time.perf_counter()

        async def one(at: int, data: bytes) -> float:
            await asyncio.sleep(max(0.0, began + at * PACE - time.perf_counter()))
            headers = {**sign(data), "Content-Type": "application/x-www-form-urlencoded"}
            start = time.perf_counter()
            async with http.post(f"{url}/slack/events", data=BytesIO(data), headers=headers) as answer:
                await answer.read()
                assert answer.status == 200
            return (time.perf_counter() - start) * 1000

        return await asyncio.gather(*(one(at, data) for at, data in enumerate(bodies)))


if __name__ == "__main__":
    if sys.argv[1:] == ["send"]:
        where, *what = sys.stdin.buffer.read().split(b"\n")
        print(json.dumps(asyncio.run(send(where.decode(), what))))  # noqa: T201
    elif len(sys.argv) > 1:
        asyncio.run(bot(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])))
    else:
        asyncio.run(measure())
