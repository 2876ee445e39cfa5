"""Picture bytes by content hash in a folder of this machine, durable before a row says so."""

import asyncio
import hashlib
import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from core.errors import NotFound
from core.storage.keys import KEY, folder_of, probe


class FolderBlobs:
    """Blobs in files. Each call enters a thread once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.has_failed = False

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the SHA-256 key."""
        try:
            key = await asyncio.to_thread(self._keep, workspace, data)
        except OSError:
            self.has_failed = True
            raise
        self.has_failed = False
        return key

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing or damaged: a wrong picture is never shown."""
        return await asyncio.to_thread(self._read, workspace, key)

    async def delete(self, workspace: str, key: str) -> None:
        """Forget it; no matter if it was not there."""
        path = self._path(workspace, key)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        return await asyncio.to_thread(self._keys, workspace)

    async def older_keys(self, workspace: str, before: datetime) -> list[str]:
        """Every key that was last kept before then, sorted."""
        return await asyncio.to_thread(self._older_keys, workspace, before)

    async def check(self) -> None:
        """Raises ConfigurationError when nothing can be kept."""
        await probe(self)

    def _keep(self, workspace: str, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        path = self._path(workspace, key)
        _make_folder(path.parent)
        # Written under another name first: half a blob never stands under its key.
        suffix = secrets.token_hex(4)
        temporary = path.with_name(f".{key}.{suffix}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            # On a full disk every try would leave its part behind.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return key

    def _read(self, workspace: str, key: str) -> bytes:
        path = self._path(workspace, key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound("refuse.picture_gone") from None
        if hashlib.sha256(data).hexdigest() != key:
            raise NotFound("refuse.picture_gone")
        return data

    def _keys(self, workspace: str) -> list[str]:
        folder = self._folder / folder_of(workspace)
        names = [path.name for path in folder.glob("*/*")]
        return sorted(name for name in names if KEY.fullmatch(name))

    def _older_keys(self, workspace: str, before: datetime) -> list[str]:
        moment = before.timestamp()
        old = []
        for key in self._keys(workspace):
            with suppress(FileNotFoundError):
                if self._path(workspace, key).stat().st_mtime < moment:
                    old.append(key)
        return old

    def _path(self, workspace: str, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise NotFound("refuse.picture_gone")
        folder = self._folder / folder_of(workspace)
        return folder / key[:2] / key


def _make_folder(folder: Path) -> None:
    """Make it and those above it durably: a lost folder would take its blobs along."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """The new name must reach the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
