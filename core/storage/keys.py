"""The names of blobs, and a probe of their store; for folders and buckets."""

import hashlib
import re
import secrets

from core.errors import ConfigurationError, NotFound
from core.ports import Blobs

KEY = re.compile(r"[0-9a-f]{64}")


def folder_of(workspace: str) -> str:
    """Name a tenant's folder. An id could hold anything; a hash cannot climb out of the folder."""
    return hashlib.sha256(workspace.encode()).hexdigest()[:32]


async def probe(blobs: Blobs) -> None:
    """Write, read and delete a few bytes. Raises ConfigurationError."""
    try:
        key = await blobs.keep("probe", secrets.token_bytes(16))
        await blobs.read("probe", key)
        await blobs.delete("probe", key)
    except (OSError, NotFound) as error:
        reason = type(error).__name__
        raise ConfigurationError(
            "config.blobs",
            setting="EASEL_BLOB_URL",
            reason=reason,
        ) from error
