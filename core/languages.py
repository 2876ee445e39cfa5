"""Languages are data: a file in a ``locales`` folder is all there is to one.

Core's texts lie in core/locales. An adapter and the program add the folder beside their
own code when they are imported, so that core names none of them.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT = "en"
"""What is spoken to people whose language has no file, and where a text is missing."""

_folders = [Path(__file__).parent / "locales"]


def add_folder(folder: Path) -> None:
    """Read texts from this folder too: one ``<language>.toml`` for each language."""
    if folder in _folders:
        return
    _folders.append(folder)
    forget_files()


def forget_files() -> None:
    """Read the files again when they are next needed."""
    languages.cache_clear()
    sentences.cache_clear()


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a file, the default first."""
    codes = {path.stem for folder in _folders for path in folder.glob("*.toml")}
    return (DEFAULT, *sorted(codes - {DEFAULT}))


@cache
def sentences(language: str) -> Mapping[str, str]:
    """Key → text of one language, from every folder."""
    texts: dict[str, str] = {}
    for folder in _folders:
        texts.update(read_file(folder / f"{language}.toml"))
    return texts


def read_file(path: Path) -> Mapping[str, str]:
    """Key → text of one file; nothing if this folder lacks the language."""
    if not path.exists():
        return {}
    return dict(_flatten(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield prefix + name, value
        else:
            yield from _flatten(value, f"{prefix}{name}.")
