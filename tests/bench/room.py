"""The room's figures.

    python tests/bench/room.py [--changes 200] [--pages 400]

Paint: bytes until the first paint. Change: from the commit in the room's database to the page's
DOM. State: from the moment the bot writes down that the service works on a job (taken just before
that commit, so the commit is inside) to the DOM saying so. Pages: from the POST of one word to the
last stream that brought it, beside one page alone, and the processor time of the server's own
process (the pages are another process). All on loopback.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from playwright.async_api import Page

from bot.simulator.server import SimulatorConfig
from core.types import Tenant
from tests.fakes.browser import chromium
from tests.fakes.house import House, open_house

WATCH = """() => {
    window.seen = {};
    new MutationObserver(() => {
        const now = performance.timeOrigin + performance.now();
        for (const text of document.querySelectorAll("#messages .text")) {
          window.seen[text.textContent] ??= now;
        }
    }).observe(document.querySelector("#messages"), { childList: true, subtree: true });
}"""


async def first_paint(page: Page, address: str) -> tuple[int, float]:
    """Bytes over the wire of everything loaded, and milliseconds until something was painted."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    loaded: list[float] = []
    session.on(
        "Network.loadingFinished",
        lambda event: loaded.append(event["encodedDataLength"]),
    )
    await page.goto(f"{address}/room", wait_until="networkidle")
    painted = await page.evaluate(
        "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    return round(sum(loaded)), painted


async def changes(page: Page, house: House, count: int) -> list[float]:
    """Seconds from commit to DOM of ``count`` changes of one message.

    A change may be seen only together with the next.
    """
    body: dict[str, Any] = {
        "tone": "status",
        "title": "",
        "progress": 0,
        "pictures": [],
        "buttons": [],
        "menu": [],
    }
    number = await house.room.add_message(
        "general", "", {**body, "text": "bench 0"}
    )
    committed: dict[str, float] = {}
    for at in range(1, count + 1):
        await house.room.edit_message(number, {**body, "text": f"bench {at}"})
        committed[f"bench {at}"] = time.time()
        await asyncio.sleep(0.02)
    await house.room.edit_message(
        number, {**body, "tone": "note", "text": "done"}
    )
    await asyncio.sleep(0.5)
    seen = await page.evaluate("() => window.seen")
    appeared = float(seen["done"])
    waited = []
    for text, moment in reversed(committed.items()):
        appeared = min(appeared, seen.get(text, appeared))
        waited.append(max(0.0, appeared / 1000 - moment))
    return waited


async def states(page: Page, house: House, count: int) -> list[float]:
    """Seconds from the service taking a job to the DOM saying that it is at work."""
    ana = await house.enters("Ana")
    states: list[float] = []
    for _ in range(count):
        job = (await ana.says("/draw a fox --size 1328*1328"))["accepted"]
        await page.evaluate("() => { window.seen = {}; }")
        await page.locator(
            "#messages [data-tone=status]", has_text="left"
        ).last.wait_for()
        step = await house.easel.context.store.step(Tenant("web:room"), job)
        seen = await page.evaluate("() => window.seen")
        at = min(at for text, at in seen.items() if "left" in text)
        assert step.submitted
        states.append(at / 1000 - step.submitted.timestamp())
        await ana.waits_for("result")
        await page.locator("#messages [data-tone=status]").wait_for(
            state="detached"
        )
    return states


def summary_line(name: str, seconds: list[float]) -> str:
    """One line."""
    last = quantiles(seconds, n=20)[-1]
    average, longest = mean(seconds) * 1000, max(seconds) * 1000
    return f"{name}: mean {average:.1f} ms, p95 {last * 1000:.1f} ms, max {longest:.1f} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Cost until every open page had a word.

    Seconds, and seconds of the server's processor.
    """

    wall: float
    processor: float


@asynccontextmanager
async def open_pages(house: House, count: int) -> AsyncIterator[Process]:
    """Open a page for each of so many people, in a separate process."""
    keys = [
        (await house.room.enter(f"p{at}", f"P{at}"))[1] for at in range(count)
    ]
    script = str(Path(__file__).with_name("open_pages.py"))
    host, port = house.address.removeprefix("http://").split(":")
    pages = await asyncio.create_subprocess_exec(
        sys.executable, script, host, port, stdin=PIPE, stdout=PIPE
    )
    try:
        assert await told_pages(pages, " ".join(keys)) == "open"
        yield pages
    finally:
        pages.kill()
        await pages.communicate()


async def told_pages(pages: Process, line: str) -> str:
    """Tell the process of the pages something, and what it answers."""
    assert pages.stdin
    pages.stdin.write(f"{line}\n".encode())
    return await heard_from(pages)


async def heard_from(pages: Process) -> str:
    """The next line of the process of the pages."""
    assert pages.stdout
    return (await pages.stdout.readline()).decode().strip()


async def spread(house: House, count: int, words: int = 5) -> Spread:
    """The median of some words said with ``count`` pages open."""
    ana = await house.enters("Ana")
    costs = []
    async with open_pages(house, count) as pages:
        for at in range(words):
            # A question to others: other words would be offered as a drawing.
            word = f"bench-{count}-{at}-word?"
            assert await told_pages(pages, word) == "expecting"
            wall, processor = time.monotonic(), time.process_time()
            await ana.says(word)
            last = float(await heard_from(pages))
            costs.append(
                Spread(
                    wall=last - wall, processor=time.process_time() - processor
                )
            )
    return Spread(
        wall=median(cost.wall for cost in costs),
        processor=median(cost.processor for cost in costs),
    )


async def idle(house: House, count: int, seconds: float) -> float:
    """Share of a core the server takes while ``count`` pages are open and nothing happens."""
    async with open_pages(house, count):
        await asyncio.sleep(1)
        processor = time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - processor) / seconds


async def with_pages(house: House, count: int) -> None:
    """Measure and print what many open pages cost."""
    alone = await spread(house, 1)
    many = await spread(house, count)
    print(
        f"one word, 1 page: {alone.wall:.3f} s, processor {alone.processor:.3f} s"
    )
    print(
        f"one word, {count} pages (goal 0.3 s): {many.wall:.3f} s, processor {many.processor:.3f} s"
    )
    print(
        f"ratio: {many.wall / alone.wall:.1f}, processor {many.processor / alone.processor:.1f}"
    )
    print(f"idle, no page: {await idle(house, 0, 30):.2%} of a core")
    print(f"idle, {count} pages: {await idle(house, count, 30):.2%} of a core")


async def in_browser(house: House, count: int) -> None:
    """Measure and print what a page sees."""
    async with chromium() as browser:
        page = await browser.new_page()
        loaded, painted = await first_paint(page, house.address)
        print(
            f"first paint: {loaded / 1000:.1f} kB over the wire (goal 100), {painted:.0f} ms"
        )
        await page.fill("#name", "Ana")
        await page.click("#enter button.primary")
        await page.locator("#channel-title", has_text="general").wait_for()
        await page.evaluate(WATCH)
        print(
            summary_line(
                f"change seen, {count} changes (goal 100)",
                await changes(page, house, count),
            )
        )
        print(
            summary_line(
                "state seen, 10 jobs (goal 100)", await states(page, house, 10)
            )
        )


async def main(count: int, pages: int) -> None:
    """Measure and print."""
    config = SimulatorConfig(time_scale=0.1, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder), config) as house:
            if pages:
                await with_pages(house, pages)
            if count:
                await in_browser(house, count)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--changes", type=int, default=200)
    asked.add_argument("--pages", type=int, default=400)
    chosen = asked.parse_args()
    asyncio.run(main(chosen.changes, chosen.pages))
