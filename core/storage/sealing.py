"""Column types that are encrypted in the database: tokens, and what answers an event.

A column of a sealed type is written with the newest key of its engine's keyring, and read with any
of them. Without a keyring it is written as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, Text, TypeDecorator

from core.errors import ConfigurationError
from core.log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.fernet import MultiFernet
    from sqlalchemy import Dialect, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

MARK = "sealed:"
"""What every encrypted text begins with."""
FIELD = "sealed"
"""The only field of an encrypted JSON object."""
FINGERPRINT = 32
"""Hexadecimal digits by which a key is told from another."""


class Keyring:
    """Encrypts with the newest key, and reads what any of them has encrypted."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take the operator's keys; the last one is the newest."""
        self._keys = [_derive(key) for key in reversed(keys)]
        self.fingerprints = [_fingerprint(key) for key in self._keys]

    def seal(self, text: str) -> str:
        """Encrypt a text."""
        sealed = self._fernet.encrypt(text.encode())
        return MARK + sealed.decode()

    def unseal(self, sealed: str) -> str:
        """Decrypt a text. Raises ConfigurationError when no key fits."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  # slow to load

        token = sealed.removeprefix(MARK)
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise wrong_key() from None

    @cached_property
    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  # slow to load

        return MultiFernet([Fernet(key) for key in self._keys])


def wrong_key() -> ConfigurationError:
    """The error for what was encrypted with a key that is not set."""
    return ConfigurationError("config.secret_key", setting="EASEL_SECRET_KEY")


def _derive(key: str) -> bytes:
    digest = hashlib.sha256(b"easel secret key\n" + key.encode()).digest()
    return base64.urlsafe_b64encode(digest)


def _fingerprint(key: bytes) -> str:
    digest = hashlib.sha256(b"easel fingerprint\n" + key)
    return digest.hexdigest()[:FINGERPRINT]


# SQLAlchemy passes a column type only the dialect, of which every engine has its own.
_keyrings: WeakKeyDictionary[Dialect, Keyring] = WeakKeyDictionary()


def use_keyring(engine: Engine | AsyncEngine, keyring: Keyring | None) -> None:
    """Encrypt what this engine writes into sealed columns."""
    if keyring is not None:
        _keyrings[engine.dialect] = keyring


class SealedText(TypeDecorator[str]):
    """A text that is encrypted in the database."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self, value: str | None, dialect: Dialect
    ) -> str | None:
        """Encrypt it, unless it is empty."""
        keyring = _keyrings.get(dialect)
        if not value or keyring is None:
            return value
        return keyring.seal(value)

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> str | None:
        """Decrypt it; earlier versions wrote it as it is. Raises ConfigurationError."""
        if value is None or not value.startswith(MARK):
            return value
        keyring = _keyrings.get(dialect)
        if keyring is None:
            raise wrong_key()
        return keyring.unseal(value)


class SealedJson(TypeDecorator[Any]):
    """A JSON object that is encrypted in the database, or one ``field`` of it.

    It answers an event for half an hour at most: where no key fits, it reads as empty.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encrypt it, unless it is empty."""
        keyring = _keyrings.get(dialect)
        if keyring is None:
            return value
        return self._replace(value, lambda part: _seal_json(part, keyring))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt it; earlier versions wrote it as it is."""
        keyring = _keyrings.get(dialect)
        return self._replace(value, lambda part: _unseal_json(part, keyring))

    def _replace(self, value: Any, change: Callable[[Any], Any]) -> Any:
        # What is no object was damaged: the reader of the row reports it.
        if not isinstance(value, dict) or not value:
            return value
        if self.field is None:
            return change(value)
        part = value.get(self.field)
        return {**value, self.field: change(part)} if part else value


def _seal_json(part: Any, keyring: Keyring) -> dict[str, str]:
    return {FIELD: keyring.seal(json.dumps(part))}


def _unseal_json(part: Any, keyring: Keyring | None) -> Any:
    if not isinstance(part, dict) or part.keys() != {FIELD}:
        return part
    if keyring is None:
        # A command at the prompt has no keys, and answers no event.
        return {}
    try:
        return json.loads(keyring.unseal(part[FIELD]))
    except ConfigurationError:
        log.warning("secret_unreadable", setting="EASEL_SECRET_KEY")
        return {}
