"""``easel slack-manifest`` and ``easel discord-invite``: how the app gets onto a platform."""

import json
import re

from adapters.discord.checkup import app_of, invite
from adapters.slack.manifest import manifest
from bot import settings
from bot.cli_errors import WrongUsage
from core.errors import ConfigurationError

ADDRESS = re.compile(r"https://[^\s/?#@]+")
"""What Slack takes as a request URL's beginning: https, a host, no path."""


def slack(url: str | None, *, many: bool, locale: str | None) -> str:
    """The manifest as JSON. Raises WrongUsage for an address Slack would refuse."""
    base = (url or "").rstrip("/")
    if url is not None and not ADDRESS.fullmatch(base):
        raise WrongUsage("cli.http_address", address=url)
    if many and not url:
        raise WrongUsage("cli.many_without_http")
    language = locale or settings.load().locale
    app = manifest(language, base, installable=many)
    return json.dumps(app, ensure_ascii=False, indent=2)


def discord() -> str:
    """The address that invites the bot.

    Raises ConfigurationError for a token that is missing or is none.
    """
    token = settings.load().discord_bot_token
    if token is None:
        raise ConfigurationError(
            "config.discord_no_token", setting="DISCORD_BOT_TOKEN"
        )
    app = app_of(token.get_secret_value())
    if not app:
        raise ConfigurationError(
            "config.discord_strange_token", setting="DISCORD_BOT_TOKEN"
        )
    return invite(app)
