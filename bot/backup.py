"""``easel backup``: everything Easel keeps, in one file, beside a bot that works.

Each database is copied as of one moment: the inbox before the jobs, so that what was heard in
between is heard again, and the room after them. Pictures come last, since they are kept before a
row refers to them.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from adapters.web.chat import TENANT as ROOM
from bot import backup_file, settings
from bot.backup_file import About, Writer
from bot.exit_codes import ExitCode
from bot.settings import Settings
from core.errors import NotFound, Rejected
from core.i18n import translate
from core.ports import Blobs
from core.storage import database, inspection
from core.storage.blob_sweep import BlobSweep
from core.storage.blobs import open_blobs
from core.storage.snapshots import copy_database

MAIN = "easel.db"
FILES = ("inbox.db", MAIN, "room.db")
"""On SQLite, in the order in which they are copied."""
KEYS = "*.key"
MEGABYTE = 10**6
TROUBLE = (OSError, SQLAlchemyError, sqlite3.Error)
Work = Callable[[Settings, Path, asyncio.Runner], int]
"""Returns how many pictures it wrote or read."""


def run(file: Path) -> int:
    """Back up, and say so or why not; return the exit code. Raises ConfigurationError."""
    return report(file, write, "backup.written")


def report(file: Path, work: Work, key: str) -> int:
    """Do the work and tell the person how it ended; ``key`` is the sentence when all went well."""
    config = settings.load()
    names = {"file": str(file), "folder": str(config.data_dir)}
    try:
        with asyncio.Runner() as loop:
            count = work(config, file.absolute(), loop)
    except Rejected as error:
        return _fail(translate(error.key, config.locale, **error.params))
    except TROUBLE as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        key = "backup.broken"
        return _fail(translate(key, config.locale, reason=reason, **names))
    size = round(file.stat().st_size / MEGABYTE, 1)
    text = translate(key, config.locale, megabytes=size, count=count, **names)
    click.echo(text)
    return ExitCode.OK


def _fail(text: str) -> int:
    click.echo(f"easel: {text}", err=True)
    return ExitCode.FAILED


def write(config: Settings, file: Path, loop: asyncio.Runner) -> int:
    """Write everything to a new file; return how many pictures.

    Raises Rejected when the file is there, or nothing to back up.
    """
    if file.exists():
        raise Rejected("backup.exists", file=str(file))
    revision = loop.run(inspection.revision_of(config.database))
    if revision is None:
        raise Rejected("backup.nothing", folder=str(config.data_dir))
    with (
        tempfile.TemporaryDirectory(dir=file.parent) as folder,
        backup_file.writing(file) as output,
    ):
        _write_databases(config, Path(folder), revision, output)
        for path in sorted(config.data_dir.glob(KEYS)):
            output.add_file(path)
        count = _write_pictures(config, output, loop)
        output.end()
    return count


def _write_databases(
    config: Settings, folder: Path, revision: str, output: Writer
) -> None:
    tables = folder / "tables"
    tables.mkdir()
    files: list[Path] = []
    columns: backup_file.Columns = {}
    for name in FILES:
        path = config.data_dir / name
        if name == MAIN and not database.is_sqlite(config.database):
            columns = _export(config.database, tables)
            continue
        if name == MAIN:
            path = inspection.sqlite_file(config.database)
        if path.exists():
            copy_database(path, folder / name)
            files.append(folder / name)
    about = About(easel=version("easel"), revision=revision, tables=columns)
    output.begin(about)
    for path in files:
        output.add_file(path)
    for table in columns:
        output.add_table(tables / table)


def _export(url: str, folder: Path) -> backup_file.Columns:
    from core.storage.export import export_tables  # noqa: PLC0415  # its driver is slow to load

    return export_tables(url, folder)


def _write_pictures(
    config: Settings, output: Writer, loop: asyncio.Runner
) -> int:
    blobs = open_blobs(config.blobs)
    count = 0
    for workspace in loop.run(_workspaces(config, blobs)):
        for key in loop.run(blobs.keys(workspace)):
            try:
                content = loop.run(blobs.read(workspace, key))
            except NotFound:
                continue  # deleted meanwhile, or damaged before
            output.add_picture(workspace, key, content)
            count += 1
    return count


async def _workspaces(config: Settings, blobs: Blobs) -> list[str]:
    engine = inspection.open_read_only(config.database)
    try:
        tenants = await BlobSweep(engine, blobs).tenants()
    finally:
        await engine.dispose()
    # A picture that was uploaded in the room may belong to no job yet.
    return sorted({*tenants, ROOM})
