"""Processes of ``easel run`` on a Slack, a Discord, an image service, a bucket and a database.

Each of these neighbours stands behind a wire that can be cut (tests/fakes/proxy.py). The processes
are the program itself (tests/fakes/forking.py); with ``speed`` their pauses between two tries pass
so many times as fast.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import obstore.store
import sqlalchemy as sa

from bot.simulator.server import Running as Simulator
from bot.simulator.server import SimulatorConfig, serve
from core.storage import database
from tests.contract.conftest import fresh_database
from tests.fakes.discord import things
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.world import World as DiscordWorld
from tests.fakes.lives import ROOT, Life, Parent
from tests.fakes.proxy import Proxy, proxy_to, proxy_to_postgres
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.world import World

MODELS = (
    "wan2.5-t2i-preview",
    "qwen-image-plus",
    "wan2.5-t2i-preview",
    "wan2.2-t2i-plus",
    "wan2.5-t2i-preview",
)
"""In turn: together they take nine submissions a second."""
PRICE = 200_000
"""Of a picture by any of them, in millionths of a yuan."""
UNFINISHED = """
    SELECT id, state, announced, slot, worker, claims, told FROM steps WHERE state != 'done'
    """
END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = :name
    """
PATIENCE = 60.0
"""Seconds without any progress until a wait is given up."""


@dataclass(kw_only=True)
class Fleet:
    """The processes, their neighbours, and what was asked of them."""

    parent: Parent
    folder: Path
    in_slack: Slack
    in_discord: Discord
    simulator: Simulator
    wires: dict[str, Proxy]
    database: str
    environment: dict[str, str]
    speed: float
    lives: dict[str, Life] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _saying: list[asyncio.Task[str]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    async def start(self, name: str, role: str = "all") -> None:
        """Start a process of this name, perhaps again, and wait until it is ready."""
        log = self.folder / f"{name}-{next(self._numbers)}.log"
        log.touch()
        own = self.folder / name
        self.lives[name] = await self.parent.begin(
            {
                "words": ["run", "--role", role],
                "folder": str(ROOT),
                "environment": {
                    **self.environment,
                    "EASEL_DATA_DIR": str(own),
                    # libpq's: PostgreSQL lists connections by it.
                    "PGAPPNAME": name,
                },
                "out": str(log),
                "error": str(log),
                "speed": self.speed,
            }
        )
        ends = time.monotonic() + PATIENCE
        while '"ready"' not in log.read_text():
            assert not self.lives[name].ended.done(), log.read_text()[-2000:]
            assert time.monotonic() < ends, log.read_text()[-2000:]
            await asyncio.sleep(0.02)

        if role == "all" and self.hears_discord:
            # Before that, Discord would tell it nothing.
            await self.in_discord.connected()

    @property
    def hears_discord(self) -> bool:
        """Whether the processes listen there, too."""
        return "DISCORD_BOT_TOKEN" in self.environment

    async def kill(self, name: str) -> None:
        """End a process at once."""
        life = self.lives.pop(name)
        life.kill()
        await life.status()

    async def stop(self) -> None:
        """Ask all processes to stop."""
        for life in self.lives.values():
            life.kill(signal.SIGTERM)
        for life in self.lives.values():
            await life.status()
        for task in self._saying:
            task.cancel()

    def ask_in_slack(self, person: Somebody) -> None:
        """Ask for a picture; Slack delivers it until it is acknowledged."""
        text = f"{person.easel} {self._next_request()}"
        saying = person.says(text, as_events=("app_mention",))
        self._saying.append(asyncio.create_task(saying))

    def ask_in_discord(self, person: things.User) -> None:
        """Ask for a picture; Discord tells those who are connected, once."""
        self.in_discord.says(
            person, f"{self.in_discord.mention} {self._next_request()}"
        )

    def _next_request(self) -> str:
        number = len(self.asked)
        self.asked.append(f"fox {number}")
        model = MODELS[number % len(MODELS)]
        return f"draw fox {number} --model {model}"

    async def wait_for_slack(self) -> None:
        """Wait until Slack has been told of everything that it was heard."""
        await asyncio.gather(*self._saying)

    def count_results(self) -> Counter[str]:
        """Each request by how often its result is shown, with a picture, on either platform."""
        in_slack = [
            message
            for message in self.in_slack.world.messages
            if message.user == self.in_slack.workspace.bot_user
            and not message.deleted
        ]
        pictures = sum(len(message.files) for message in in_slack)
        texts = [message.text for message in in_slack if message.text]
        world = self.in_discord.world
        in_discord = [
            message
            for message in world.messages
            if message.author == world.bot.id and not message.deleted
        ]
        pictures += sum(len(message.files) for message in in_discord)
        texts += [message.words for message in in_discord]
        results = Counter(map(_request_in, texts))
        results["pictures"] = pictures
        return results

    async def until_all_are_done(self) -> None:
        """Wait for the good end of every request, and check that each came to it once."""
        ends, before = time.monotonic() + PATIENCE, Counter[str]()
        while (states := self.states()) != {"done": len(self.asked)}:
            if states != before:
                ends, before = time.monotonic() + PATIENCE, states
            assert time.monotonic() < ends, self._query(UNFINISHED)
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # for what should not come
        self.check()

    async def until_one_is_done(self) -> None:
        """Wait for the first good end."""
        async with asyncio.timeout(PATIENCE):
            while not self.states()["done"]:
                await asyncio.sleep(0.02)

    def cut(self, name: str) -> None:
        """End a process's connections to PostgreSQL, as that does with a host that is gone."""
        self._query(END_SESSIONS, name=name)

    def check(self) -> None:
        """Check that each request was made, shown and charged once."""
        expected = Counter(self.asked)
        tasks = self.simulator.account.tasks.values()
        assert Counter(task.request.prompt for task in tasks) == expected
        expected["pictures"] = len(self.asked)
        results = self.count_results()
        assert results == expected, (results - expected, expected - results)
        assert self._query("SELECT SUM(micros) FROM ledger") == [
            (len(self.asked) * PRICE,)
        ]

    def states(self) -> Counter[str]:
        """How many steps are in each state."""
        rows = self._query("SELECT state, COUNT(*) FROM steps GROUP BY state")
        return Counter(dict(rows))

    def _query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        engine = database.open_sync(self.database)
        with engine.begin() as connection:
            rows = connection.execute(sa.text(query), values).all()
        engine.dispose()
        return [tuple(row) for row in rows]


def _request_in(text: str) -> str:
    """The request that a message is the result of, or else all it says."""
    first = text.split("\n", maxsplit=1)[0].strip("*")
    return first if first.startswith("fox ") else text


@asynccontextmanager
async def fleet(
    parent: Parent,
    folder: Path,
    bucket: obstore.store.S3Store,
    *,
    postgres: str = "",
    speed: float = 1,
    with_discord: bool = True,
) -> AsyncIterator[Fleet]:
    """The neighbours, and no process yet; without ``postgres`` on SQLite."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        in_slack = await enter(slack(World(share_after=0.02)))
        in_discord = await enter(discord(DiscordWorld(content_granted=True)))
        simulator = await enter(
            serve(SimulatorConfig(time_scale=0.02, seed=7))
        )
        targets = {
            "slack": in_slack.world.base,
            "discord": in_discord.world.base,
            "gateway": in_discord.world.base,
            "service": simulator.host,
            "bucket": str(bucket.config["endpoint"]),
        }
        wires = {
            name: await enter(proxy_to(target))
            for name, target in targets.items()
        }
        in_slack.world.base = f"http://{wires['slack'].host}"
        in_discord.world.base = f"http://{wires['discord'].host}"
        in_discord.world.gateway_base = f"http://{wires['gateway'].host}"
        in_slack.socket.tries = 1000  # no outage here may cost a request
        address = reached = f"sqlite:///{folder / 'easel.db'}"
        if postgres:
            address = fresh_database(postgres, str(folder))
            wires["database"], reached = await enter(
                proxy_to_postgres(address)
            )
        environment = {
            "PATH": os.environ["PATH"],
            "EASEL_HTTP_PORT": "0",
            "EASEL_LOG_FORMAT": "json",
            "EASEL_LINK_KEYS": "key-of-the-fleet",
            "EASEL_DATABASE_URL": reached,
            "EASEL_BLOB_URL": f"s3://easel/{folder.name}",
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": f"http://{wires['service'].host}/api/v1",
            "EASEL_RESULT_HOSTS": wires["service"].host,
            "AWS_ENDPOINT": f"http://{wires['bucket'].host}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ALLOW_HTTP": "true",
            **in_slack.settings(socket=True),
        }
        if with_discord:
            environment |= in_discord.settings()
        started = Fleet(
            parent=parent,
            folder=folder,
            in_slack=in_slack,
            in_discord=in_discord,
            simulator=simulator,
            wires=wires,
            database=address,
            environment=environment,
            speed=speed,
        )
        try:
            yield started
        finally:
            for wire in wires.values():
                wire.recover()
            await started.stop()
