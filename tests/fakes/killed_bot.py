"""A bot to be killed.

A parent that has imported everything forks a child for each life, so that a life costs little. A
line is {"folder", "url", "host", "database", "blobs", "requests"} (tests/fakes/forking.py), and at
will

* "failpoints", "mutant", "log": what is armed, broken, and logged from which level;
* "worker": its name, of several on one database;
* "until": a file without which nothing is delivered to it;
* "lives": 0 where nothing is blamed for the death of its process, however often;
* "every": seconds between two looks for the dead;
* "only_takes_over": whether it takes over from them, and does nothing else.

The child is given the requests that are not acknowledged yet, as a platform delivers again only
what it was not told "ok" for; it works until all are at their end, and exits 0.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.web.chat import WebChat
from adapters.web.store import Room
from bot import logs, settings, wiring
from bot.simulator.tasks import SimulatorConfig
from core import failpoints
from core.flow import deliver as delivering
from core.flow import generate, isolation, prepare
from core.incoming import Incoming
from core.providers.dashscope.client import DashScope
from core.storage import workers
from core.storage.inbox import Inbox
from core.types import SessionId, from_json
from tests.fakes.forking import fork_for_each_line, only_take_over
from tests.fakes.journal_chat import JournalChat


async def live(life: Mapping[str, Any]) -> None:
    """Live one life, until every request is at its end."""
    folder = Path(life["folder"])
    own = folder / life.get("worker", "data")
    chosen = settings.load(
        EASEL_DATA_DIR=own,
        EASEL_DATABASE_URL=life["database"],
        EASEL_BLOB_URL=life["blobs"],
        DASHSCOPE_API_KEY="sk-simulator",
        EASEL_DASHSCOPE_URL=life["url"],
        EASEL_RESULT_HOSTS=life["host"],
    )
    journal = JournalChat(folder / "journal")
    own.mkdir(exist_ok=True)
    room = Room.at(own)
    await room.prepare()
    events = [from_json(Incoming, request) for request in life["requests"]]
    async with wiring.open_easel(
        chosen,
        lambda blobs: {"journal": journal, "web": WebChat(room, blobs)},
        simulator=SimulatorConfig(),
        settle=0.3,
    ) as easel:
        (own / "ready").touch()
        while not Path(life.get("until", folder)).exists():
            await asyncio.sleep(0.01)
        await deliver(easel, events, folder / "acknowledged")
        while not await _have_all_ended(easel, events):
            await asyncio.sleep(0.05)
    await room.close()


async def deliver(
    easel: wiring.Easel, events: list[Incoming], acknowledged: Path
) -> None:
    """Deliver what is not acknowledged; the platform's memory is a file."""
    acknowledged.touch()
    keys = acknowledged.read_text().split("\n")
    for event in events:
        if event.key not in keys:
            await easel.service.receive(event)
            with acknowledged.open("a") as file:
                file.write(f"{event.key}\n")


async def _have_all_ended(easel: wiring.Easel, events: list[Incoming]) -> bool:
    store = easel.context.store
    sessions = {
        (request.place.tenant, f"{request.place.channel}/@{request.person.id}")
        for request in events
    }
    steps = {
        step.id: step
        for tenant, session in sessions
        for step in await store.history(tenant, SessionId(session))
    }
    return len(steps) == len(events) and all(
        step.state.is_final for step in steps.values()
    )


def break_it(mutant: str) -> None:
    """The deliberately broken variants the same test must catch."""
    if mutant == "resubmit":

        async def find_no_task(*_: object) -> None:
            return None

        generate._find_task = find_no_task  # type: ignore[assignment]
    elif mutant == "no_read_back":

        async def find_nothing(*_: object) -> None:
            return None

        JournalChat.find = find_nothing  # type: ignore[method-assign, assignment]
    elif mutant == "early_ok":
        commit, later = Inbox.add, set()

        async def commit_later(inbox: Inbox, incoming: Incoming) -> None:
            later.add(asyncio.create_task(commit(inbox, incoming)))

        Inbox.add = commit_later  # type: ignore[method-assign, assignment]
    elif mutant in DEADLY:
        owner, name = DEADLY[mutant]
        setattr(owner, name, deadly(getattr(owner, name)))


DEADLY: Mapping[str, tuple[Any, str]] = {
    "deadly to prepare": (prepare, "prepare"),
    "deadly to submit": (DashScope, "submit"),
    "deadly to deliver": (delivering, "deliver"),
}
"""Where work that is called deadly kills its process, each time."""


def deadly(work: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """The same, but for whom it is asked to do something deadly."""

    async def do(*arguments: Any) -> Any:
        if "deadly" in repr(arguments[1]):
            # The others are in the middle of theirs.
            await asyncio.sleep(0.02)
            os.kill(os.getpid(), signal.SIGKILL)
        return await work(*arguments)

    return do


def live_and_end(life: Mapping[str, Any]) -> None:
    """A life, and its end without any tidying up."""
    failpoints.arm(life.get("failpoints", ""))
    logs.set_up("json", life.get("log", "critical"), [])
    break_it(life.get("mutant", ""))
    if life.get("only_takes_over"):
        only_take_over()
    lives = life.get("lives", isolation.LIVES)  # type: ignore[attr-defined]
    isolation.LIVES = lives  # type: ignore[attr-defined]
    workers.EVERY = life.get("every", workers.EVERY)
    asyncio.run(live(life))
    os._exit(0)


if __name__ == "__main__":
    fork_for_each_line(live_and_end)
