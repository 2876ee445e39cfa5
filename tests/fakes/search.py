"""A true search: every table of every database, every file, for words and bytes."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

OUTSIDE = frozenset({"simulator"})
"""Folders of a data folder that belong to the service, which stands beside us."""


def dump(file: Path) -> str:
    """Every row of every table of an SQLite file, as text."""
    with closing(sqlite3.connect(file)) as database:
        return "\n".join(database.iterdump())


def places_with(folder: Path, needles: Iterable[str | bytes]) -> list[str]:
    """Where in a data folder any of these stand: in rows, or in the bytes of a file."""
    patterns = [
        needle.encode() if isinstance(needle, str) else needle
        for needle in needles
    ]
    places = []
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if not file.is_file() or OUTSIDE & set(relative.parts):
            continue
        contents = {"bytes": file.read_bytes()}
        if file.suffix == ".db":
            contents["rows"] = dump(file).encode()
        for kind, content in contents.items():
            for pattern in patterns:
                if pattern in content:
                    at = content.index(pattern)
                    around = content[max(at - 150, 0) : at + 60]
                    places.append(f"{relative} ({kind}): {around!r}")
    return places


async def rows_with(engine: AsyncEngine, needle: str) -> list[str]:
    """Rows of any table of any database that hold the word."""
    rows: list[str] = []
    async with engine.begin() as connection:
        names = await connection.run_sync(
            lambda sync: sa.inspect(sync).get_table_names()
        )
        for name in names:
            cursor = await connection.execute(
                sa.select(sa.text("*")).select_from(sa.table(name))
            )
            rows += [f"{name}: {row}" for row in cursor if needle in repr(row)]
    return rows
