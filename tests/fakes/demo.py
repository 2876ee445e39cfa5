"""The demo as a separate process: used in a browser, stopped, killed, restarted on its data."""

import asyncio
import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.lives import ROOT, Life, Parent

ADDRESS = re.compile(r"(http://[\d.:]+)/room")


@dataclass(kw_only=True)
class Demo:
    """One data folder and one port.

    ``settings`` are variables of its environment; ``parent`` forks it.
    """

    parent: Parent
    data: Path
    time_scale: float = 0.05
    settings: dict[str, str] = field(default_factory=dict)
    address: str = ""
    life: Life | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended."""
        return self.life is not None and not self.life.ended.done()

    async def start(self) -> None:
        """Wait until its address is printed; after the first time at the same port."""
        port = self.address.rpartition(":")[2] or "0"
        words = [
            "demo",
            "--data",
            str(self.data),
            "--port",
            port,
            "--time-scale",
            str(self.time_scale),
        ]
        environment = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("EASEL_", "DASHSCOPE_"))
        }
        printed = self.data.with_suffix(".printed")
        printed.unlink(missing_ok=True)
        self.life = await self.parent.begin(
            {
                "words": words,
                "folder": str(ROOT),
                "environment": {**environment, **self.settings},
                "out": str(printed),
                "error": str(printed),
            },
        )
        async with asyncio.timeout(60):
            while not (
                match := ADDRESS.search(
                    printed.read_text() if printed.exists() else ""
                )
            ):
                assert self.is_running, printed.read_text()
                await asyncio.sleep(0.02)
        self.address = match[1]

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Send Ctrl-C or another signal; return the exit code, negative for a signal."""
        assert self.life
        self.life.kill(number)
        return await self.life.ended
