"""Processes that a benchmark starts.

Each is watched, so that one that dies at once is an error instead of a long wait.
"""

import asyncio
import gc
import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
# What stands in for the image service is stopped with calls in it.
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Transactions begun, bytes written to files and to the log, seconds of the processor."""

    transactions: float
    written: float
    log: float
    seconds: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            transactions=self.transactions - other.transactions,
            written=self.written - other.written,
            log=self.log - other.log,
            seconds=self.seconds - other.seconds,
        )

    def __mul__(self, times: float) -> "Cost":
        return Cost(
            transactions=self.transactions * times,
            written=self.written * times,
            log=self.log * times,
            seconds=self.seconds * times,
        )

    def __str__(self) -> str:
        return (
            f"{self.transactions:.2f} transactions, {self.written:.0f} bytes of files, "
            f"{self.log:.0f} of log, {self.seconds * 1000:.2f} ms of processor"
        )


EASEL = Path(__file__).with_name("easel_child.py")


class Child:
    """A Python program of Easel's; it says that it is ready by writing a file."""

    def __init__(
        self, program: str | Path, *arguments: str, folder: Path
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ready = folder / "ready"
        self._errors = folder / "errors"
        self._log = folder / "log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", str(program), *arguments]
        with self._errors.open("wb") as errors, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=errors
            )

    async def ready(self) -> str:
        """What it wrote when it was ready.

        Raises RuntimeError with its last words when it ended instead.
        """
        ends = time.monotonic() + START_SECONDS
        while not (self._ready.exists() and self._ready.read_text()):
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(
                    f"{self.folder.name} did not start: {self._errors.read_text()[-4000:]}"
                )
            await asyncio.sleep(0.05)
        return self._ready.read_text()

    def kill(self) -> None:
        """End it at once; what it has not done does not matter."""
        self.process.kill()
        self.process.wait(30)

    def seconds(self) -> float:
        """The processor's time it has used."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat")
            .read_text()
            .rpartition(")")[2]
            .split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Its resident memory, in MiB."""
        pages = int(
            Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        )
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def cost(self) -> "Cost":
        """What it has used up so far."""
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        written = {
            name: int(number)
            for name, number in (line.split(": ") for line in lines)
        }["wchar"]
        transactions = int((self.folder / "transactions").read_text() or 0)
        log = self._log.stat().st_size + self._errors.stat().st_size
        return Cost(
            transactions=transactions,
            written=written - log,
            log=log,
            seconds=self.seconds(),
        )

    def collections(self, since: float) -> list[float]:
        """Milliseconds of each full garbage collection since a moment of ``time.monotonic``."""
        path = self.folder / "collections"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        collections = [json.loads(line) for line in lines]
        return [length for at, length in collections if at >= since]


def tell_ready(folder: Path, word: str = "ready") -> None:
    """Say, in the child, that it may be used now."""
    waiting = folder / "almost"
    waiting.write_text(word)
    waiting.rename(folder / "ready")


def watch_collections(folder: Path) -> None:
    """Write down each full garbage collection of this process."""
    began = 0.0

    def note(phase: str, facts: dict[str, Any]) -> None:
        nonlocal began
        if facts["generation"] < 2:
            return
        if phase == "start":
            began = time.monotonic()
            return
        with (folder / "collections").open("a") as file:
            file.write(
                json.dumps([began, (time.monotonic() - began) * 1000]) + "\n"
            )

    gc.callbacks.append(note)


class OneCommit:
    """The plainest way to store a command: one thread, one durable commit each."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._database = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE kept (id TEXT PRIMARY KEY, body TEXT NOT NULL)"
        )

    async def keep(self, name: str, body: object) -> None:
        """Return once it is durable."""

        def insert() -> None:
            statement = "INSERT OR IGNORE INTO kept VALUES (?, ?)"
            self._database.execute(statement, (name, json.dumps(body)))

        await asyncio.get_running_loop().run_in_executor(self._thread, insert)


async def until(is_so: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError
        await asyncio.sleep(0.05)


def percentile(times: list[float], percent: int) -> float:
    """One of the hundred cuts."""
    return quantiles(times, n=100, method="inclusive")[percent - 1]


def summary(times: list[float]) -> str:
    """The figures as one line to read."""
    half, most = percentile(times, 50), max(times)
    return (
        f"p50 {half:.1f} ms, p99 {percentile(times, 99):.1f}, most {most:.1f}"
    )
