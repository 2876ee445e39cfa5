"""How soon Discord is answered, and how much memory events take: interactions, each durably kept, while pictures are
being processed; then ten thousand messages, reactions and presses.

Run: ``python tests/bench/discord_ack.py``. Bot, image service and the Discord on loopback have a process each.
Prints the time from the event's sending to the acknowledgement's arrival, as that Discord sees it
(goal: p99 at most 50 ms), and the bot's resident memory before and after.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
COUNT, PACE = 300, 0.02
PHOTOS = 6
"""Pictures being edited when the interactions come."""
EVENTS, BATCH = 10_000, 100


async def bot(folder: Path, urls: dict[str, str], ready: Path) -> None:
    """The bot under test, in this process."""
    from bot import run, settings  # noqa: PLC0415

    chosen = settings.load(EASEL_DATA_DIR=folder, EASEL_HTTP_PORT=0, **urls)
    async with run.running(chosen):
        ready.touch()
        await asyncio.Event().wait()


async def simulator(where: Path) -> None:
    """The image service, until this process is ended."""
    from bot.simulator.server import SimulatorConfig, serve  # noqa: PLC0415

    os.nice(15)  # It has a machine of its own in life.
    async with serve(SimulatorConfig(time_scale=0.4, seed=1)) as running:
        where.write_text(json.dumps({"EASEL_DASHSCOPE_URL": running.url, "EASEL_RESULT_HOSTS": running.host}))
        await asyncio.Event().wait()


async def measure() -> None:
    """Start everything, edit some photos, command, print; tell ten thousand events, print."""
    from tests.fakes.discord.driver import discord  # noqa: PLC0415
    from tests.fakes.discord.world import World  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp())
    ready, there = folder / "ready", folder / "there"
    service = subprocess.Popen([sys.executable, __file__, str(there)])  # noqa: ASYNC220
    async with discord(World(content_granted=True)) as fake:
        await fake.until(lambda: there.exists() and there.read_text(), 30)
        urls = {**fake.settings(), "DASHSCOPE_API_KEY": "sk-simulator", **json.loads(there.read_text())}
        arguments = [sys.executable, __file__, str(folder / "data"), json.dumps(urls), str(ready)]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            await fake.until(lambda: ready.exists() and fake.world.commands.get(""), 60)
            await fake.connected()
            times = await acknowledged(fake)
            cuts = quantiles(times, n=100)
            print(  # noqa: T201
                f"{COUNT} commands, one each {PACE * 1000:.0f} ms, beside {PHOTOS} edits: acknowledged after median "
                f"{cuts[49]:.1f} ms, p95 {cuts[94]:.1f}, p99 {cuts[98]:.1f}, most {max(times):.1f} ms"
            )
            await remembered(fake, process.pid)
        finally:
            for one in (process, service):
                one.terminate()
                one.wait(60)


async def acknowledged(fake: Any) -> list[float]:
    """Milliseconds until each command was acknowledged."""
    people = [fake.person(f"p{at}") for at in range(20)]
    photo = (ROOT / "tests/samples/photos/rocket.jpg").read_bytes()
    for at in range(PHOTOS):
        fake.says(people[at], f"{fake.mention} make it night {at}", files={"rocket.jpg": photo})
    await asyncio.sleep(0.5)

    async def one(at: int) -> float:
        await asyncio.sleep(at * PACE)
        asked = await fake.command(people[at % 20], "easel info")
        assert not asked.refused
        return float(asked.ack_seconds * 1000)

    return await asyncio.gather(*(one(at) for at in range(COUNT)))


async def remembered(fake: Any, pid: int) -> None:
    """Resident memory before and after events of every kind, once the bot has worked on them."""
    ana = fake.person("Ana")
    result = await fake.sees("make it night", button="Edit", files=1, seconds=120)
    # Each photo once as it was given, and once as it became.
    await fake.until(lambda: len([one for one in fake.world.messages if one.files]) >= 2 * PHOTOS, 120)
    before = rss(pid)
    press = next(one for label, one in result.buttons.items() if "2" in label or "Edit" in label)
    for at in range(EVENTS // BATCH):
        for number in range(BATCH // 20):
            for word in range(15):
                fake.says(ana, f"good morning {at} {number} {word}")
            fake.reacts(ana, result, "🎉")
            fake.reacts(ana, result, "🎉", added=False)
            fake.says(ana, "what a picture", kind=7)
            fake.says(ana, "see you")
            made = fake.interacting.press(ana, result, press, [], fake.general)
            await fake.until(lambda: made.ack_type is not None, 30)  # noqa: B023
        fake.world.messages[:] = [one for one in fake.world.messages if one.author != ana.id]
        if at % 25 == 24:
            print(f"  {(at + 1) * BATCH} events: {rss(pid):.0f} MiB")  # noqa: T201
    print(f"{EVENTS} events: resident {before:.0f} MiB before, {rss(pid):.0f} MiB after")  # noqa: T201


def rss(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        asyncio.run(simulator(Path(sys.argv[1])))
    elif len(sys.argv) > 1:
        asyncio.run(bot(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])))
    else:
        asyncio.run(measure())
