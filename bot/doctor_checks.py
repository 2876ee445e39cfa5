"""The checks of ``easel doctor`` on this machine: database, disk, fonts, keys, public address.

Nothing here changes anything.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot import wiring
from bot.folder import is_taken
from bot.providers import http_client
from bot.settings import Settings
from core.errors import ConfigurationError, EaselError
from core.i18n import translate
from core.storage import database, inspection
from core.storage.blobs import open_blobs
from core.storage.inspection import Schema
from core.storage.store import Store
from core.types import LIVES

MOST_NAMED = 10
LEAST_FREE = 2**30
"""Bytes: a few hundred pictures, and what a migration copies."""
MEGABYTE = 10**6


async def check_database(config: Settings) -> str:
    """Say whether it answers and how its tables stand to this program."""
    url = config.database
    revision = await inspection.revision_of(url)
    schema = inspection.compare(revision)
    if schema is Schema.NEWER:
        raise ConfigurationError(
            "config.database.newer",
            setting="EASEL_DATABASE_URL",
            version=revision,
        )
    if not database.is_sqlite(url):
        await wiring.require_own_sessions(config)
        _require_secret_key(config)
    return translate(
        f"doctor.database_{schema}",
        config.locale,
        revision=revision or "",
        head=database.HEAD,
    )


def _require_secret_key(config: Settings) -> None:
    if config.slack_client_id and config.secret_key is None:
        raise ConfigurationError(
            "config.secret_key_missing", setting="EASEL_SECRET_KEY"
        )


async def check_jobs(config: Settings) -> str:
    """Name the jobs that were given up as their processes died."""
    revision = await inspection.revision_of(config.database)
    if inspection.compare(revision) is not Schema.CURRENT:
        return translate("doctor.jobs_later", config.locale)
    engine = inspection.open_read_only(config.database)
    try:
        given_up = await Store(engine).given_up(MOST_NAMED)
    finally:
        await engine.dispose()
    key = "doctor.jobs_given_up" if given_up else "doctor.jobs"
    return translate(key, config.locale, lives=LIVES, jobs=given_up)


async def check_blobs(config: Settings) -> str:
    """Write, read and delete a few bytes; of a folder that is missing, say that it will be made."""
    address = urlsplit(config.blobs)
    if address.scheme == "file" and _is_missing(Path(address.path)):
        _require_writable(_nearest(Path(address.path)), "EASEL_BLOB_URL")
        return translate("doctor.folder_new", config.locale)
    await open_blobs(config.blobs).check()
    return translate("doctor.writable", config.locale)


async def check_disk(config: Settings) -> str:
    """Compare what is free below the data folder with what a start needs."""
    folder = _nearest(config.data_dir)
    _require_writable(folder, "EASEL_DATA_DIR")
    free = shutil.disk_usage(folder).free
    megabytes = free // MEGABYTE
    if free < LEAST_FREE:
        raise EaselError(
            "doctor.disk_full", folder=str(folder), megabytes=megabytes
        )
    return translate("doctor.disk", config.locale, megabytes=megabytes)


def _is_missing(path: Path) -> bool:
    return not path.exists()


def _nearest(folder: Path) -> Path:
    """The folder itself, or the one above it in which it would be made."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _require_writable(folder: Path, setting: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(
            "config.data_dir",
            setting=setting,
            folder=str(folder),
            reason="EACCES",
        )


async def check_fonts(config: Settings) -> str:
    """Say whether Chinese can be written on pictures of histories and costs."""
    from core.pictures.canvas import FONTS  # noqa: PLC0415  # loads Pillow

    is_lacking = all(_is_missing(Path(path)) for path in FONTS)
    key = "doctor.fonts_missing" if is_lacking else "doctor.fonts"
    return translate(key, config.locale)


async def check_links(config: Settings) -> str:
    """Require a key that all workers share, and try the public address."""
    is_shared = not database.is_sqlite(config.database)
    if is_shared and config.link_keys is None:
        raise ConfigurationError("doctor.link_keys", setting="EASEL_LINK_KEYS")
    if config.public_url is None:
        return translate("doctor.no_public_url", config.locale)
    parts = urlsplit(config.public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            "config.value",
            setting="EASEL_PUBLIC_URL",
            allowed="https://HOST",
        )
    return await _try_public_url(config, config.public_url)


async def _try_public_url(config: Settings, url: str) -> str:
    async with http_client() as client:
        try:
            address = f"{url.rstrip('/')}/healthz"
            answer = await client.get(address, timeout=10)
            is_well = answer.status_code == httpx.codes.OK
        except httpx.HTTPError:
            is_well = False
    if is_well:
        return translate("doctor.public_url", config.locale, url=url)
    if _is_running(config):
        raise EaselError("doctor.public_url_silent", url=url)
    # Before the first start nothing can answer there: that is no fault.
    return translate("doctor.public_url_later", config.locale, url=url)


def _is_running(config: Settings) -> bool:
    lock = config.data_dir / "easel.lock"
    return lock.exists() and is_taken(config)
