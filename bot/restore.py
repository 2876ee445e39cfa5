"""``easel restore``: a backup, read into an empty place.

Everything is written beside the data folder and moved there at once: a kill leaves all or nothing.
"""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

from bot import backup_file
from bot.backup import FILES, MAIN, report
from bot.backup_file import FILE, TABLE, About, Reader
from bot.settings import Settings
from core.errors import Rejected
from core.ports import Blobs
from core.storage import database, inspection
from core.storage.blobs import open_blobs
from core.storage.inspection import Schema
from core.storage.snapshots import is_whole, sync

DURABLE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def run(file: Path) -> int:
    """Restore, and say so or why not; return the exit code. Raises ConfigurationError."""
    return report(file, read, "backup.restored")


def read(config: Settings, file: Path, loop: asyncio.Runner) -> int:
    """Fill an empty place from a backup; return how many pictures.

    Raises Rejected when the place is not empty, or the file no backup that this program can read.
    """
    _require_empty(config, loop)
    folder = config.data_dir
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    aside.mkdir(mode=0o700)
    try:
        with backup_file.reading(file) as source:
            about = _read_about(config, source)
            count = _read_members(config, source, aside, loop)
        _put_in_place(config, about, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return count


def _require_empty(config: Settings, loop: asyncio.Runner) -> None:
    folder = config.data_dir
    if folder.is_dir() and any(folder.iterdir()):
        raise Rejected("backup.folder_not_empty", folder=str(folder))
    if folder.is_mount():
        raise Rejected("backup.mount", folder=str(folder))
    if not database.is_sqlite(config.database):
        if loop.run(inspection.revision_of(config.database)) is not None:
            raise Rejected("backup.database_not_empty")
    elif inspection.sqlite_file(config.database) != folder / MAIN:
        raise Rejected("backup.elsewhere", folder=str(folder))


def _read_about(config: Settings, source: Reader) -> About:
    about = source.begin()
    is_newer = inspection.compare(about.revision) is Schema.NEWER
    if is_newer or about.format > backup_file.FORMAT:
        raise Rejected("backup.newer", version=about.easel)
    if bool(about.tables) is database.is_sqlite(config.database):
        raise Rejected("backup.other_database")
    return about


def _read_members(
    config: Settings, source: Reader, aside: Path, loop: asyncio.Runner
) -> int:
    """Write files and tables beside the data folder, and keep the pictures; count these."""
    blobs = open_blobs(config.blob_url or (aside / "blobs").as_uri())
    (aside / "tables").mkdir()
    count = 0
    for member in source.members():
        content = source.open(member)
        picture = backup_file.picture_of(member.name)
        if picture is None:
            _write(aside / _place_of(member.name, source), content.read())
            continue
        _keep(blobs, *picture, content.read(), source, loop)
        count += 1
    for name in FILES:
        if (aside / name).exists() and not is_whole(aside / name):
            raise source.damaged()
    return count


def _place_of(name: str, source: Reader) -> Path:
    match = FILE.fullmatch(name) or TABLE.fullmatch(name)
    if match is None:
        raise source.damaged()
    if name.startswith("tables/"):
        return Path("tables") / match[1]
    return Path(match[1])


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, DURABLE, 0o600), "wb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())


def _keep(
    blobs: Blobs,
    workspace: str,
    key: str,
    data: bytes,
    source: Reader,
    loop: asyncio.Runner,
) -> None:
    if loop.run(blobs.keep(workspace, data)) != key:
        raise source.damaged()


def _put_in_place(config: Settings, about: About, aside: Path) -> None:
    def put_folder() -> None:
        shutil.rmtree(aside / "tables")
        sync(aside)
        # Replaces an empty folder, and no other.
        aside.rename(config.data_dir)
        sync(config.data_dir.parent)

    if not about.tables:
        put_folder()
        return
    from core.storage.export import import_tables  # noqa: PLC0415  # its driver is slow to load

    import_tables(
        config.database,
        aside / "tables",
        about.tables,
        about.revision,
        before_commit=put_folder,
    )
