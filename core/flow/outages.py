"""Which neighbour each job of this process waits for, so that its message can say so."""

import time
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from core.errors import DeliveryError

LONG_WAIT = 3.0
"""Seconds a job waits before its message says so: most trouble is over by then."""


class Neighbour(StrEnum):
    """What may be away while a job waits."""

    PLATFORM = "platform"
    SERVICE = "service"
    STORAGE = "storage"
    DATABASE = "database"


class ServiceAway(ConnectionError):
    """The image service does not hand out a result just now."""


class Waits:
    """The jobs that wait for a neighbour, by step."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[Neighbour, float]] = {}

    def begin(self, job: str, error: Exception) -> None:
        """A try of the job has failed with an error that passes."""
        _, since = self._waits.get(job, (None, time.monotonic()))
        self._waits[job] = (_neighbour(error), since)

    def end(self, job: str) -> None:
        """The job continues."""
        self._waits.pop(job, None)

    def long_awaited(self, job: str) -> Neighbour | None:
        """What the job has waited for so long that its message should say so."""
        if job not in self._waits:
            return None
        neighbour, since = self._waits[job]
        is_long = time.monotonic() - since >= LONG_WAIT
        return neighbour if is_long else None

    def __contains__(self, job: str) -> bool:
        return job in self._waits


def _neighbour(error: Exception) -> Neighbour:
    if isinstance(error, DeliveryError):
        return Neighbour.PLATFORM
    if isinstance(error, SQLAlchemyError):
        return Neighbour.DATABASE
    if isinstance(error, ServiceAway):
        return Neighbour.SERVICE
    return Neighbour.STORAGE
