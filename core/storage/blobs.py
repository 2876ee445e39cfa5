"""Where picture bytes lie, by content hash within a workspace: a folder, or an S3 bucket."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import ConfigurationError
from core.ports import Blobs
from core.storage.folder import FolderBlobs


def open_blobs(url: str) -> Blobs:
    """Open ``file:///folder`` (made if missing) or ``s3://bucket/prefix``.

    A bucket's credentials come from the usual AWS variables. Raises ConfigurationError for any
    other address or an unusable folder.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from core.storage.bucket import BucketBlobs  # noqa: PLC0415  # its library starts threads of its own

        return BucketBlobs.at(url)
    if parts.scheme != "file":
        raise ConfigurationError(
            "config.blobs",
            setting="EASEL_BLOB_URL",
            reason=parts.scheme or "no scheme",
        )
    folder = Path(unquote(parts.path))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "config.blobs",
            setting="EASEL_BLOB_URL",
            reason=str(error.strerror),
        ) from error
    return FolderBlobs(folder)
