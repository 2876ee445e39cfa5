"""Open the keys that encrypt secrets in the database, and encrypt all with the newest one."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Engine, Table
from sqlalchemy.exc import SQLAlchemyError

from bot.folder import key_in_file
from bot.settings import Settings
from core.errors import ConfigurationError
from core.storage import database
from core.storage.key_change import is_sealed_by, record_key, seal_again
from core.storage.sealing import Keyring, use_keyring


def open_keyring(settings: Settings) -> Keyring | None:
    """Return the operator's keys, or one made in the data folder at the first start.

    None on PostgreSQL where none is set: what one process made, the others could not read. Raises
    ConfigurationError where that would leave the tokens of workspaces readable.
    """
    if settings.secret_key is not None:
        keys = settings.secret_key.get_secret_value().split(",")
        return Keyring([key.strip() for key in keys])
    if database.is_sqlite(settings.database):
        return Keyring([key_in_file(settings.data_dir / "secret.key")])
    if settings.slack_client_id:
        raise ConfigurationError(
            "config.secret_key_missing", setting="EASEL_SECRET_KEY"
        )
    return None


async def seal_secrets(
    settings: Settings, inbox: str, keyring: Keyring | None
) -> None:
    """Encrypt what is there with the newest key, where that has not happened yet.

    Raises ConfigurationError when it was encrypted with a key that is not set.
    """
    await asyncio.to_thread(_seal_secrets, settings.database, inbox, keyring)


def _seal_secrets(url: str, inbox: str, keyring: Keyring | None) -> None:
    engine = database.open_sync(url)
    use_keyring(engine, keyring)
    try:
        with database.reading_sync(engine).begin() as connection:
            if is_sealed_by(connection, keyring) or keyring is None:
                return
        from adapters.discord import store as discord  # noqa: PLC0415  # needed once a key
        from adapters.slack.store import token_tables  # noqa: PLC0415
        from core.storage.inbox import deliveries  # noqa: PLC0415
        from core.storage.tables import metadata  # noqa: PLC0415

        with engine.begin() as connection:
            # Another process may have been quicker.
            if is_sealed_by(connection, keyring):
                return
            # First: the key is recorded when everything has been encrypted.
            _seal_inbox(inbox, keyring, [deliveries])
            seal_again(connection, metadata.sorted_tables)
            seal_again(connection, discord.metadata.sorted_tables)
            seal_again(connection, token_tables())
            record_key(connection, keyring)
        if database.is_sqlite(url):
            _drop_old_pages(engine)
    except SQLAlchemyError as error:
        raise database.unusable(error, url) from error
    finally:
        engine.dispose()


def _seal_inbox(url: str, keyring: Keyring, tables: Sequence[Table]) -> None:
    engine = database.open_sync(url)
    use_keyring(engine, keyring)
    try:
        with engine.begin() as connection:
            seal_again(connection, tables)
        if database.is_sqlite(url):
            _drop_old_pages(engine)
    finally:
        engine.dispose()


def _drop_old_pages(engine: Engine) -> None:
    """Rewrite SQLite's file: what a row held before stays in its free pages."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()
