"""``easel run`` and ``easel migrate``: the bot as a service, and its database."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from adapters.terminal.chat import TerminalChat
from adapters.web.app import serving
from adapters.web.health import Check
from bot import discord, logs, settings, slack, web, wiring
from bot.lifecycle import Front, Lost, wait_for_database
from bot.memory import tune_garbage_collection
from bot.simulator.server import SimulatorConfig
from core.errors import ConfigurationError
from core.i18n import translate
from core.ports import Blobs, Chat
from core.storage import database

log = structlog.get_logger()


def run_bot(role: str) -> int:
    """Run until SIGTERM or Ctrl-C. Raises ConfigurationError when there is nothing to run."""
    chosen = settings.load()
    logs.set_up(chosen.log_format, chosen.log_level, settings.secrets(chosen))
    for name, nearest in settings.unknown_variables():
        log.warning("unknown_setting", setting=name, nearest=nearest)
    if role != "worker" and not (chosen.has_slack or chosen.has_discord):
        raise ConfigurationError("config.no_platform")
    return asyncio.run(_run(chosen, listens=role != "worker"))


async def _run(chosen: settings.Settings, *, listens: bool) -> int:
    """Work until told to stop; a start that still waits for something ends at once.

    The exit code: 0 when asked to stop, 75 when it gave up on something that may come back, 78 when
    only the operator can mend it.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started = asyncio.Event()
    work = asyncio.create_task(_work(chosen, stop, started, listens=listens))
    asked_to_stop = asyncio.create_task(stop.wait())
    await asyncio.wait({work, asked_to_stop}, return_when=asyncio.FIRST_COMPLETED)
    asked_to_stop.cancel()
    if not (work.done() or started.is_set()):
        work.cancel()
        await asyncio.wait({work})
    return 0 if work.cancelled() else await work


async def _work(
    chosen: settings.Settings,
    stop: asyncio.Event,
    started: asyncio.Event,
    *,
    listens: bool,
) -> int:
    """Finish what was left, and take work until ``stop``; ``started`` is set when it is ready."""
    async with running(chosen, listens=listens) as bot:
        started.set()
        if bot.easel.simulated:
            log.warning(
                "simulator", meaning=translate("terminal.simulator", chosen.locale)
            )
        tune_garbage_collection()
        log.info(
            "ready",
            platforms=[name for name in bot.easel.context.chats if name != "terminal"],
            address=bot.address,
        )
        waiting = [asyncio.create_task(event.wait()) for event in (stop, bot.lost)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    return bot.lost.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The bot at work; ``lost`` is set when it cannot go on."""

    easel: wiring.Easel
    address: str
    port: int
    lost: Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Platforms:
    """The chat platforms of the settings, able to speak, not yet listening."""

    at_slack: slack.Slack | None
    at_discord: discord.Discord | None
    locale: str

    @property
    def opened(self) -> dict[str, slack.Slack | discord.Discord]:
        """Those that are there, by name."""
        platforms = {"slack": self.at_slack, "discord": self.at_discord}
        return {name: found for name, found in platforms.items() if found is not None}

    def chats(self, blobs: Blobs) -> dict[str, Chat]:
        """How to speak to people on each."""
        chats: dict[str, Chat] = {
            name: platform.chat(blobs) for name, platform in self.opened.items()
        }
        return {"terminal": TerminalChat(blobs, self.locale, quiet=True), **chats}

    async def prepare(self) -> None:
        """Before any job runs."""
        for platform in self.opened.values():
            await platform.prepare()


@asynccontextmanager
async def running(
    chosen: settings.Settings,
    *,
    listens: bool = True,
    simulator: SimulatorConfig | None = None,
) -> AsyncIterator[Running]:
    """Every platform whose settings are present.

    Waits for what is away, alive but not ready. Raises ConfigurationError naming the setting.
    """
    # Slack delivers to this very port; any other would be silence.
    port = web.listen(chosen, chosen.http_port if chosen.slack_signing_secret else None)
    lost = Lost()
    front = Front()
    async with AsyncExitStack() as stack:
        stack.callback(port.close)
        await stack.enter_async_context(serving(front, port))
        engine = await stack.enter_async_context(wiring.open_database(chosen))
        if not database.is_sqlite(chosen.database):
            await wait_for_database(engine)
        platforms = await _open_platforms(stack, chosen, engine)
        easel = await stack.enter_async_context(
            wiring.open_easel(
                chosen,
                platforms.chats,
                simulator=simulator
                or SimulatorConfig(folder=chosen.data_dir / "simulator"),
                prepare=platforms.prepare,
                engine=engine,
                lost=lost.give_up,
            )
        )
        routes: list[Route] = []
        checks: dict[str, Check] = {}
        if listens:
            routes, checks = await _listen(stack, platforms, easel, lost)
        pages = web.open_web(
            chosen, easel, port, platforms=routes, checks=checks, front=front
        )
        await stack.enter_async_context(pages)
        # Last in, first out: a bot that lets go of its work says that it is not ready.
        stack.callback(front.close)
        yield Running(
            easel=easel,
            address=web.address_of(chosen, port),
            port=port.getsockname()[1],
            lost=lost,
        )


async def _open_platforms(
    stack: AsyncExitStack, chosen: settings.Settings, engine: AsyncEngine
) -> Platforms:
    at_slack = at_discord = None
    if chosen.has_slack:
        at_slack = await stack.enter_async_context(slack.open_slack(chosen, engine))
    if chosen.has_discord:
        opening = discord.open_discord(chosen, engine)
        at_discord = await stack.enter_async_context(opening)
    return Platforms(at_slack=at_slack, at_discord=at_discord, locale=chosen.locale)


async def _listen(
    stack: AsyncExitStack, platforms: Platforms, easel: wiring.Easel, lost: Lost
) -> tuple[list[Route], dict[str, Check]]:
    """Paths for the web server, and how readiness asks whether each platform is heard."""
    routes: list[Route] = []
    checks: dict[str, Check] = {}
    if platforms.at_slack is not None:
        receiving = slack.listening(platforms.at_slack, easel, lost)
        receiver = await stack.enter_async_context(receiving)
        routes += receiver.routes
        checks |= receiver.checks
    if platforms.at_discord is not None:
        receiving_events = discord.listening(platforms.at_discord, easel, lost)
        checks |= await stack.enter_async_context(receiving_events)
    return routes, checks


def run_migrate() -> int:
    """Bring the schema up to date."""
    chosen = settings.load()
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(database.migrate(chosen.database))
    return 0
