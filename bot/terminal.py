"""Runs one terminal command: settings, the request, the exit code.

Only what makes pictures starts the engine.
"""

import asyncio
import gc
import getpass
import json
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any

import click

from adapters.terminal import decode
from adapters.terminal.app import Report, Terminal, refusal
from adapters.terminal.arguments import mask_file, split_words
from adapters.terminal.chat import Pipe, TerminalChat, check_folder
from adapters.terminal.decode import PIPE, Line
from bot import logs, settings
from bot.accounts import is_simulated
from bot.cli_errors import WrongUsage
from bot.exit_codes import ExitCode
from bot.folder import is_taken, lock_folder
from bot.offline import NoJobs, open_context
from core.errors import EaselError, Rejected
from core.flow.context import TRANSIENT, Context
from core.i18n import translate
from core.incoming import Incoming
from core.log import log
from core.operations import COMMANDS, OPERATIONS, Action, Answered, Takes
from core.options import MOST_PICTURES, OPTIONS
from core.pictures.facts import MAX_BYTES
from core.ports import Blobs
from core.service import Service
from core.text import is_whole_number
from core.types import StepId

Options = Mapping[str, Any]
"""The options of a command, by name."""

TIME_SCALE = 0.2
"""Speed of the simulator, for a person who waits at a prompt."""
INTERRUPTED = 130


def run_words(
    action: str,
    words: Sequence[str],
    options: Options,
) -> int:
    """draw, edit, wanx: words and pictures, options as typed."""
    with ExitStack() as stack:
        try:
            line = _read_line(Action(action), words, options, stack)
        except EaselError as error:
            return _refuse(error, as_json=options["as_json"])
        return run(line, options)


def _read_line(
    action: Action,
    words: Sequence[str],
    options: Options,
    stack: ExitStack,
) -> Line:
    """What was typed, with what came on standard input. Raises Rejected or DeliveryError."""
    if options["out"] != PIPE:
        # Before anything is paid.
        check_folder(options["out"])
    elif options["as_json"] or _may_be_several(options):
        raise Rejected("terminal.pipe")
    words = [_piped_in(stack) if word == "-" else word for word in words]
    text, pictures = split_words(action, words)
    mask = options.get("mask")
    mask_path = None if mask is None else mask_file(mask)
    typed = {
        name: _as_typed(option)
        for name, option in options.items()
        if name in OPTIONS and name != "mask" and option not in {None, False}
    }
    if mask is not None and mask_path is None:
        typed["mask"] = mask
    return Line(
        action=action,
        text=text,
        pictures=pictures,
        mask=mask_path,
        given=typed,
        target=options.get("source"),
        out=options["out"],
    )


def _may_be_several(options: Options) -> bool:
    return options.get("n") not in {None, "1"}


def _piped_in(stack: ExitStack) -> str:
    """Standard input: words, or the path of a file that holds the picture for this command."""
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    with suppress(UnicodeDecodeError):
        return data.decode().strip()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-"))
    path = Path(folder) / "stdin.picture"
    path.write_bytes(data)
    return str(path)


def _refuse(error: EaselError, *, as_json: bool) -> int:
    """Say why the line was not understood. Nothing was opened yet."""
    report = refusal(error, settings.load().locale)
    if not as_json:
        click.echo(f"✘ {report.data['error']['message']}", err=True)
    return _print(report, as_json=as_json)


def run_answered(
    action: Action,
    argument: str,
    options: Options,
    limits: Mapping[str, str],
) -> int:
    """undo, redo, history and the like; ``argument`` names a step, or for pick a picture."""
    index = None
    text = ""
    takes = COMMANDS[action].takes
    if takes is Takes.NUMBER:
        index = _picture_index(argument)
        argument = ""
    elif takes is Takes.PAGE:
        text = argument
        argument = ""
    if options["out"] == PIPE and options["as_json"]:
        return _refuse(Rejected("terminal.pipe"), as_json=True)
    line = Line(
        action=action,
        text=text,
        target=StepId(argument) if argument else None,
        index=index,
        given=limits,
        out=options["out"],
    )
    return run(line, options)


def _picture_index(argument: str) -> int:
    is_number = is_whole_number(argument)
    number = int(argument[:4]) if is_number else 0
    if not 1 <= number <= MOST_PICTURES:
        raise WrongUsage("refuse.no_such_picture", allowed=MOST_PICTURES)
    return number - 1


def _as_typed(value: Any) -> str:
    # A flag stands alone, as in --raw.
    return "" if value is True else str(value)


def run(line: Line, options: Options) -> int:
    """Run one command and return its exit code. Ctrl-C leaves the job for the next start."""
    try:
        return asyncio.run(_run(line, options))
    except KeyboardInterrupt:
        click.echo(
            translate("terminal.interrupted", settings.load().locale), err=True
        )
        return INTERRUPTED
    except TRANSIENT as error:
        if isinstance(error, BrokenPipeError):
            raise  # of whatever reads our lines
        click.echo(
            translate("terminal.storage", settings.load().locale), err=True
        )
        return ExitCode.GIVEN_UP
    finally:
        # The process ends: a last collection would only examine what it loaded.
        gc.freeze()


class Prompt:
    """The person at the prompt: their settings, and the lines printed beside the answer."""

    def __init__(
        self,
        config: settings.Settings,
        *,
        as_json: bool,
        pipe: Pipe | None = None,
    ) -> None:
        self.settings = config
        self._as_json = as_json
        self._pipe = pipe
        self._chats: list[TerminalChat] = []

    def tell(self, key: str, **params: object) -> None:
        """Print a line beside the answer, unless a program reads it."""
        if not self._as_json:
            click.echo(
                translate(key, self.settings.locale, **params), err=True
            )

    def say_waiting(self) -> None:
        """Say that another command works in the folder."""
        self.tell("terminal.waiting")

    def chats(self, blobs: Blobs) -> dict[str, TerminalChat]:
        """The chats of this process: the terminal alone."""
        chat = TerminalChat(
            blobs,
            self.settings.locale,
            quiet=self._as_json,
            pipe=self._pipe,
        )
        self._chats = [chat]
        return {"terminal": chat}

    def terminal(self, service: Service, context: Context) -> Terminal:
        """The terminal's side of Easel, which speaks through that chat."""
        return Terminal(service, context.store, self._chats[0])


async def _run(line: Line, options: Options) -> int:
    config = settings.load()
    as_json = bool(options["as_json"])
    # A person reads this: lines about progress would stand between the answers.
    level = "error" if config.log_level == "info" else config.log_level
    logs.set_up_late(config.log_format, level, settings.secrets(config))
    key = uuid.uuid4().hex
    pipe = None
    if line.out == PIPE:
        out = decode.place_of_results(line, key)
        pipe = Pipe(out=out, stream=sys.stdout.buffer)
    prompt = Prompt(config, as_json=as_json, pipe=pipe)
    for name, nearest in settings.unknown_variables():
        prompt.tell("config.unknown", setting=name, nearest=nearest)
    incoming = decode.incoming(
        line,
        key=key,
        user=getpass.getuser(),
        locale=config.locale,
    )
    report: Report | None = None
    if OPERATIONS[line.action].answered is Answered.AT_ONCE:
        report = await _at_once(prompt, incoming)
    if report is None:
        report = await _with_engine(prompt, incoming, options["time_scale"])
    return _print(report, as_json=as_json)


async def _at_once(prompt: Prompt, incoming: Incoming) -> Report | None:
    """Answer without an engine.

    None when one is needed: for jobs of an earlier command, or a database that is not up to date.
    """
    action = Action(incoming.operation)
    shows_budget = action is Action.BUDGET and not incoming.fields
    reads = OPERATIONS[action].reads_only or shows_budget
    async with AsyncExitStack() as stack:
        if not reads:
            await lock_folder(stack, prompt.settings, prompt.say_waiting)
        context = await stack.enter_async_context(
            open_context(prompt.settings, prompt.chats)
        )
        if context is None:
            return None
        terminal = prompt.terminal(Service(context, NoJobs()), context)
        # Another process at work finishes its own jobs; who only reads need not wait for it.
        is_left_alone = reads and is_taken(prompt.settings)
        if await terminal.unfinished() and not is_left_alone:
            return None
        return await terminal.run(incoming)


async def _with_engine(
    prompt: Prompt,
    incoming: Incoming,
    time_scale: float | None,
) -> Report:
    """Run with an engine. Jobs of an earlier command are finished beside it."""
    # Loading it costs a second of processor time, which most commands need not spend.
    from bot import wiring  # noqa: PLC0415
    from bot.simulator.tasks import SimulatorConfig  # noqa: PLC0415

    log.set_up()
    makes_pictures = Action(incoming.operation).makes_pictures
    if is_simulated(prompt.settings) and makes_pictures:
        prompt.tell("terminal.simulator")
    if time_scale is None:
        time_scale = TIME_SCALE
    folder = prompt.settings.data_dir / "simulator"
    simulator = SimulatorConfig(time_scale=time_scale, folder=folder)
    async with wiring.open_easel(
        prompt.settings,
        prompt.chats,
        simulator=simulator,
        waiting=prompt.say_waiting,
    ) as easel:
        if makes_pictures:
            easel.context.pool.start()
        terminal = prompt.terminal(easel.service, easel.context)
        unfinished = await terminal.unfinished()
        if unfinished:
            prompt.tell("terminal.recovered", count=len(unfinished))
        report = await terminal.run(incoming)
        ends = [terminal.end(job) for job in unfinished]
        await asyncio.gather(*ends, return_exceptions=True)
        return report


def _print(report: Report, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(report.data, ensure_ascii=False) + "\n")
    return report.code
