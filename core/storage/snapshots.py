"""Whole copies of a SQLite file, taken while others write, and durable once they have a name."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

COPIES = ".before-"
"""Between a file's name and the revision of a copy that was made before an upgrade."""


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, by SQLite's online backup.

    ``target`` is there whole or not at all, and replaces what had its name. Raises sqlite3.Error
    or OSError.
    """
    suffix = secrets.token_hex(4)
    aside = target.with_name(f".{target.name}.{suffix}")
    try:
        _copy(source, aside)
        sync(aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    sync(target.parent)


def _copy(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    address = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
        # A file of its own: no log stands beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def sync(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_copy(database: Path, revision: str) -> None:
    """Keep a copy beside a database that is about to be upgraded, in place of older copies."""
    name = f"{database.name}{COPIES}{revision}"
    copy_database(database, database.with_name(name))
    # Only now: until the new copy is whole, the older one is the only copy.
    for older in database.parent.glob(f"{database.name}{COPIES}*"):
        if older.name != name:
            older.unlink()


def is_whole(database: Path) -> bool:
    """Whether SQLite can read all of it."""
    with closing(sqlite3.connect(database)) as connection:
        try:
            (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.DatabaseError:
            return False
    return bool(answer == "ok")
