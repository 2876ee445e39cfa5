"""The command line.

Heavy modules are imported by the command that needs them: --help must be instant.
"""

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bot import egress
from bot.cli_help import (
    LocalizedCommand,
    LocalizedGroup,
    help_language,
    option,
    say,
)
from bot.cli_operations import add_commands
from bot.exit_codes import ExitCode
from core.languages import languages


@click.group(
    cls=LocalizedGroup,
    say_help=say("cli.easel"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="easel")
def cli() -> None:
    """Draw and keep editing pictures together, in team chat."""
    egress.set_up()


def program_command(name: str) -> Callable[[Any], click.Command]:
    """Add a command that runs the program or looks after it."""
    say_help = say(f"cli.{name.replace('-', '_')}")
    return cli.command(name, cls=LocalizedCommand, say_help=say_help)


add_commands(cli)


@program_command("demo")
@option("--port", type=click.IntRange(0, 65535), say_help=say("cli.port"))
@option("--data", type=click.Path(path_type=Path), say_help=say("cli.data"))
@option(
    "--time-scale",
    type=click.FloatRange(min=0),
    say_help=say("cli.time_scale"),
)
@option("--open", "open_browser", is_flag=True, say_help=say("cli.open"))
def demo(
    port: int | None,
    data: Path | None,
    time_scale: float | None,
    open_browser: bool,
) -> None:
    """Run the whole product in a web room on this machine, without an account."""
    from bot.demo import run  # noqa: PLC0415

    sys.exit(run(port, data, time_scale, open_browser=open_browser))


@program_command("simulate")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    say_help=say("cli.simulator_port"),
)
@option(
    "--time-scale",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    say_help=say("cli.time_scale"),
)
@option(
    "--key",
    default="sk-simulator",
    show_default=True,
    say_help=say("cli.key"),
)
@option(
    "--overflow",
    type=click.Choice(["queue", "refuse"]),
    default="queue",
    show_default=True,
    say_help=say("cli.overflow"),
)
@option("--seed", type=int, say_help=say("cli.seed"))
@option(
    "--strict/--lenient",
    default=True,
    show_default=True,
    say_help=say("cli.strict"),
)
def simulate(**options: Any) -> None:
    """The DashScope simulator alone."""
    from bot.providers import likenesses, load_catalog  # noqa: PLC0415
    from bot.simulator.__main__ import run  # noqa: PLC0415

    sys.exit(run(**options, like=likenesses(load_catalog())))


@program_command("models")
@option("--json", "as_json", is_flag=True, say_help=say("cli.models_json"))
def models(as_json: bool) -> None:
    """The models in the catalogue."""
    from bot.models import listing  # noqa: PLC0415

    click.echo(listing(as_json=as_json))


@program_command("run")
@option(
    "--role",
    type=click.Choice(["all", "gateway", "worker"]),
    default="all",
    show_default=True,
    say_help=say("cli.role"),
)
def run(role: str) -> None:
    """The bot: every platform that has its settings."""
    from bot.run import run_bot  # noqa: PLC0415

    sys.exit(run_bot(role))


@program_command("slack-manifest")
@option("--socket", "by_socket", is_flag=True, say_help=say("cli.socket"))
@option(
    "--http",
    "url",
    metavar="URL",
    say_help=say("cli.http"),
)
@option("--many", is_flag=True, say_help=say("cli.many"))
@option(
    "--locale",
    type=click.Choice(languages()),
    say_help=say("cli.locale"),
)
def slack_manifest(
    by_socket: bool,
    url: str | None,
    many: bool,
    locale: str | None,
) -> None:
    """What to paste at api.slack.com/apps to make the app."""
    from bot.manifests import slack  # noqa: PLC0415

    if by_socket and url:
        from bot.cli_errors import WrongUsage  # noqa: PLC0415

        raise WrongUsage("cli.socket_or_http")
    click.echo(slack(url, many=many, locale=locale))


@program_command("discord-invite")
def discord_invite() -> None:
    """The link that invites the bot of DISCORD_BOT_TOKEN to a server."""
    from bot.manifests import discord  # noqa: PLC0415

    click.echo(discord())


@program_command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """The lines that teach a shell to complete Easel's commands and options."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(shell)
    click.echo(complete(cli, {}, "easel", "_EASEL_COMPLETE").source())


@program_command("prune")
@option("--dry-run", is_flag=True, say_help=say("cli.dry_run"))
def prune(dry_run: bool) -> None:
    """Remove what is too old, or what nothing refers to any more."""
    from bot.prune import run as remove  # noqa: PLC0415

    sys.exit(remove(dry_run=dry_run))


@program_command("settings")
def print_settings() -> None:
    """Every setting, as an annotated .env file to fill in."""
    from bot.env_example import env_example  # noqa: PLC0415

    click.echo(env_example(), nl=False)


@program_command("forget")
@click.argument("person", metavar="PERSON")
def forget(person: str) -> None:
    """Forget a person, by the platform's id or by name, as /easel forget-me does."""
    from bot.people import run_forget  # noqa: PLC0415

    sys.exit(run_forget(person))


@program_command("export")
@click.argument("person", metavar="PERSON")
@click.argument("file", type=click.Path(path_type=Path))
def export(person: str, file: Path) -> None:
    """Write all that is kept of a person into a new ZIP file."""
    from bot.people import run_export  # noqa: PLC0415

    sys.exit(run_export(person, file))


@program_command("migrate")
def migrate() -> None:
    """Bring the database up to date."""
    from bot.run import run_migrate  # noqa: PLC0415

    sys.exit(run_migrate())


@program_command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write everything Easel keeps to a new file; it may run meanwhile."""
    from bot.backup import run as write  # noqa: PLC0415

    sys.exit(write(file))


@program_command("restore")
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Read a backup into an empty data folder or database."""
    from bot.restore import run as read  # noqa: PLC0415

    sys.exit(read(file))


@program_command("doctor")
@option("--json", "as_json", is_flag=True, say_help=say("cli.json"))
def doctor(as_json: bool) -> None:
    """Check settings, database, blobs and the service."""
    from bot.doctor import run as examine  # noqa: PLC0415

    sys.exit(examine(as_json=as_json))


def main() -> None:
    """Entry point. Wrong usage and wrong settings are one line, also with --json."""
    from core.errors import ConfigurationError, Unavailable  # noqa: PLC0415

    # What is loaded stays: looking through it again and again finds no garbage.
    gc.set_threshold(100_000)
    try:
        _refuse_failpoints()
        code = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = ExitCode.USAGE
    except click.ClickException as error:
        from bot import cli_errors  # noqa: PLC0415

        code = _complain("usage", cli_errors.explain(error), ExitCode.USAGE)
        if not _wants_json():
            click.echo(cli_errors.hint(error), err=True)
    except click.Abort:
        code = 130
    except ConfigurationError as error:
        passes = isinstance(error, Unavailable)
        from core.i18n import translate  # noqa: PLC0415

        code = _complain(
            error.key,
            translate(error.key, help_language(), **error.params),
            ExitCode.GIVEN_UP if passes else ExitCode.MISCONFIGURED,
        )
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _refuse_failpoints() -> None:
    """Raise ConfigurationError where a variable of the tests would end the program anywhere."""
    from core.errors import ConfigurationError  # noqa: PLC0415

    if os.environ.get("FAILPOINTS"):
        raise ConfigurationError("config.failpoints", setting="FAILPOINTS")


def _wants_json() -> bool:
    return "--json" in sys.argv


def _complain(key: str, message: str, code: int) -> int:
    if _wants_json():
        error = {
            "key": key,
            "message": message,
            "charged": "no",
        }
        click.echo(json.dumps({"error": error}, ensure_ascii=False))
    else:
        click.echo(f"easel: {message}", err=True)
    return code
