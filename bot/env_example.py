"""``easel settings``: every setting, as a ``.env`` file to fill in, from their own declarations."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from bot import settings
from bot.setting_sources import REGION_KEY

WIDTH = 98
HEADING = """\
# Settings of Easel. It reads them from the environment, and from a file named .env in the
# folder it is started in; the environment wins. All are optional, and blank is not set.
# NAME_FILE=/path reads NAME from a file: the best place for what is marked as secret.
# `easel doctor` checks what you have set.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting as the file shows it. ``default`` is "" where there is none."""

    name: str
    meaning: str
    example: str
    default: str = ""
    is_secret: bool = False


NETWORK = (
    Entry(
        name="HTTPS_PROXY",
        meaning="Proxy for https addresses. This machine is never reached through it.",
        example="http://proxy.example.com:3128",
        is_secret=True,
    ),
    Entry(
        name="HTTP_PROXY",
        meaning="Proxy for http addresses.",
        example="http://proxy.example.com:3128",
        is_secret=True,
    ),
    Entry(
        name="NO_PROXY",
        meaning="Hosts that are reached without the proxy, separated by commas.",
        example="db.example.com,.internal",
    ),
    Entry(
        name="SSL_CERT_FILE",
        meaning="Certificates to trust in place of the usual ones, PEM.",
        example="/etc/ssl/certs/ca-certificates.crt",
    ),
)
"""What bot.egress reads: other programs know these variables, too."""


def entries() -> list[Entry]:
    """Return every setting there is."""
    declared = settings.declared().items()
    return [*(_describe(name, field) for name, field in declared), *NETWORK]


def env_example() -> str:
    """Return the file's text. Every line is a comment until an operator fills it in."""
    lines = [HEADING.rstrip()]
    for entry in entries():
        lines += ["", *_annotate(entry)]
    return "\n".join(lines) + "\n"


def _describe(name: str, field: FieldInfo) -> Entry:
    if name == "REGION_KEYS":
        name = f"{REGION_KEY}SINGAPORE"
    extra = field.json_schema_extra
    holds_password = isinstance(extra, dict) and bool(extra.get("secret"))
    return Entry(
        name=name,
        meaning=field.description or "",
        default=_write(field.default),
        example=str(field.examples[0]) if field.examples else "",
        is_secret=holds_password or "SecretStr" in repr(field.annotation),
    )


def _write(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    # Pydantic has a value of its own for "a new one is made each time".
    is_set = isinstance(default, int | str) or hasattr(default, "is_absolute")
    return str(default) if is_set else ""


def _annotate(entry: Entry) -> Iterator[str]:
    meaning = entry.meaning
    if entry.is_secret:
        meaning += f" Secret: {entry.name}_FILE may name a file."
    for line in textwrap.wrap(meaning, WIDTH, break_on_hyphens=False):
        yield f"# {line}"
    yield f"# Default: {entry.default or 'none'}"
    yield f"#{entry.name}={entry.example}"
