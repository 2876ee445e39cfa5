"""Logs: JSON lines in a container, readable on a terminal, and never a secret in them."""

import logging
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO, cast

from core.log import log

SHAPES = re.compile(
    r"""
    \bBearer\s+[A-Za-z0-9._~+/=-]{8,}
    # Keys of the image service, tokens of Slack.
    | \b(?:sk|xox[abceoprs](?:\.xox[bp])?|xapp|st)-[A-Za-z0-9_-]{6,}
    # A token of a Discord bot.
    | \b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}
    # One that is signed, as our own links are.
    | \beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*
    # An access key of a bucket.
    | \b(?:AKIA|ASIA|LTAI)[A-Za-z0-9]{10,}
    # Name and password in an address.
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)
    # What lets its holder answer an event, or write through a webhook.
    | (?<=/webhooks/)[0-9]+/[^\s/?"']+
    | (?<=/interactions/)[0-9]+/[^\s/?"']+
    | (?<=//hooks\.slack\.com/)[^\s"']+
    # The signature of a link that anybody may open.
    | (?<=[?&;])(?:(?:X-Amz-)?(?:Signature|Credential|Security-Token)
        |OSSAccessKeyId|AWSAccessKeyId|security-token|hm|token)=[^&\s"']+
    """,
    re.VERBOSE | re.IGNORECASE,
)
STARS = "***"


class Redaction:
    """Replaces secrets we know, and anything shaped like one, in every part of a log line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # A secret may hold another one: the longest first. Shorter ones would star out words.
        long_enough = [secret for secret in secrets if len(secret) >= 4]
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def text(self, cleaned: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            cleaned = cleaned.replace(secret, STARS)
        return SHAPES.sub(STARS, cleaned)

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        """A structlog processor."""
        return self._clean(event)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self._clean(entry) for name, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(entry) for entry in value]
        if isinstance(value, int | float | bool | None):
            return value
        return self.text(str(value))


class StandardError:
    """Standard error as it is at the moment of writing.

    No job may break because its log cannot be written: errors are ignored.
    """

    def write(self, text: str) -> int:
        """Write, if possible."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def set_up(kind: str, level: str, secrets: Iterable[str]) -> None:
    """Send our log and the libraries' to standard error.

    ``kind`` is json, console, or auto: console on a terminal, else json.
    """
    import structlog  # noqa: PLC0415  # slow to load

    as_json = kind == "json"
    if kind == "auto":
        as_json = not sys.stderr.isatty()
    redaction = Redaction(secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redaction,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False)
    if as_json:
        renderer = structlog.processors.JSONRenderer()
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(
            cast("TextIO", StandardError())
        ),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            renderer,
        ],
        foreign_pre_chain=shared,
    )
    # Libraries write through the standard logging: their lines are redacted likewise.
    handler = logging.StreamHandler(StandardError())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    # What libraries find worth an "info" would drown our own.
    root.setLevel(max(number, logging.WARNING))


def set_up_late(kind: str, level: str, secrets: Iterable[str]) -> None:
    """Set up when the first line is written: most commands at a prompt write none."""
    log.set_up_by(lambda: set_up(kind, level, secrets))
    logging.getLogger().handlers = [_FirstLine()]


class _FirstLine(logging.Handler):
    """Takes a library's first line: sets up, which replaces this handler, and hands it on."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, if its level says so."""
        log.set_up()
        root = logging.getLogger()
        if record.levelno >= root.level:
            root.handle(record)
