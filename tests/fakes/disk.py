"""A disk below SQLite and the folder of blobs that can be full, or only be read."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from core.storage.folder import FolderBlobs

MOST_PAGES = 2**30


class Trouble(StrEnum):
    """What is wrong with a disk."""

    NONE = "none"
    FULL = "full"
    READ_ONLY = "read-only"


class Disk:
    """``failures``: how many writes it has refused. SQLite itself refuses them."""

    def __init__(self) -> None:
        self.trouble = Trouble.NONE
        self.failures = 0

    def on_begin(self, connection: Connection) -> None:
        if connection.dialect.name != "sqlite":
            return
        # It may not have fewer pages than it has.
        pages = 1 if self.trouble is Trouble.FULL else MOST_PAGES
        only_reads = self.trouble is Trouble.READ_ONLY
        for pragma in (
            f"max_page_count={pages}",
            f"query_only={only_reads:d}",
        ):
            connection.exec_driver_sql(f"PRAGMA {pragma}")

    def on_error(self, _context: ExceptionContext) -> None:
        self.failures += self.trouble is not Trouble.NONE

    def check(self) -> None:
        """Raises OSError while nothing can be written."""
        if self.trouble is Trouble.NONE:
            return
        self.failures += 1
        is_full = self.trouble is Trouble.FULL
        code = errno.ENOSPC if is_full else errno.EROFS
        raise OSError(code, os.strerror(code))


@contextmanager
def a_disk(patch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Put a disk below everything that is opened from now on."""
    disk = Disk()
    keep = FolderBlobs._keep

    def try_to_keep(blobs: FolderBlobs, workspace: str, data: bytes) -> str:
        disk.check()
        return keep(blobs, workspace, data)

    patch.setattr(FolderBlobs, "_keep", try_to_keep)
    listeners: dict[str, Callable[..., Any]] = {
        "begin": disk.on_begin,
        "handle_error": disk.on_error,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield disk
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
