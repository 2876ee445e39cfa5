"""What each job of this process waits for while it is away, so that its message can say so."""

import time
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from core.errors import DeliveryError
from core.log import log

LONG_WAIT = 3.0
"""Seconds a job waits before its message says so: most trouble is over by then."""


class Dependency(StrEnum):
    """What may be away while a job waits."""

    PLATFORM = "platform"
    SERVICE = "service"
    STORAGE = "storage"
    DATABASE = "database"


class ServiceAway(ConnectionError):
    """The image service does not hand out a result just now."""


class Waits:
    """The jobs that wait for a dependency, by step."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[Dependency, float]] = {}

    def begin(self, job: str, error: Exception) -> None:
        """Note that a job waits, after an error that passes."""
        _, since = self._waits.get(job, (None, time.monotonic()))
        self._waits[job] = (_dependency(error), since)

    def end(self, job: str) -> None:
        """Note that a job continues."""
        self._waits.pop(job, None)

    def long_awaited(self, job: str) -> Dependency | None:
        """Return what the job has waited for long enough to say so in its message."""
        if job not in self._waits:
            return None
        dependency, since = self._waits[job]
        is_long = time.monotonic() - since >= LONG_WAIT
        return dependency if is_long else None

    def __contains__(self, job: str) -> bool:
        return job in self._waits


class OutageLog:
    """Logs a line when an outage begins, and one when it is over, however often it was tried."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._since: float | None = None

    def begin(self, error: Exception) -> None:
        """Note an error that passes."""
        if self._since is None:
            self._since = time.monotonic()
            log.warning(f"{self._event}_waits", error=type(error).__name__)

    def end(self) -> None:
        """Note that it works."""
        if self._since is not None:
            seconds = round(time.monotonic() - self._since)
            log.info(f"{self._event}_continues", seconds=seconds)
            self._since = None


def _dependency(error: Exception) -> Dependency:
    if isinstance(error, DeliveryError):
        return Dependency.PLATFORM
    if isinstance(error, SQLAlchemyError):
        return Dependency.DATABASE
    if isinstance(error, ServiceAway):
        return Dependency.SERVICE
    return Dependency.STORAGE
