"""Picture bytes by content hash within a workspace, in a folder or an S3 bucket, through obstore."""

import asyncio
import hashlib
import os
import re
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from core.errors import ConfigurationError, NotFound

KEY = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Blobs in an object store. ``folder`` is set for a local one, whose files must reach the disk, not its cache."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the SHA-256 key: obstore writes aside and renames, we sync before a row says so."""
        key = hashlib.sha256(data).hexdigest()
        await obstore.put_async(self._store, self._path(workspace, key), data)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / self._path(workspace, key))
        return key

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing or damaged: a wrong picture is never shown."""
        try:
            answer = await obstore.get_async(self._store, self._path(workspace, key))
            data = bytes(await answer.bytes_async())
        except FileNotFoundError:
            raise NotFound("refuse.picture_gone") from None
        if hashlib.sha256(data).hexdigest() != key:
            raise NotFound("refuse.picture_gone")
        return data

    async def delete(self, workspace: str, key: str) -> None:
        """Forget it; no matter if it was not there."""
        try:
            await obstore.delete_async(self._store, self._path(workspace, key))
        except FileNotFoundError:
            return

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        found = await obstore.list(self._store, prefix=_folder_of(workspace)).collect_async()
        names = (one["path"].rsplit("/", 1)[-1] for one in found)
        return sorted(name for name in names if KEY.fullmatch(name))

    async def check(self) -> None:
        """Write, read and delete a probe. Raises ConfigurationError."""
        try:
            key = await self.keep("probe", secrets.token_bytes(16))
            await self.read("probe", key)
            await self.delete("probe", key)
        except (BaseError, OSError, NotFound) as error:
            reason = type(error).__name__
            raise ConfigurationError("config.blobs", setting="EASEL_BLOB_URL", reason=reason) from error

    def _path(self, workspace: str, key: str) -> str:
        if not KEY.fullmatch(key):
            raise NotFound("refuse.picture_gone")
        return f"{_folder_of(workspace)}/{key[:2]}/{key}"


def open_blobs(url: str) -> BlobStore:
    """Blobs at ``file:///folder`` (made if missing) or ``s3://bucket/prefix`` (the usual AWS variables).

    Raises ConfigurationError for any other address or an unusable folder.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return BlobStore(S3Store.from_url(url))
    if parts.scheme != "file":
        raise ConfigurationError("config.blobs", setting="EASEL_BLOB_URL", reason=parts.scheme or "no scheme")
    folder = Path(unquote(parts.path))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("config.blobs", setting="EASEL_BLOB_URL", reason=str(error.strerror)) from error
    return BlobStore(LocalStore(folder), folder)


def _folder_of(workspace: str) -> str:
    # A platform's ids could hold anything; a hash cannot climb out of the folder.
    return hashlib.sha256(workspace.encode()).hexdigest()[:32]


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
