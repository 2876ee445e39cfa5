"""Where settings come from: the environment, ``.env``, and files that a ``NAME_FILE`` points at."""

import os
from collections.abc import Iterable
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from core.errors import ConfigurationError

REGION_KEY = "DASHSCOPE_API_KEY_"


def read(names: Iterable[str]) -> dict[str, str]:
    """Return the variables; of these ``names``, those in a file, too.

    What is nearer to the person wins: the environment, then files.
    """
    return {
        **read_dotenv(),
        **_read_secret_files(names),
        **_read_environment(),
    }


def read_dotenv() -> dict[str, str]:
    """Return what ``.env`` sets; blank is not set."""
    return {name: text for name, text in dotenv_values(".env").items() if text}


def _read_environment() -> dict[str, str]:
    # Blank is not set: a compose file passes on variables that nobody filled in.
    return {name: text for name, text in os.environ.items() if text}


def _read_secret_files(names: Iterable[str]) -> dict[str, str]:
    """Read each file a ``NAME_FILE`` points at: its content is NAME, as container images do it."""
    secrets: dict[str, str] = {}
    variables = {**read_dotenv(), **_read_environment()}
    for name in names:
        path = variables.get(f"{name}_FILE")
        if path is not None:
            secrets[name] = _read_file(f"{name}_FILE", path)
    return secrets


def region_keys() -> dict[str, SecretStr]:
    """``DASHSCOPE_API_KEY_SINGAPORE`` and so on, or their ``_FILE``."""
    keys: dict[str, SecretStr] = {}
    for name, text in {**read_dotenv(), **_read_environment()}.items():
        region = name.removeprefix(REGION_KEY)
        # DASHSCOPE_API_KEY_FILE is the chosen region's key, not one of a region "file".
        if region in {name, "FILE"}:
            continue
        secret = _read_file(name, text) if region.endswith("_FILE") else text
        keys[region.removesuffix("_FILE").lower()] = SecretStr(secret)
    return keys


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", setting=name) from None
