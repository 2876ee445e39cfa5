"""The key that everything sealed is encrypted with, and its change."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    select,
    update,
)

from core.storage.sealing import Keyring, SealedJson, SealedText, wrong_key
from core.storage.tables import seals


def is_sealed_by(connection: Connection, keyring: Keyring | None) -> bool:
    """Whether everything is encrypted with the newest key.

    Raises ConfigurationError when it is encrypted with a key that is not set.
    """
    fingerprint = connection.scalar(select(seals.c.key))
    if keyring is None:
        if fingerprint is not None:
            raise wrong_key()
        return True
    if fingerprint not in (None, *keyring.fingerprints):
        raise wrong_key()
    return fingerprint == keyring.fingerprints[0]


def record_key(connection: Connection, keyring: Keyring) -> None:
    """Note that everything is encrypted with the newest key."""
    connection.execute(delete(seals))
    connection.execute(seals.insert().values(key=keyring.fingerprints[0]))


def seal_again(connection: Connection, tables: Sequence[Table]) -> None:
    """Encrypt what sealed columns hold with the newest key."""
    for table in tables:
        columns = [
            column
            for column in table.columns
            if isinstance(column.type, SealedText | SealedJson)
        ]
        if columns:
            _seal_table(connection, table, columns)


def _seal_table(
    connection: Connection, table: Table, columns: Sequence[Column[Any]]
) -> None:
    keys = list(table.primary_key.columns)
    # Another process works on: what it writes meanwhile must not be replaced by what was before.
    query = select(*keys, *columns).with_for_update()
    rows = connection.execute(query).mappings()
    values = [
        {f"old_{name}": value for name, value in row.items()}
        for row in rows
        if any(row[column.name] for column in columns)
    ]
    if not values:
        return
    is_row = and_(*(key == bindparam(f"old_{key.name}") for key in keys))
    change = {
        column.name: bindparam(f"old_{column.name}", type_=column.type)
        for column in columns
    }
    connection.execute(update(table).where(is_row).values(change), values)
