"""A real browser (Debian's Chromium) that reports errors, foreign requests and violations."""

import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)

AXE = Path(__file__).parents[1] / "samples" / "axe" / "axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
NEEDS_CHROMIUM = pytest.mark.skipif(
    not CHROMIUM,
    reason="needs Chromium: apt-get install chromium, or name it in the variable CHROMIUM",
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
STATUS = re.compile(
    r"Failed to load resource: the server responded with a status of (\d+)"
)
LOST = "net::ERR_"
PATIENCE_MS = 60_000
"""Until a wait is given up. What comes sooner is not waited for, however busy the machine."""


@dataclass(kw_only=True)
class Watched:
    """A window and everything in it that should not be.

    ``expected``: statuses that the test itself provokes.
    """

    context: BrowserContext
    page: Page
    origin: str
    wrong: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    may_lose_server: bool = False

    def watch(self, page: Page) -> None:
        """Listen to a page from its first request on."""
        page.on("console", self._note_console)
        page.on(
            "pageerror", lambda error: self.wrong.append(f"error: {error}")
        )
        page.on(
            "request",
            lambda request: self._note_request(
                request.url, request.headers.get("referer", "")
            ),
        )

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        match = STATUS.match(message.text)
        if (match and int(match[1]) in self.expected) or (
            self.may_lose_server and LOST in message.text
        ):
            return
        self.wrong.append(f"{message.type}: {message.text}")

    def _note_request(self, url: str, referer: str) -> None:
        if referer:
            self.wrong.append(f"referer: {referer}")
        parts = urlsplit(url)
        if (
            f"{parts.scheme}://{parts.netloc}" != self.origin
            and parts.scheme
            not in {
                "blob",
                "about",
            }
        ):
            self.wrong.append(f"request outside: {url}")

    async def violations(self, page: Page | None = None) -> list[str]:
        """What axe finds serious or critical on the page as it stands."""
        session = await self.context.new_cdp_session(page or self.page)
        await session.send("Runtime.evaluate", {"expression": AXE.read_text()})
        answer = await session.send(
            "Runtime.evaluate",
            {
                "expression": "axe.run().then(JSON.stringify)",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        await session.detach()
        reported: list[dict[str, Any]] = json.loads(answer["result"]["value"])[
            "violations"
        ]
        grave = [
            violation
            for violation in reported
            if violation["impact"] in {"serious", "critical"}
        ]
        return [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in grave
            for node in violation["nodes"]
        ]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One browser; each window is a separate context."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=QUIET
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def window(
    browser: Browser, address: str, **options: Any
) -> AsyncIterator[Watched]:
    """A window that must end with nothing wrong in it.

    ``options`` as Playwright's new_context takes them.
    """
    context = await browser.new_context(
        **{"viewport": {"width": 1280, "height": 860}, **options}
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    watched = Watched(context=context, page=page, origin=address)
    watched.watch(page)
    context.on("page", watched.watch)
    try:
        yield watched
    finally:
        await context.close()
    assert watched.wrong == []
