"""Start, kill and examine tests/fakes/killed_bot.py; the simulator outlives it."""

import asyncio
import hashlib
import json
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.simulator.server import Running, SimulatorConfig, serve
from core.incoming import Incoming, Kind
from core.operations import Action
from core.types import Attachment, Person, Place, to_json

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "tests" / "samples" / "photos"
PLACE = Place(platform="journal", workspace="w", channel="c")
LIFE_SECONDS = 60
PRICES = {
    "qwen-image-plus": 200_000,
    "wanx2.1-imageedit": 140_000,
    "qwen-image-edit-plus": 200_000,
}


def command_event(
    number: int, action: Action, text: str, photo: str = ""
) -> Incoming:
    """A command as a platform delivers it, again and again until it is acknowledged."""
    attachments = (Attachment(ref=str(PHOTOS / photo)),) if photo else ()
    return Incoming(
        key=f"event-{number}",
        kind=Kind.COMMAND,
        place=PLACE,
        person=Person(id=f"p{number % 3}", name="Ana"),
        locale="en",
        operation=action.value,
        words=text,
        attachments=attachments,
    )


class Life:
    """A child of a forking parent."""

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self.ended = ended

    async def is_killed(self) -> bool:
        """Wait for its end; return whether it was SIGKILL."""
        async with asyncio.timeout(LIFE_SECONDS):
            return await asyncio.shield(self.ended) == -signal.SIGKILL

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


_latest: dict[int, Life] = {}
"""The child of each parent, which has one at a time."""


async def begin(
    parent: asyncio.subprocess.Process, life: Mapping[str, Any]
) -> Life:
    """Fork a child that lives this life."""
    if (left := _latest.get(parent.pid)) and not left.ended.done():
        # Its test failed before it was over.
        left.kill()
        await left.ended
    assert parent.stdin
    assert parent.stdout
    parent.stdin.write(json.dumps(life).encode() + b"\n")
    await parent.stdin.drain()
    pid = int(await parent.stdout.readline())
    _latest[parent.pid] = Life(
        pid, asyncio.create_task(_status(parent.stdout))
    )
    return _latest[parent.pid]


async def _status(answers: asyncio.StreamReader) -> int:
    return int(await answers.readline())


@asynccontextmanager
async def running(
    parent: asyncio.subprocess.Process,
    environment: Mapping[str, str],
    point: str,
    is_connected: Callable[[], bool],
) -> AsyncIterator[Life]:
    """``easel run``, connected; killed at the named place, or told to stop in the end."""
    armed = {"FAILPOINTS": f"{point}=kill"} if point else {}
    life = await begin(
        parent,
        {
            "words": ["run"],
            "folder": str(ROOT),
            "environment": {**environment, **armed},
        },
    )
    try:
        async with asyncio.timeout(30):
            while not is_connected() and not life.ended.done():
                await asyncio.sleep(0.01)
        yield life
    finally:
        life.kill(signal.SIGTERM)
        await asyncio.wait_for(life.ended, LIFE_SECONDS)


@dataclass(kw_only=True)
class KilledBot:
    """The forking parent, the simulator of the test at hand, and how often the bot was killed."""

    parent: asyncio.subprocess.Process
    simulator: Running
    kills: int = 0

    async def live(
        self,
        folder: Path,
        events: Sequence[Incoming],
        *,
        failpoints: str = "",
        mutant: str = "",
        after: float | None = None,
    ) -> int:
        """Live one life; a kill from outside comes ``after`` so many seconds.

        Return its exit status, negative: the signal.
        """
        life = {
            "folder": str(folder),
            "url": self.simulator.url,
            "host": self.simulator.host,
            "failpoints": failpoints,
            "mutant": mutant,
            "requests": [to_json(event) for event in events],
        }
        begun = await begin(self.parent, life)
        if after is not None:
            await asyncio.sleep(after)
            begun.kill()
        async with asyncio.timeout(LIFE_SECONDS):
            status = await begun.ended
        self.kills += status == -signal.SIGKILL
        return status


@asynccontextmanager
async def forking_parent(
    module: str = "tests.fakes.killed_bot",
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process that forks the lives."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 22,
    )
    try:
        yield parent
    finally:
        assert parent.stdin
        parent.stdin.close()
        await parent.wait()


@asynccontextmanager
async def killed_bot(
    parent: asyncio.subprocess.Process, config: SimulatorConfig
) -> AsyncIterator[KilledBot]:
    """The bot, with a simulator in this process.

    The account belongs to one deployment, as the README asks.
    """
    async with serve(config) as simulator:
        yield KilledBot(parent=parent, simulator=simulator)


def check_corpse(folder: Path) -> None:
    """Check the data at the very moment of death.

    There is no half-written picture under its name, and no damaged database.
    """
    for path in (folder / "data" / "blobs").rglob("*"):
        if path.is_file() and re.fullmatch(r"[0-9a-f]{64}", path.name):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    if (folder / "data" / "easel.db").exists():
        assert rows(folder, "PRAGMA integrity_check") == [("ok",)]


def check_end(
    folder: Path, events: Sequence[Incoming], simulator: Running
) -> None:
    """Check that every request is at its end.

    One submit, one delivery, the money right, no blob too many or too few.
    """
    prompts = {event.words for event in events}
    submits = Counter(
        task.request.prompt
        for task in simulator.account.tasks.values()
        if task.request.prompt in prompts
    )
    steps = rows(
        folder, "SELECT id, state, prompt, model, cost_micros FROM steps"
    )
    assert sorted(step[2] for step in steps) == sorted(
        event.words for event in events
    )
    lines = [
        json.loads(line)
        for line in (folder / "journal").read_text().split("\n")
        if line.endswith("}")
    ]
    for step, state, prompt, model, cost in steps:
        said = [line for line in lines if line["job"] == step]
        assert len([line for line in said if line["op"] == "post"]) == 1, (
            f"{prompt}: posted more than once"
        )
        if state == "unknown":
            # A synchronous call lost in the middle: nobody can know whether it left, and its person
            # was told so.
            assert submits[prompt] <= 1, (
                f"{prompt}: submitted {submits[prompt]} times"
            )
            assert model == "qwen-image-edit-plus"
            assert said[-1]["tone"] == "refusal"
            continue
        assert submits[prompt] == 1, (
            f"{prompt}: submitted {submits[prompt]} times"
        )
        assert state == "done", f"{prompt}: {state}"
        assert said[-1]["tone"] == "result"
        assert len(said[-1]["pictures"]) == 1
        assert cost == PRICES[model]
    check_money(folder, steps)
    check_blobs(folder)


def check_money(folder: Path, steps: Sequence[tuple[Any, ...]]) -> None:
    """Check that the ledger sums up to what was billed.

    A lost synchronous call stays held as a possible charge.
    """
    expected = sum(PRICES[model] for _, _, _, model, _ in steps)
    assert rows(folder, "SELECT SUM(micros) FROM ledger") == [(expected,)]


def check_blobs(folder: Path) -> None:
    """Check that there is no blob without a row, and no row without a blob."""
    stored = {
        path.name
        for path in (folder / "data" / "blobs").rglob("*")
        if re.fullmatch(r"[0-9a-f]{64}", path.name)
    }
    referenced = {key for (key,) in rows(folder, "SELECT key FROM pictures")}
    # What was attached is kept as it came and as the model takes it; only the latter stands in a
    # step.
    uploads = stored - referenced
    assert referenced <= stored
    assert len(uploads) <= 2


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Read the database of a dead bot."""
    connection = sqlite3.connect(folder / "data" / "easel.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
