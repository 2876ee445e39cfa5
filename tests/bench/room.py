"""The room's two figures: bytes until its first paint, and how soon a change is seen after its commit.

    python tests/bench/room.py [changes]

Change: from the commit in the room's database to the page's DOM. State: from the moment the bot writes down that the
service works on a job (taken just before that commit, so the commit is inside) to the DOM saying so. All on loopback.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from playwright.async_api import Page

from bot.simulator.server import SimulatorConfig
from tests.fakes.browser import chromium
from tests.fakes.house import House, open_house

WATCH = """() => {
    window.seen = {};
    new MutationObserver(() => {
        const now = performance.timeOrigin + performance.now();
        for (const one of document.querySelectorAll("#messages .text")) window.seen[one.textContent] ??= now;
    }).observe(document.querySelector("#messages"), { childList: true, subtree: true });
}"""


async def first_paint(page: Page, address: str) -> tuple[int, float]:
    """Bytes over the wire of everything loaded, and milliseconds until something was painted."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    loaded: list[float] = []
    session.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    await page.goto(f"{address}/room", wait_until="networkidle")
    painted = await page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return round(sum(loaded)), painted


async def changes(page: Page, house: House, count: int) -> list[float]:
    """Seconds from commit to DOM of ``count`` changes of one message."""
    body: dict[str, Any] = {"tone": "status", "title": "", "progress": 0, "pictures": [], "buttons": [], "menu": []}
    number = await house.room.say("general", "", {**body, "text": "bench 0"})
    committed: dict[str, float] = {}
    for at in range(1, count + 1):
        await house.room.change(number, {**body, "text": f"bench {at}"})
        committed[f"bench {at}"] = time.time()
        await asyncio.sleep(0.02)
    await house.room.change(number, {**body, "tone": "note", "text": "done"})
    await asyncio.sleep(0.5)
    seen = await page.evaluate("() => window.seen")
    return [max(0.0, seen[text] / 1000 - at) for text, at in committed.items()]


async def states(page: Page, house: House, count: int) -> list[float]:
    """Seconds from the service taking a job to the DOM saying that it is at work."""
    ana = await house.enters("Ana")
    found: list[float] = []
    for _ in range(count):
        job = (await ana.says("/draw a fox --size 1328*1328"))["accepted"]
        await page.evaluate("() => { window.seen = {}; }")
        await page.locator("#messages [data-tone=status]", has_text="left").last.wait_for()
        step = await house.easel.tools.store.step("web:room", job)
        seen = await page.evaluate("() => window.seen")
        at = min(at for text, at in seen.items() if "left" in text)
        assert step.submitted
        found.append(at / 1000 - step.submitted.timestamp())
        await ana.waits_for("result")
        await page.locator("#messages [data-tone=status]").wait_for(state="detached")
    return found


def told(name: str, seconds: list[float]) -> str:
    """One line."""
    last = quantiles(seconds, n=20)[-1]
    return f"{name}: mean {mean(seconds) * 1000:.1f} ms, p95 {last * 1000:.1f} ms, max {max(seconds) * 1000:.1f} ms"


async def main(count: int) -> None:
    """Measure and print."""
    config = SimulatorConfig(time_scale=0.1, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder), config) as house, chromium() as browser:
            page = await browser.new_page()
            loaded, painted = await first_paint(page, house.address)
            print(f"first paint: {loaded / 1000:.1f} kB over the wire (goal 100), {painted:.0f} ms")  # noqa: T201
            await page.fill("#name", "Ana")
            await page.click("#enter button.primary")
            await page.locator("#channel-title", has_text="general").wait_for()
            await page.evaluate(WATCH)
            print(told(f"change seen, {count} changes (goal 100)", await changes(page, house, count)))  # noqa: T201
            print(told("state seen, 10 jobs (goal 100)", await states(page, house, 10)))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
