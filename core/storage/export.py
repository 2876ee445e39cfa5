"""Write every table of a PostgreSQL database to files, as of one moment, and read them back."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import LiteralString

from psycopg import Connection as Driver
from psycopg import sql
from sqlalchemy import Connection, inspect, text

from core.storage.database import TableSet, open_sync
from core.storage.upgrade import upgrade

VERSION_TABLE = "alembic_version"
BLOCK = 2**20
TABLE_SETS = frozenset({TableSet.MAIN, TableSet.INBOX})
Columns = Mapping[str, Sequence[str]]
"""The columns of each table, in the order of its file."""


def export_tables(url: str, folder: Path) -> Columns:
    """Write a file for each table, all as of one moment; return the columns of each.

    Others may go on writing meanwhile.
    """
    engine = open_sync(url)
    consistent = engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    try:
        with consistent.begin() as connection:
            columns = _columns(connection)
            for table, names in columns.items():
                _write_table(connection, table, names, folder / table)
        return columns
    finally:
        engine.dispose()


def import_tables(
    url: str,
    folder: Path,
    columns: Columns,
    revision: str,
    before_commit: Callable[[], None],
) -> None:
    """Fill an empty database with tables as they were at ``revision``, and bring it up to date.

    One transaction: nothing is imported when ``before_commit`` raises.
    """
    engine = open_sync(url)
    try:
        with engine.begin() as connection:
            upgrade(connection, TABLE_SETS, revision)
            tables = _in_order(connection)
            for table in tables:
                # The totals that triggers keep are among the rows.
                _run(connection, "ALTER TABLE {} DISABLE TRIGGER USER", table)
                # Migrations may have put rows there.
                _run(connection, "TRUNCATE {} CASCADE", table)
            for table in filter(columns.__contains__, tables):
                names = columns[table]
                _read_table(connection, table, names, folder / table)
                _continue_numbers(connection, table, names)
            for table in tables:
                _run(connection, "ALTER TABLE {} ENABLE TRIGGER USER", table)
            upgrade(connection, TABLE_SETS, "head")
            before_commit()
    finally:
        engine.dispose()


def _columns(connection: Connection) -> dict[str, list[str]]:
    inspector = inspect(connection)
    return {
        table: [column["name"] for column in inspector.get_columns(table)]
        for table in inspector.get_table_names()
        if table != VERSION_TABLE
    }


def _in_order(connection: Connection) -> list[str]:
    """Name the tables, each after those that it refers to."""
    pairs = inspect(connection).get_sorted_table_and_fkc_names()
    return [table for table, _ in pairs if table and table != VERSION_TABLE]


def _driver(connection: Connection) -> Driver:
    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)  # noqa: S101  # open_sync chose it
    return driver


def _write_table(
    connection: Connection, table: str, names: Sequence[str], file: Path
) -> None:
    query = sql.SQL("COPY {} ({}) TO STDOUT").format(
        sql.Identifier(table), _listed(names)
    )
    with (
        file.open("wb") as output,
        _driver(connection).cursor() as cursor,
        cursor.copy(query) as rows,
    ):
        for block in rows:
            output.write(block)


def _read_table(
    connection: Connection, table: str, names: Sequence[str], file: Path
) -> None:
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), _listed(names)
    )
    with (
        file.open("rb") as source,
        _driver(connection).cursor() as cursor,
        cursor.copy(query) as rows,
    ):
        while block := source.read(BLOCK):
            rows.write(block)


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _run(connection: Connection, statement: LiteralString, table: str) -> None:
    query = sql.SQL(statement).format(sql.Identifier(table))
    with _driver(connection).cursor() as cursor:
        cursor.execute(query)


def _continue_numbers(
    connection: Connection, table: str, names: Sequence[str]
) -> None:
    """Let a table that numbers its rows continue behind the highest."""
    find = text("SELECT pg_get_serial_sequence(:table, :column)")
    for name in names:
        place = {"table": table, "column": name}
        sequence = connection.scalar(find, place)
        if sequence is None:
            continue
        query = sql.SQL("SELECT setval({}, max({})) FROM {}").format(
            sql.Literal(sequence), sql.Identifier(name), sql.Identifier(table)
        )
        with _driver(connection).cursor() as cursor:
            cursor.execute(query)
