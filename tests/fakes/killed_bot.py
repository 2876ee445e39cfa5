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
what it was not told "ok" for. It works until all are at their end, and exits 0; or ``LOST``, when
nothing is left to do and a request has no step.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

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
from core.storage.inbox import OPEN, Inbox, deliveries
from core.types import SessionId, StepState, from_json
from tests.fakes.forking import fork_for_each_line, only_take_over
from tests.fakes.journal_chat import JournalChat

LOST = 3


async def live(life: Mapping[str, Any]) -> int:
    """Live one life, until every request is at its end or lost; its exit status."""
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
        status = await _work_until_all_have_ended(easel, events)
    await room.close()
    return status


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


async def _work_until_all_have_ended(
    easel: wiring.Easel, events: list[Incoming]
) -> int:
    while True:
        # Before the steps: a request that is done has had its own by then.
        is_inbox_done = await _is_inbox_done(easel.engine._inbox)
        states = await _states(easel, events)
        are_final = all(state.is_final for state in states)
        if are_final and len(states) == len(events):
            return 0
        if are_final and is_inbox_done:
            return LOST
        await asyncio.sleep(0.05)


async def _is_inbox_done(inbox: Inbox) -> bool:
    query = sa.select(sa.func.count()).select_from(deliveries).where(OPEN)

    def count() -> int:
        with inbox._engine.begin() as connection:
            return int(connection.execute(query).scalar_one())

    return not await inbox._run(count)


async def _states(
    easel: wiring.Easel, events: list[Incoming]
) -> list[StepState]:
    store = easel.context.store
    sessions = {
        (request.place.tenant, f"{request.place.channel}/@{request.person.id}")
        for request in events
    }
    steps = {
        step.id: step.state
        for tenant, session in sessions
        for step in await store.history(tenant, SessionId(session))
    }
    return list(steps.values())


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
    os._exit(asyncio.run(live(life)))


if __name__ == "__main__":
    fork_for_each_line(live_and_end)
