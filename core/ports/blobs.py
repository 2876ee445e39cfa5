"""Where picture bytes lie."""

from datetime import datetime
from typing import Protocol


class Blobs(Protocol):
    """Picture bytes by SHA-256 within a workspace. Keeping the same bytes twice is one blob.

    ``has_failed``: the last write did, so that nothing need be written to know.
    """

    has_failed: bool

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the key (64 hex digits).

        Never leaves a half-written blob under its name.
        """
        ...

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing, or if its bytes no longer match the key."""
        ...

    async def delete(self, workspace: str, key: str) -> None:
        """Delete it; no matter if it was not there."""
        ...

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        ...

    async def older_keys(self, workspace: str, before: datetime) -> list[str]:
        """Every key that was last kept before then, sorted."""
        ...

    async def check(self) -> None:
        """Write, read and delete a probe.

        Raise ConfigurationError naming the setting if that fails.
        """
        ...
