"""The data folder: the lock that one process holds, and the key of links."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from bot.settings import Settings
from core.errors import ConfigurationError
from core.storage import database

DATABASES = ("inbox.db", "room.db")
"""Beside the main one, which may lie elsewhere."""
PRIVATE_FILES = ("link.key", "secret.key", "easel.lock")


def link_keys(settings: Settings) -> list[str]:
    """Return the keys that sign links: the operator's, or one made at the first start.

    Several workers need the same keys, so there the operator must set them.
    """
    if settings.link_keys:
        return list(settings.link_keys.get_secret_value().split(","))
    return [key_in_file(settings.data_dir / "link.key")]


def key_in_file(path: Path) -> str:
    """Read the key in a file, or make one."""
    # Two processes may start at once: whichever makes the file first decides the key.
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(descriptor)
    return path.read_text()


def close_to_others(settings: Settings) -> None:
    """Let no other user of the machine into what is kept, also where another program made it.

    What belongs to another user stays as it is.
    """
    folder = settings.data_dir
    _set_mode(folder, 0o700)
    if settings.blobs.startswith("file:"):
        blobs = Path(unquote(urlsplit(settings.blobs).path))
        with suppress(OSError):
            blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        _set_mode(blobs, 0o700)
    databases = [f"sqlite:///{folder / name}" for name in DATABASES]
    if database.is_sqlite(settings.database):
        databases.append(settings.database)
    files = [folder / name for name in PRIVATE_FILES]
    for url in databases:
        files += database.files_of(url)
    for path in files:
        _set_mode(path, 0o600)


def _set_mode(path: Path, mode: int) -> None:
    with suppress(FileNotFoundError, PermissionError):
        path.chmod(mode)


LOCK_PATIENCE, LOCK_PAUSE = 60.0, 0.2
"""Seconds that another process is waited for, and between two tries."""


async def lock_folder(
    stack: AsyncExitStack,
    settings: Settings,
    waiting: Callable[[], None] | None,
) -> None:
    """Allow one worker in a data folder on SQLite: an account's limits hold for one process only.

    With ``waiting``, which is called at once, wait a minute for the other to end. Raises
    ConfigurationError.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        close_to_others(settings)
        if not database.is_sqlite(settings.database):
            return
        lock = FileLock(folder / "easel.lock", mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if waiting is None:
                raise
            waiting()
            await _wait_for_lock(lock)
    except Timeout:
        raise ConfigurationError(
            "config.locked",
            setting="EASEL_DATA_DIR",
            folder=str(folder),
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "config.data_dir",
            setting="EASEL_DATA_DIR",
            folder=str(folder),
            reason=error.strerror or "error",
        ) from None
    stack.callback(lock.release)


async def _wait_for_lock(lock: FileLock) -> None:
    """Wait in small steps, so that a signal is heard meanwhile. Raises Timeout."""
    ends = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(LOCK_PAUSE)
        else:
            return


def is_taken(settings: Settings) -> bool:
    """Whether another process works in the folder. Never on PostgreSQL, where many may."""
    if not database.is_sqlite(settings.database):
        return False
    try:
        lock = FileLock(settings.data_dir / "easel.lock", mode=0o600)
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True
