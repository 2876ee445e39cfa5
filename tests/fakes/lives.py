"""Processes that a test starts, kills and stops; forked by tests/fakes/forking.py."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIFE_SECONDS = 60


class Life:
    """A child of a forking parent; ``ended`` holds its exit status, negative: the signal."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.Future()

    async def is_killed(self) -> bool:
        """Wait for its end; return whether it was SIGKILL."""
        return await self.status() == -signal.SIGKILL

    async def status(self) -> int:
        """Wait for its end; a life that goes on for ever is an error."""
        async with asyncio.timeout(LIFE_SECONDS):
            return await asyncio.shield(self.ended)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Parent:
    """The process that forks the lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lives: dict[int, Life] = {}
        self._begun: asyncio.Queue[Life] = asyncio.Queue()
        self._beginning = asyncio.Lock()
        self._listening = asyncio.create_task(self._listen())

    async def begin(self, life: Mapping[str, Any]) -> Life:
        """Fork a child that lives this life."""
        assert self._process.stdin
        async with self._beginning:
            self._process.stdin.write(json.dumps(life).encode() + b"\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(LIFE_SECONDS):
                return await self._begun.get()

    async def close(self) -> None:
        """Kill what a failed test has left."""
        for life in self._lives.values():
            life.kill()
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            pid, *status = json.loads(line)
            if status:
                self._lives.pop(pid).ended.set_result(*status)
            else:
                self._lives[pid] = Life(pid)
                self._begun.put_nowait(self._lives[pid])


@asynccontextmanager
async def forking_parent(
    module: str = "tests.fakes.forking",
) -> AsyncIterator[Parent]:
    """The process that forks the lives: of ``easel`` itself, or what else the module lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 22,
    )
    parent = Parent(process)
    try:
        yield parent
    finally:
        await parent.close()


@asynccontextmanager
async def running(
    parent: Parent,
    environment: Mapping[str, str],
    point: str,
    is_connected: Callable[[], bool],
    **more: Any,
) -> AsyncIterator[Life]:
    """``easel run``, connected; killed at the named place, or told to stop in the end.

    ``more``: see tests/fakes/forking.py.
    """
    armed = {"FAILPOINTS": f"{point}=kill"} if point else {}
    life = await parent.begin(
        {
            "words": ["run"],
            "folder": str(ROOT),
            "environment": {**environment, **armed},
            **more,
        },
    )
    try:
        async with asyncio.timeout(30):
            while not is_connected() and not life.ended.done():
                await asyncio.sleep(0.01)
        yield life
    finally:
        life.kill(signal.SIGTERM)
        await life.status()


@asynccontextmanager
async def worker_beside(
    parent: Parent, environment: Mapping[str, str], folder: Path
) -> AsyncIterator[Life]:
    """A worker on the same database, ready; it takes over from the dead, and nothing else."""
    log = folder / "worker.log"
    log.touch()
    own = {
        **environment,
        "EASEL_DATA_DIR": str(folder / "worker"),
        "EASEL_LOG_FORMAT": "json",
        "EASEL_LOG_LEVEL": "info",
    }
    is_ready = lambda: '"ready"' in log.read_text()  # noqa: E731
    async with running(
        parent,
        own,
        "",
        is_ready,
        words=["run", "--role", "worker"],
        only_takes_over=True,
        out=str(log),
        error=str(log),
    ) as life:
        yield life
