"""A bot to be killed: a parent that has imported everything forks a child for each life, so that a life costs little.

Reads one JSON object a line from standard input: {"folder", "url", "host", "failpoints", "mutant", "requests"} and
starts a child; writes {"pid"} at once and {"status"} (negative: the signal that ended it) when it is gone. The child
redelivers every request, as a platform does until it is told "ok", works until all are at their end, and exits 0.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from adapters.web.chat import WebChat
from adapters.web.store import Room
from bot import logs, settings, wiring
from bot.simulator.account import SimulatorConfig
from core import failpoints
from core.flow import generate
from core.types import Request, from_json
from tests.fakes.journal_chat import JournalChat


async def live(life: dict[str, Any]) -> None:
    """One life, until everything asked is at its end."""
    folder = Path(life["folder"])
    chosen = settings.load(
        EASEL_DATA_DIR=folder / "data",
        DASHSCOPE_API_KEY="sk-simulator",
        EASEL_DASHSCOPE_URL=life["url"],
        EASEL_RESULT_HOSTS=life["host"],
    )
    if "database" in life:
        chosen = chosen.model_copy(update={"database_url": life["database"], "blob_url": life["blobs"]})
    journal = JournalChat(folder / "journal")
    (folder / "data").mkdir(exist_ok=True)
    room = Room.at(folder / "data")
    await room.prepare()
    wishes = [from_json(Request, one) for one in life["requests"]]
    async with wiring.open_easel(
        chosen,
        lambda blobs: {"journal": journal, "web": WebChat(room, blobs)},
        simulator=SimulatorConfig(),
        settle=0.3,
    ) as easel:
        for wish in wishes:
            await easel.service.hear(wish)
        while not await _all_ended(easel, wishes):
            await asyncio.sleep(0.05)
    await room.close()


async def _all_ended(easel: wiring.Easel, wishes: list[Request]) -> bool:
    store = easel.tools.store
    sessions = {(wish.place.tenant, f"{wish.place.channel}/@{wish.person.id}") for wish in wishes}
    steps = {step.id: step for tenant, session in sessions for step in await store.history(tenant, session)}
    return len(steps) == len(wishes) and all(step.state.is_final for step in steps.values())


def break_it(mutant: str) -> None:
    """The deliberately broken variants the same test must catch."""
    if mutant == "resubmit":

        async def nothing_found(*_: object) -> None:
            return None

        generate._find_lost = nothing_found  # type: ignore[assignment]
    elif mutant == "no_read_back":

        async def find_nothing(*_: object) -> None:
            return None

        JournalChat.find = find_nothing  # type: ignore[method-assign, assignment]


def main() -> None:
    """Fork a child for each line."""
    for line in sys.stdin:
        life = json.loads(line)
        child = os.fork()
        if child == 0:
            failpoints.arm(life.get("failpoints", ""))
            logs.set_up("json", life.get("log", "critical"), [])
            break_it(life.get("mutant", ""))
            asyncio.run(live(life))
            os._exit(0)
        print(json.dumps({"pid": child}), flush=True)  # noqa: T201
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
