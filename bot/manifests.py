"""``easel slack-manifest``: what a platform wants to be told of the app before it exists."""

import json
import re

import click

from adapters.slack.manifest import manifest
from bot import settings

ADDRESS = re.compile(r"https://[^\s/?#@]+")


def slack(url: str | None, *, many: bool, locale: str | None) -> str:
    """The manifest as JSON. Raises UsageError for an address Slack would refuse."""
    base = (url or "").rstrip("/")
    if url is not None and not ADDRESS.fullmatch(base):
        raise click.UsageError("--http wants an address like https://easel.example.com.")
    if many and not url:
        raise click.UsageError("--many needs --http URL: people are sent there to install.")
    found = manifest(locale or settings.load().locale, base, installable=many)
    return json.dumps(found, ensure_ascii=False, indent=2)
