"""``easel demo``: draw → edit → edit → undo → wanx on a real photo, in the terminal, on the simulator or with a key."""

import asyncio
import getpass
import uuid
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import click

from adapters.terminal.app import Terminal
from adapters.terminal.chat import TerminalChat
from adapters.terminal.decode import Line, request
from bot import logs, settings, wiring
from bot.simulator.server import SimulatorConfig
from core.messages import say
from core.ports import Blobs, Chat
from core.types import Action

TIME_SCALE = 0.3


def run(data: Path | None, time_scale: float | None, out: Path) -> int:
    """The walk; exit code 0 when every step went well."""
    overrides = {"EASEL_DATA_DIR": data} if data else {}
    chosen = settings.load(**overrides)
    try:
        return asyncio.run(_walk(chosen, TIME_SCALE if time_scale is None else time_scale, out.absolute()))
    except KeyboardInterrupt:
        click.echo(say("terminal.interrupted", chosen.locale), err=True)
        return 130


def steps(photo: Path, out: Path) -> Iterator[tuple[str, Line]]:
    """Each step as the command one would type, and what it means."""
    yield (
        "easel draw 'a red fox in the snow, watercolour'",
        Line(action=Action.DRAW, text="a red fox in the snow, watercolour", out=out),
    )
    yield (
        f"easel edit 'add a lemon on the saucer' {photo.name}",
        Line(action=Action.EDIT, text="add a lemon on the saucer", pictures=(photo,), out=out),
    )
    yield "easel edit 'make it night'", Line(action=Action.EDIT, text="make it night", out=out)
    yield "easel undo", Line(action=Action.UNDO, out=out)
    yield (
        "easel wanx expand 'a long wooden table' --left 1.5 --right 1.5",
        Line(action=Action.EXPAND, text="a long wooden table", given={"left": "1.5", "right": "1.5"}, out=out),
    )
    yield "easel history", Line(action=Action.HISTORY, out=out)


async def _walk(chosen: settings.Settings, time_scale: float, out: Path) -> int:
    logs.set_up(chosen.log_format, "error", settings.secrets(chosen))
    chats: list[TerminalChat] = []

    def make_chat(blobs: Blobs) -> dict[str, Chat]:
        chats.append(TerminalChat(blobs, chosen.locale))
        return {"terminal": chats[0]}

    click.echo(say("demo.hello", chosen.locale) if wiring.is_simulated(chosen) else "", err=True)
    simulator = SimulatorConfig(time_scale=time_scale)
    with as_file(files("bot") / "photos" / "coffee.png") as photo:
        async with wiring.open_easel(chosen, make_chat, simulator=simulator) as easel:
            terminal = Terminal(easel.service, easel.tools.store, chats[0])
            for command, line in steps(photo, out):
                click.echo(f"\n$ {command}", err=True)
                wish = request(line, key=uuid.uuid4().hex, user=getpass.getuser(), locale=chosen.locale)
                report = await terminal.run(wish)
                if report.code:
                    return report.code
    click.echo("\n" + say("demo.done", chosen.locale, folder=str(out)), err=True)
    return 0
