"""``easel run`` and ``easel migrate``: the bot as a service, and its database."""

import asyncio
import signal

import structlog

from bot import logs, settings, wiring
from bot.simulator.server import SimulatorConfig
from core.errors import ConfigurationError
from core.ports import Blobs, Chat
from core.storage import database

log = structlog.get_logger()


def run_bot(role: str) -> int:
    """Run until SIGTERM or Ctrl-C. Raises ConfigurationError when there is nothing to run."""
    chosen = settings.load()
    logs.set_up(chosen.log_format, chosen.log_level, settings.secrets(chosen))
    for name, nearest in settings.unknown_variables():
        log.warning("unknown_setting", setting=name, nearest=nearest)
    if role != "worker":
        raise ConfigurationError("config.no_platform")
    asyncio.run(_work(chosen))
    return 0


async def _work(chosen: settings.Settings) -> None:
    """Finish what was left, and go on taking work until told to stop; say over HTTP how one is."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listening = wiring.listen(chosen)
    async with (
        wiring.open_easel(chosen, lambda blobs: _chats(blobs, chosen.locale), simulator=SimulatorConfig()) as easel,
        wiring.open_web(chosen, easel, listening),
    ):
        log.info("ready", address=wiring.address_of(chosen, listening))
        await stop.wait()


def _chats(blobs: Blobs, locale: str) -> dict[str, Chat]:
    from adapters.terminal.chat import TerminalChat  # noqa: PLC0415

    return {"terminal": TerminalChat(blobs, locale, quiet=True)}


def run_migrate() -> int:
    """Bring the schema up to date."""
    chosen = settings.load()
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(database.migrate(chosen.database))
    return 0
