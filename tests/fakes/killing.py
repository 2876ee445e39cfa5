"""Start, kill and examine tests/fakes/killed_bot.py; the simulator outlives it."""

import asyncio
import hashlib
import json
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.simulator.server import Running, SimulatorConfig, serve
from core.incoming import Incoming, Kind
from core.operations import Action
from core.storage import database
from core.types import Attachment, Person, Place, to_json
from tests.fakes.lives import Life, Parent

PHOTOS = Path(__file__).parents[1] / "samples" / "photos"
PLACE = Place(platform="journal", workspace="w", channel="c")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What outlives each life: a folder, and a database if it is not a file there."""

    folder: Path
    server: str = ""

    @property
    def database(self) -> str:
        """Its address."""
        return self.server or f"sqlite:///{self.folder / 'data' / 'easel.db'}"

    @property
    def blobs(self) -> Path:
        """The folder of pictures."""
        return self.folder / "blobs"

    def lines(self) -> list[dict[str, Any]]:
        """What was said in the chat."""
        lines = (self.folder / "journal").read_text().split("\n")
        return [json.loads(line) for line in lines if line.endswith("}")]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the database."""
        engine = database.open_sync(self.database)
        with engine.begin() as connection:
            rows = connection.execute(sa.text(query)).all()
        engine.dispose()
        return [tuple(row) for row in rows]


@dataclass(kw_only=True)
class KilledBot:
    """The forking parent, the simulator of the test at hand, and how often the bot was killed."""

    parent: Parent
    simulator: Running
    kills: int = 0

    async def begin(
        self, remains: Remains, events: Sequence[Incoming], **more: Any
    ) -> Life:
        """Begin a life; ``more``: see tests/fakes/killed_bot.py."""
        life = {
            "folder": str(remains.folder),
            "url": self.simulator.url,
            "host": self.simulator.host,
            "database": remains.database,
            "blobs": remains.blobs.as_uri(),
            "requests": [to_json(event) for event in events],
            **more,
        }
        return await self.parent.begin(life)

    async def live(
        self,
        remains: Remains,
        events: Sequence[Incoming],
        *,
        after: float | None = None,
        **more: Any,
    ) -> int:
        """Live one life; a kill from outside comes ``after`` so many seconds.

        Return its exit status, negative: the signal.
        """
        begun = await self.begin(remains, events, **more)
        if after is not None:
            await asyncio.sleep(after)
            begun.kill()
        try:
            status = await begun.status()
        finally:
            begun.kill()
        self.kills += status == -signal.SIGKILL
        return status


@asynccontextmanager
async def killed_bot(
    parent: Parent, config: SimulatorConfig
) -> AsyncIterator[KilledBot]:
    """The bot, with a simulator in this process.

    The account belongs to one deployment, as the README asks.
    """
    async with serve(config) as simulator:
        yield KilledBot(parent=parent, simulator=simulator)


def check_corpse(remains: Remains) -> None:
    """Check the data at the very moment of death.

    There is no half-written picture under its name, and no damaged database.
    """
    for path in remains.blobs.rglob("*"):
        if path.is_file() and re.fullmatch(r"[0-9a-f]{64}", path.name):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    if (remains.folder / "data" / "easel.db").exists():
        assert remains.rows("PRAGMA integrity_check") == [("ok",)]


def check_end(
    remains: Remains, events: Sequence[Incoming], simulator: Running
) -> None:
    """Check that every request is at its end.

    One submit, one delivery, the money right, no blob too many or too few.
    """
    prompts = sorted(event.words for event in events)
    submits = Counter(
        task.request.prompt
        for task in simulator.account.tasks.values()
        if task.request.prompt in prompts
    )
    steps = remains.rows(
        "SELECT id, state, prompt, model, cost_micros FROM steps"
    )
    assert sorted(step[2] for step in steps) == prompts, "lost or doubled"
    lines = remains.lines()
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
    check_money(remains, steps)
    check_blobs(remains)


def check_money(remains: Remains, steps: Sequence[tuple[Any, ...]]) -> None:
    """Check that the ledger sums up to what was billed.

    A lost synchronous call stays held as a possible charge.
    """
    expected = sum(PRICES[model] for _, _, _, model, _ in steps)
    assert remains.rows("SELECT SUM(micros) FROM ledger") == [(expected,)]


def check_blobs(remains: Remains) -> None:
    """Check that there is no blob without a row, and no row without a blob."""
    stored = {
        path.name
        for path in remains.blobs.rglob("*")
        if re.fullmatch(r"[0-9a-f]{64}", path.name)
    }
    referenced = {key for (key,) in remains.rows("SELECT key FROM pictures")}
    # What was attached is kept as it came and as the model takes it; only the latter stands in a
    # step.
    uploads = stored - referenced
    assert referenced <= stored
    assert len(uploads) <= 2
