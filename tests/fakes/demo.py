"""The demo as a process of its own, to be used in a browser, stopped, killed and started again on the same data."""

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from bot.cli import main; main()", "demo"]


@dataclass(kw_only=True)
class Demo:
    """One data folder and one port; ``settings`` are variables of its environment."""

    data: Path
    time_scale: float = 0.05
    settings: dict[str, str] = field(default_factory=dict)
    address: str = ""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until its address is printed; after the first time at the same port."""
        port = self.address.rpartition(":")[2] or "0"
        words = ["--data", str(self.data), "--port", port, "--time-scale", str(self.time_scale)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EASEL_", "DASHSCOPE_"))}
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            env={**kept, "PYTHONPATH": str(ROOT), **self.settings},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self.process.stdout
        said = ""
        async with asyncio.timeout(30):
            while not (found := re.search(r"(http://[\d.:]+)/room", said)):
                line = await self.process.stdout.readline()
                assert line, said
                said += line.decode()
        self.address = found[1]

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; its exit code, negative for a signal that ended it."""
        assert self.process
        self.process.send_signal(number)
        await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode
