"""``easel run`` and ``easel migrate``: the bot as a service, and its database."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.routing import Route

from adapters.terminal.chat import TerminalChat
from adapters.web.health import Check
from bot import discord, logs, settings, slack, web, wiring
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
    """Finish what was left, and go on taking work until told to stop. 1 when a platform was lost for good."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(chosen, listens=listens) as bot:
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
    return int(bot.lost.is_set())


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The bot at work; ``lost`` is set when a platform cannot be reached any more."""

    easel: wiring.Easel
    address: str
    port: int
    lost: asyncio.Event


@asynccontextmanager
async def running(
    chosen: settings.Settings,
    *,
    listens: bool = True,
    simulator: SimulatorConfig | None = None,
) -> AsyncIterator[Running]:
    """Every platform whose settings are present. Raises ConfigurationError naming the setting."""
    # Slack delivers to this very port; any other would be silence.
    port = web.listen(chosen, chosen.http_port if chosen.slack_signing_secret else None)
    lost = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.callback(port.close)
        engine = await stack.enter_async_context(wiring.open_database(chosen))
        at_slack = (
            await stack.enter_async_context(slack.open_slack(chosen, engine))
            if chosen.has_slack
            else None
        )
        at_discord = (
            await stack.enter_async_context(discord.open_discord(chosen, engine))
            if chosen.has_discord
            else None
        )
        platforms = {"slack": at_slack, "discord": at_discord}
        opened = {
            name: platform
            for name, platform in platforms.items()
            if platform is not None
        }

        def chats(blobs: Blobs) -> dict[str, Chat]:
            terminal = TerminalChat(blobs, chosen.locale, quiet=True)
            return {
                "terminal": terminal,
                **{name: platform.chat(blobs) for name, platform in opened.items()},
            }

        async def prepare() -> None:
            for platform in opened.values():
                await platform.prepare()

        simulator = simulator or SimulatorConfig(folder=chosen.data_dir / "simulator")
        easel = await stack.enter_async_context(
            wiring.open_easel(
                chosen, chats, simulator=simulator, prepare=prepare, engine=engine
            )
        )
        routes: list[Route] = []
        checks: dict[str, Check] = {}
        if at_slack is not None and listens:
            listening = await stack.enter_async_context(
                slack.listening(at_slack, easel, lost)
            )
            routes, checks = listening.routes, dict(listening.checks)
        if at_discord is not None and listens:
            checks |= await stack.enter_async_context(
                discord.listening(at_discord, easel, lost)
            )
        pages = web.open_web(chosen, easel, port, platforms=routes, checks=checks)
        await stack.enter_async_context(pages)
        number = port.getsockname()[1]
        yield Running(
            easel=easel, address=web.address_of(chosen, port), port=number, lost=lost
        )


def run_migrate() -> int:
    """Bring the schema up to date."""
    chosen = settings.load()
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(database.migrate(chosen.database))
    return 0
