"""``easel run`` and ``easel migrate``: the bot as a service, and its database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from adapters.terminal.chat import TerminalChat
from adapters.web.app import serving
from adapters.web.health import Check
from adapters.web.store import room_url
from bot import discord, logs, settings, slack, web, wiring
from bot.lifecycle import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Front,
    Lost,
    wait_for_database,
)
from bot.memory import tune_garbage_collection
from bot.simulator.server import SimulatorConfig
from core.errors import ConfigurationError, EaselError, Unavailable
from core.i18n import translate
from core.ports import Blobs, Chat
from core.retrying import retrying
from core.storage import database

STOP_SECONDS = 20.0
"""Seconds to end in order; a supervisor kills after thirty."""
LOST_SECONDS = 5.0
"""Seconds to end in order when the process cannot go on: what is away may hang."""

log = structlog.get_logger()


class Role(StrEnum):
    """What a process does; several on one database may share the work."""

    ALL = "all"
    GATEWAY = "gateway"
    """Listens to the platforms, and answers what can be answered at once; jobs are for others."""
    WORKER = "worker"
    """Does the jobs, and hears nothing."""


def run_bot(role: str) -> int:
    """Run until SIGTERM or Ctrl-C. Raises ConfigurationError when no platform is set."""
    config = settings.load()
    logs.set_up(config.log_format, config.log_level, settings.secrets(config))
    for name, nearest in settings.unknown_variables():
        log.warning("unknown_setting", setting=name, nearest=nearest)
    if role != "worker" and not (config.has_slack or config.has_discord):
        raise ConfigurationError("config.no_platform")
    if role == "gateway" and database.is_sqlite(config.database):
        raise ConfigurationError(
            "config.database.shared", setting="EASEL_DATABASE_URL"
        )
    return asyncio.run(_run(config, Role(role)))


async def _run(config: settings.Settings, role: Role) -> int:
    """Work until told to stop; a start that still waits for something ends at once.

    Return the exit code: 0 when asked to stop, 75 when it gave up on something that may come back,
    78 when only the operator can mend it.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started = asyncio.Event()

    def is_cut_off(error: Exception) -> bool:
        """Tell whether the database, or its disk, went away in the middle of the start."""
        is_away = isinstance(
            error, OperationalError | InterfaceError | Unavailable
        )
        if not is_away or started.is_set():
            return False
        log.warning("start_cut_off", error=_reason_of(error))
        return True

    begin_again = retrying(
        is_cut_off, first=FIRST_PAUSE, longest=LONGEST_PAUSE
    )
    # A start may wait for what is away: it must be possible to end it meanwhile.
    lost = Lost()
    work = asyncio.create_task(
        begin_again(_work, config, stop, started, lost, role)
    )
    ends = [asyncio.create_task(event.wait()) for event in (stop, lost)]
    await asyncio.wait({work, *ends}, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    if not (work.done() or started.is_set()):
        work.cancel()
    seconds = STOP_SECONDS + config.drain_seconds
    if lost.is_set():
        seconds = LOST_SECONDS
    await asyncio.wait({work}, timeout=seconds)
    if not work.done():
        # A transaction hangs. Whatever it was, the next start continues from what is committed.
        log.warning("stop_cut_off", seconds=seconds)
        os._exit(lost.code)
    return lost.code if work.cancelled() else await work


def _reason_of(error: Exception) -> str:
    # A driver's error has parameters, too: those of its statement.
    reason = (
        error.params.get("reason") if isinstance(error, EaselError) else ""
    )
    return str(reason or type(error).__name__)


async def _work(
    config: settings.Settings,
    stop: asyncio.Event,
    started: asyncio.Event,
    lost: Lost,
    role: Role,
) -> int:
    """Finish earlier jobs, and take work until ``stop``; ``started`` is set when it is ready."""
    async with running(config, role=role, lost=lost) as bot:
        started.set()
        if bot.easel.simulated:
            meaning = translate("terminal.simulator", config.locale)
            log.warning("simulator", meaning=meaning)
        tune_garbage_collection()
        platforms = [
            name for name in bot.easel.context.chats if name != "terminal"
        ]
        log.info("ready", platforms=platforms, address=bot.address)
        await _wait_for_any(stop, lost)
        await _drain(config, bot)
    return lost.code


async def _drain(config: settings.Settings, bot: "Running") -> None:
    """Answer Slack until the load balancer before several processes sends it to another one.

    Slack repeats events that meet a closed door, but no commands.
    """
    is_alone = database.is_sqlite(config.database)
    if is_alone or not config.slack_signing_secret:
        return
    bot.front.drain()
    with suppress(TimeoutError):
        async with asyncio.timeout(config.drain_seconds):
            await bot.lost.wait()


async def _wait_for_any(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The bot at work. ``lost`` is set when it cannot go on."""

    easel: wiring.Easel
    address: str
    port: int
    lost: Lost
    front: Front


@dataclass(frozen=True, slots=True, kw_only=True)
class Platforms:
    """The chat platforms that are set up: able to speak, not yet listening."""

    slack: slack.Slack | None
    discord: discord.Discord | None
    locale: str

    def open_chats(self, blobs: Blobs) -> dict[str, Chat]:
        """The Chat port of each, by its name."""
        # Jobs that were begun at the prompt are finished here, too.
        terminal = TerminalChat(blobs, self.locale, quiet=True)
        chats: dict[str, Chat] = {"terminal": terminal}
        if self.slack is not None:
            chats["slack"] = self.slack.chat(blobs)
        if self.discord is not None:
            chats["discord"] = self.discord.chat(blobs)
        return chats


@asynccontextmanager
async def running(
    config: settings.Settings,
    *,
    role: Role = Role.ALL,
    simulator: SimulatorConfig | None = None,
    lost: Lost | None = None,
) -> AsyncIterator[Running]:
    """Open every platform that is set up, and the core.

    Waits for what is away, alive but not ready. Raises ConfigurationError naming the setting.
    """
    # Slack delivers to the port its app was told: on any other nothing would arrive.
    fixed_port = config.http_port if config.slack_signing_secret else None
    listening = web.listen(config, fixed_port)
    lost = lost or Lost()
    front = Front()
    async with AsyncExitStack() as stack:
        stack.callback(listening.close)
        await stack.enter_async_context(serving(front, listening))
        engine = await stack.enter_async_context(wiring.open_database(config))
        if not database.is_sqlite(config.database):
            await wait_for_database(engine, "EASEL_DATABASE_URL")
        if config.database_direct_url is not None:
            await _wait_for_direct_database(config.database_direct_url)
        platforms = await open_platforms(stack, config, engine)
        simulator = simulator or SimulatorConfig(
            folder=config.data_dir / "simulator"
        )
        easel = await stack.enter_async_context(
            wiring.open_easel(
                config,
                platforms.open_chats,
                simulator=simulator,
                engine=engine,
                lost=lost.give_up,
                takes_jobs=role is not Role.GATEWAY,
            )
        )
        routes: list[Route] = []
        checks: dict[str, Check] = {}
        if role is not Role.WORKER:
            routes, checks = await _listen(stack, platforms, easel, lost)
        pages = web.open_web(
            config,
            easel,
            listening,
            platforms=routes,
            checks=checks,
            front=front,
        )
        await stack.enter_async_context(pages)
        # Called first at the end: a bot that lets go of its work says that it is not ready.
        stack.callback(front.close)
        yield Running(
            easel=easel,
            address=web.address_of(config, listening),
            port=web.port_of(listening),
            lost=lost,
            front=front,
        )


async def _wait_for_direct_database(url: str) -> None:
    engine = database.open_async(url, pool=1)
    try:
        await wait_for_database(engine, "EASEL_DATABASE_DIRECT_URL")
    finally:
        await engine.dispose()


async def open_platforms(
    stack: AsyncExitStack, config: settings.Settings, engine: AsyncEngine
) -> Platforms:
    """Log in to each platform that is set up; none of them listens yet."""
    to_slack = to_discord = None
    if config.has_slack:
        to_slack = await stack.enter_async_context(
            slack.open_slack(config, engine)
        )
    if config.has_discord:
        opening = discord.open_discord(config, engine)
        to_discord = await stack.enter_async_context(opening)
    return Platforms(slack=to_slack, discord=to_discord, locale=config.locale)


async def _listen(
    stack: AsyncExitStack,
    platforms: Platforms,
    easel: wiring.Easel,
    lost: Lost,
) -> tuple[list[Route], dict[str, Check]]:
    """Begin to listen; return paths for the web server, and checks for readiness."""
    routes: list[Route] = []
    checks: dict[str, Check] = {}
    if platforms.slack is not None:
        receiving = slack.listening(platforms.slack, easel, lost)
        receiver = await stack.enter_async_context(receiving)
        routes += receiver.routes
        checks |= receiver.checks
    if platforms.discord is not None:
        receiving_events = discord.listening(platforms.discord, easel, lost)
        checks |= await stack.enter_async_context(receiving_events)
    return routes, checks


def run_migrate() -> int:
    """Bring every table up to date."""
    config = settings.load()
    config.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(_migrate(config))
    return 0


async def _migrate(config: settings.Settings) -> None:
    await wiring.migrate(config)
    await database.migrate(room_url(config.data_dir), database.TableSet.ROOM)
