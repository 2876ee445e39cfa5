"""Runs one terminal command: settings, wiring, the request, the exit code."""

import asyncio
import getpass
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from adapters.terminal.app import Report, Terminal
from adapters.terminal.chat import TerminalChat
from adapters.terminal.decode import Line, request, split_words
from bot import logs, settings, wiring
from bot.accounts import is_simulated
from bot.simulator.account import SimulatorConfig
from core.messages import say
from core.types import Action

TIME_SCALE = 0.2
"""Of the simulator, for somebody who waits at a prompt."""
OWN = ("out", "as_json", "time_scale", "source", "mask")
INTERRUPTED = 130


def run_words(action: str, words: Sequence[str], options: Mapping[str, Any]) -> int:
    """draw, edit, wanx: words and pictures, options as typed."""
    text, pictures = split_words(words)
    mask = options.get("mask")
    is_file = isinstance(mask, str) and Path(mask).suffix != ""
    given = {name: _typed(value) for name, value in options.items() if name not in OWN and value not in {None, False}}
    if mask is not None and not is_file:
        given["mask"] = mask
    line = Line(
        action=Action(action),
        text=text,
        pictures=pictures,
        mask=Path(str(mask)).absolute() if is_file else None,
        given=given,
        target=options.get("source"),
        out=options["out"],
    )
    return run(line, options)


def run_answered(action: str, what: str, options: Mapping[str, Any], given: Mapping[str, str] | None = None) -> int:
    """undo, redo, history and the like."""
    index = None
    if action == "pick":
        if not (what.isascii() and what.isdecimal() and 1 <= int(what[:4]) <= 6):
            raise click.UsageError("NUMBER is 1 to 6.")
        index, what = int(what) - 1, ""
    line = Line(action=Action(action), target=what or None, index=index, given=given or {}, out=options["out"])
    return run(line, options)


def _typed(value: Any) -> str:
    return "" if value is True else str(value)


def run(line: Line, options: Mapping[str, Any]) -> int:
    """The whole of one command. Ctrl-C leaves the job for the next start."""
    try:
        return asyncio.run(_run(line, options))
    except KeyboardInterrupt:
        click.echo(say("terminal.interrupted", settings.load().locale), err=True)
        return INTERRUPTED


async def _run(line: Line, options: Mapping[str, Any]) -> int:
    chosen = settings.load()
    as_json = bool(options["as_json"])
    logs.set_up(
        chosen.log_format, "error" if chosen.log_level == "info" else chosen.log_level, settings.secrets(chosen)
    )
    chats: list[TerminalChat] = []

    def make_chat(blobs: Any) -> dict[str, TerminalChat]:
        chats.append(TerminalChat(blobs, chosen.locale, quiet=as_json))
        return {"terminal": chats[0]}

    def tell(key: str, **params: object) -> None:
        if not as_json:
            click.echo(say(key, chosen.locale, **params), err=True)

    for name, nearest in settings.unknown_variables():
        tell("config.unknown", setting=name, nearest=nearest)
    if is_simulated(chosen) and line.action.makes_pictures:
        tell("terminal.simulator")
    scale = options["time_scale"] if options["time_scale"] is not None else TIME_SCALE
    async with wiring.open_easel(
        chosen,
        make_chat,
        simulator=SimulatorConfig(time_scale=scale, folder=chosen.data_dir / "simulator"),
        waiting=lambda: tell("terminal.waiting"),
    ) as easel:
        terminal = Terminal(easel.service, easel.tools.store, chats[0])
        left = await terminal.unfinished()
        if left:
            tell("terminal.recovered", count=len(left))
        wish = request(line, key=uuid.uuid4().hex, user=getpass.getuser(), locale=chosen.locale)
        report = await terminal.run(wish)
        await asyncio.gather(*(terminal.end(job) for job in left), return_exceptions=True)
        return _print(report, as_json=as_json)


def _print(report: Report, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(report.data, ensure_ascii=False) + "\n")
    return report.code
