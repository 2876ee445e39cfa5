"""For migrations of tables that many installations had before their first migration."""

from collections.abc import Mapping

from alembic import op
from sqlalchemy import Column, Inspector, Table, inspect


def holds(tables: str) -> bool:
    """Does the database being migrated hold these tables (core.storage.database.TableSet)?"""
    config = op.get_context().config
    assert config is not None  # noqa: S101  # core.storage.upgrade makes one
    return tables in config.attributes["tables"]


def has_table(name: str) -> bool:
    """Is there a table of that name?"""
    return _inspect().has_table(name)


def ensure_table(table: Table, **defaults: str) -> None:
    """Create the table with its indexes, or add what an older one of that name lacks.

    ``defaults``: what an added column holds in the rows that are there, by its name.
    """
    if not has_table(table.name):
        table.create(op.get_bind())
        return
    _add_columns(table, defaults)
    older_indexes = {
        index["name"] for index in _inspect().get_indexes(table.name)
    }
    for index in table.indexes:
        if index.name not in older_indexes:
            index.create(op.get_bind())


def _add_columns(table: Table, defaults: Mapping[str, str]) -> None:
    older_columns = {
        column["name"] for column in _inspect().get_columns(table.name)
    }
    for column in table.columns:
        if column.name in older_columns:
            continue
        added = Column(
            column.name,
            column.type,
            nullable=column.nullable,
            server_default=defaults.get(column.name),
        )
        op.add_column(table.name, added)


def _inspect() -> Inspector:
    # A new one each time: an inspector remembers what it saw before the last change.
    return inspect(op.get_bind())
