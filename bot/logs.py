"""Logs: JSON lines in a container, readable on a terminal; no secret passes, whatever holds it."""

import logging
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO, cast

from core.log import log

SHAPES = re.compile(
    r"(?:Bearer\s+)?\b(?:sk|xox[abprs]|xapp|st)-[A-Za-z0-9_-]{6,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
STARS = "***"


class Redaction:
    """Replaces known secrets by value, and anything shaped like one, in every part of a log line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted(
            (one for one in secrets if len(one) >= 4), key=len, reverse=True
        )

    def text(self, value: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            value = value.replace(secret, STARS)
        return SHAPES.sub(STARS, value)

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        """A structlog processor."""
        return self._clean(event)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self._clean(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(one) for one in value]
        return (
            value
            if isinstance(value, int | float | bool | None)
            else self.text(str(value))
        )


class StandardError:
    """Standard error as it is at the moment of writing.

    A job never breaks because its log cannot be written.
    """

    def write(self, text: str) -> int:
        """Write, or let it be."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or let it be."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def set_up(kind: str, level: str, secrets: Iterable[str]) -> None:
    """Send our log and the libraries' to standard error.

    ``kind``: json, console or auto (a terminal or not).
    """
    import structlog  # noqa: PLC0415  # slow to load

    as_json = kind == "json" or (kind == "auto" and not sys.stderr.isatty())
    redaction = Redaction(secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redaction,
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", StandardError())),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        foreign_pre_chain=shared,
    )
    handler = logging.StreamHandler(StandardError())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))


def set_up_late(kind: str, level: str, secrets: Iterable[str]) -> None:
    """The same, but not before the first line is written: most commands at a prompt write none."""
    log.set_up_by(lambda: set_up(kind, level, secrets))
    logging.getLogger().handlers = [_FirstLine()]


class _FirstLine(logging.Handler):
    """A library writes: set up, which puts another in our place, and hand it over."""

    def emit(self, record: logging.LogRecord) -> None:
        """To standard error, if it is grave enough."""
        log.set_up()
        root = logging.getLogger()
        if record.levelno >= root.level:
            root.handle(record)
