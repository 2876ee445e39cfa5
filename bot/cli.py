"""The command line.

Heavy modules are imported by the command that needs them: --help must be instant.
"""

import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from core.languages import languages

OK, FAILED, USAGE, CONFIGURATION = 0, 1, 2, 78
VALUES = {
    "n": "How many pictures.",
    "size": "Exact size, such as 1328*1328.",
    "ar": "Ratio, such as 16:9 or square.",
    "seed": "Fixed seed, 0 to 2147483647.",
    "no": "What must not be in it.",
    "model": "A model of `easel models`.",
}
WANX_VALUES = {
    "strength": "0 to 1 (style, edit).",
    "scale": "1 to 4 (upscale).",
    "top": "1.0 to 2.0 (expand).",
    "bottom": "1.0 to 2.0 (expand).",
    "left": "1.0 to 2.0 (expand).",
    "right": "1.0 to 2.0 (expand).",
}
FLAGS = {
    "raw": "Do not let the service extend the prompt.",
    "watermark": "Add the service's watermark.",
}
WANX_FLAGS = {
    "sketch": "The picture is a line drawing (sketch).",
}
FUNCTIONS = (
    "style",
    "restyle",
    "edit",
    "inpaint",
    "unwatermark",
    "expand",
    "upscale",
    "colorize",
    "sketch",
    "cartoon",
)

Command = Callable[..., Any]


def _with(command: Command, options: Sequence[Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def shows_pictures(command: Command) -> Command:
    """Options of every command whose answer may hold pictures."""
    return _with(
        command,
        [
            click.option(
                "--out",
                type=click.Path(path_type=Path),
                default=Path(),
                help="Folder for pictures.",
            ),
            click.option(
                "--json",
                "as_json",
                is_flag=True,
                help="Print one JSON object and nothing else.",
            ),
            click.option(
                "--time-scale",
                type=click.FloatRange(min=0),
                help="Pace of the simulator; 1 is the real one.",
            ),
        ],
    )


def makes_pictures(command: Command) -> Command:
    """The options of the grammar, handed to it as they were typed."""
    short = {"n": "-n", "no": "--negative"}
    values = [
        click.option(
            f"--{name}", *filter(None, [short.get(name)]), name, help=VALUES[name]
        )
        for name in VALUES
    ]
    flags = [
        click.option(f"--{name}", is_flag=True, help=text)
        for name, text in FLAGS.items()
    ]
    return shows_pictures(_with(command, [*values, *flags]))


def continues(command: Command) -> Command:
    """The option of commands that work on a picture."""
    option = click.option(
        "--from",
        "source",
        metavar="STEP",
        help="Continue from this step instead of the last.",
    )
    return _with(command, [option])


def wanx_options(command: Command) -> Command:
    """What only the Wanx functions know."""
    values = [
        click.option(f"--{name}", help=text) for name, text in WANX_VALUES.items()
    ]
    flags = [
        click.option(f"--{name}", is_flag=True, help=text)
        for name, text in WANX_FLAGS.items()
    ]
    mask = click.option(
        "--mask", help="A mask picture, or left, right, top, bottom, center (inpaint)."
    )
    return _with(command, [*values, *flags, mask])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="easel")
def cli() -> None:
    """Draw and keep editing pictures together, in team chat."""


@cli.command()
@makes_pictures
@click.argument("words", nargs=-1, required=True)
def draw(words: tuple[str, ...], **options: Any) -> None:
    """Draw a picture from words."""
    from bot.terminal import run_words  # noqa: PLC0415

    sys.exit(run_words("draw", words, options))


@cli.command()
@makes_pictures
@continues
@click.argument("words", nargs=-1, required=True)
def edit(words: tuple[str, ...], **options: Any) -> None:
    """Edit the pictures named after the instruction, or the last result."""
    from bot.terminal import run_words  # noqa: PLC0415

    sys.exit(run_words("edit", words, options))


@cli.command()
@makes_pictures
@continues
@wanx_options
@click.argument("function", type=click.Choice(FUNCTIONS))
@click.argument("words", nargs=-1)
def wanx(function: str, words: tuple[str, ...], **options: Any) -> None:
    """One of the ten Wanx functions."""
    from bot.terminal import run_words  # noqa: PLC0415

    sys.exit(run_words(f"wanx.{function}", words, options))


def _answered(name: str, text: str, argument: str | None = None) -> None:
    """A command that is answered at once."""

    @shows_pictures
    def command(what: str = "", **options: Any) -> None:
        from bot.terminal import run_answered  # noqa: PLC0415

        sys.exit(run_answered(name, what or "", options))

    if argument:
        command = click.argument("what", metavar=argument, required=argument.isupper())(
            command
        )
    cli.command(name, help=text)(command)


_answered("undo", "Go back to the picture before; free.")
_answered("redo", "Go forward again; free.")
_answered(
    "pick", "Choose which of several pictures the next edit starts from.", "NUMBER"
)
_answered("again", "The same once more with a new seed.", "[step]")
_answered(
    "rerun", "All instructions since the original, merged, run once on it.", "[step]"
)
_answered("history", "A picture of the edit tree.")
_answered("compare", "Before and after, side by side.")
_answered("show", "Show a step again.", "STEP")
_answered("info", "What made a picture.", "[step]")
_answered("cancel", "Cancel a waiting job; free.", "[step]")
_answered(
    "drop",
    "Forget a job whose end nobody knows; its reserved money comes back.",
    "STEP",
)
_answered("usage", "What this month cost.")


@cli.command()
@shows_pictures
@click.option("--person-day", help="Most a person may spend a day; - removes it.")
@click.option("--channel-month", help="Most a channel may spend a month; - removes it.")
@click.option(
    "--workspace-month", help="Most the workspace may spend a month; - removes it."
)
def budget(**options: Any) -> None:
    """Show the budgets, or set them."""
    from bot.terminal import run_answered  # noqa: PLC0415

    names = ("person_day", "channel_month", "workspace_month")
    given = {name: value for name in names if (value := options.pop(name)) is not None}
    sys.exit(run_answered("budget", "", options, given))


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web room.")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0),
    help="Pace of the simulator; 1 is the real one.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
def demo(
    port: int | None, data: Path | None, time_scale: float | None, open_browser: bool
) -> None:
    """The whole product in a web room on this machine; needs no account."""
    from bot.demo import run  # noqa: PLC0415

    sys.exit(run(port, data, time_scale, open_browser=open_browser))


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="1 is the real pace.",
)
@click.option(
    "--key", default="sk-simulator", show_default=True, help="The API key it accepts."
)
@click.option(
    "--overflow",
    type=click.Choice(["queue", "refuse"]),
    default="queue",
    show_default=True,
)
@click.option("--seed", type=int, help="Fixes the durations.")
@click.option(
    "--strict/--lenient",
    default=True,
    show_default=True,
    help="Enforce the vendor's limits, or not.",
)
def simulate(**options: Any) -> None:
    """The DashScope simulator alone."""
    from bot.providers import likenesses, load_catalog  # noqa: PLC0415
    from bot.simulator.__main__ import run  # noqa: PLC0415

    sys.exit(run(**options, like=likenesses(load_catalog())))


@cli.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Everything the catalogue knows, as JSON."
)
def models(as_json: bool) -> None:
    """The models in the catalogue."""
    from bot.models import listing  # noqa: PLC0415

    click.echo(listing(as_json=as_json))


@cli.command()
@click.option(
    "--role",
    type=click.Choice(["all", "gateway", "worker"]),
    default="all",
    show_default=True,
)
def run(role: str) -> None:
    """The bot: every platform whose settings are present."""
    from bot.run import run_bot  # noqa: PLC0415

    sys.exit(run_bot(role))


@cli.command("slack-manifest")
@click.option(
    "--socket", "by_socket", is_flag=True, help="For Socket Mode (the default)."
)
@click.option(
    "--http",
    "url",
    metavar="URL",
    help="For HTTP at this address, which Slack must reach.",
)
@click.option(
    "--many", is_flag=True, help="With --http: to be installed in many workspaces."
)
@click.option(
    "--locale",
    type=click.Choice(languages()),
    help="Language of the descriptions.",
)
def slack_manifest(
    by_socket: bool, url: str | None, many: bool, locale: str | None
) -> None:
    """What to paste at api.slack.com/apps to make the app."""
    from bot.manifests import slack  # noqa: PLC0415

    if by_socket and url:
        raise click.UsageError("Give --socket or --http URL, not both.")
    click.echo(slack(url, many=many, locale=locale))


@cli.command("discord-invite")
def discord_invite() -> None:
    """The link that invites the bot of DISCORD_BOT_TOKEN to a server."""
    from bot.manifests import discord  # noqa: PLC0415

    click.echo(discord())


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
def prune(dry_run: bool) -> None:
    """Remove the records of jobs that finished a month ago; pictures and history stay."""
    from bot.prune import run as remove  # noqa: PLC0415

    sys.exit(remove(dry_run=dry_run))


@cli.command()
def migrate() -> None:
    """Bring the database up to date."""
    from bot.run import run_migrate  # noqa: PLC0415

    sys.exit(run_migrate())


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Check settings, database, blobs and the service."""
    from bot.doctor import run as examine  # noqa: PLC0415

    sys.exit(examine(as_json=as_json))


def main() -> None:
    """Entry point. Wrong usage and wrong settings are one line, also with --json."""
    from core.errors import ConfigurationError  # noqa: PLC0415

    # What is loaded stays: looking through it again and again finds no garbage.
    gc.set_threshold(100_000)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        code = _complain("usage", error.format_message(), USAGE)
        if not _wants_json():
            click.echo(_hint(error), err=True)
    except click.Abort:
        code = 130
    except ConfigurationError as error:
        from core.i18n import translate  # noqa: PLC0415

        code = _complain(
            error.key, translate(error.key, "en", **error.params), CONFIGURATION
        )
    sys.exit(code if isinstance(code, int) else OK)


def _wants_json() -> bool:
    return "--json" in sys.argv


def _complain(key: str, message: str, code: int) -> int:
    if _wants_json():
        click.echo(
            json.dumps(
                {"error": {"key": key, "message": message, "charged": "no"}},
                ensure_ascii=False,
            )
        )
    else:
        click.echo(f"easel: {message}", err=True)
    return code


def _hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"Try: {context.command_path} --help" if context else "Try: easel --help"
