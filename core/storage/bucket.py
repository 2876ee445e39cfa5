"""Picture bytes by content hash in an S3 bucket, through obstore."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from core.errors import NotFound
from core.storage.keys import KEY, folder_of, probe


class BucketBlobs:
    """Blobs in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.has_failed = False

    @classmethod
    def at(cls, url: str) -> "BucketBlobs":
        """Open ``s3://bucket/prefix``, with the usual AWS variables."""
        return cls(S3Store.from_url(url))

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the SHA-256 key."""
        key = hashlib.sha256(data).hexdigest()
        try:
            with _network_errors():
                await obstore.put_async(
                    self._store,
                    self._path(workspace, key),
                    data,
                )
        except OSError:
            self.has_failed = True
            raise
        self.has_failed = False
        return key

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing or damaged: a wrong picture is never shown."""
        try:
            with _network_errors():
                answer = await obstore.get_async(
                    self._store, self._path(workspace, key)
                )
                data = bytes(await answer.bytes_async())
        except FileNotFoundError:
            raise NotFound("refuse.picture_gone") from None
        if hashlib.sha256(data).hexdigest() != key:
            raise NotFound("refuse.picture_gone")
        return data

    async def delete(self, workspace: str, key: str) -> None:
        """Delete it; no matter if it was not there."""
        try:
            with _network_errors():
                await obstore.delete_async(
                    self._store, self._path(workspace, key)
                )
        except FileNotFoundError:
            return

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        return sorted(await self._times(workspace))

    async def older_keys(self, workspace: str, before: datetime) -> list[str]:
        """Every key that was last kept before then, sorted."""
        times = await self._times(workspace)
        return sorted(key for key, kept in times.items() if kept < before)

    async def check(self) -> None:
        """Raises ConfigurationError when nothing can be kept."""
        await probe(self)

    async def _times(self, workspace: str) -> dict[str, datetime]:
        """When each key of the workspace was last kept."""
        with _network_errors():
            rows = await obstore.list(
                self._store, prefix=folder_of(workspace)
            ).collect_async()
        times = {
            row["path"].rsplit("/", 1)[-1]: row["last_modified"]
            for row in rows
        }
        return {key: time for key, time in times.items() if KEY.fullmatch(key)}

    def _path(self, workspace: str, key: str) -> str:
        if not KEY.fullmatch(key):
            raise NotFound("refuse.picture_gone")
        return f"{folder_of(workspace)}/{key[:2]}/{key}"


@contextmanager
def _network_errors() -> Iterator[None]:
    """Turn any trouble of the bucket's network or server into a ConnectionError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise ConnectionError(f"blob store: {type(error).__name__}") from error
