"""Languages are data: a file in a ``locales`` folder is all there is to one.

Core's texts lie in core/locales. An adapter and the program add the folder beside their
own code when they are imported, so that core names none of them.

A file is named by the language's tag (``pt-BR.toml``). Its ``[meta]`` says how the language
is called and written, its ``[words]`` what people say; everything else is texts. A text that
depends on a number is a table with a form for each of CLDR's plural categories that the
language has::

    pictures = { one = "{count} picture", other = "{count} pictures" }

The number is ``{count}``, or the placeholder that ``by`` names. What a file leaves out is
said in English.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT = "en"
"""The language for people whose own has no file."""
CATEGORIES = frozenset({"zero", "one", "two", "few", "many", "other"})
"""CLDR's plural categories; every language has ``other``."""
FORM_KEYS = CATEGORIES | {"by"}
"""What the table of a text's forms may hold."""


@dataclass(frozen=True, slots=True)
class Plural:
    """A text that depends on the number in one of its placeholders."""

    by: str
    forms: Mapping[str, str]


Text = str | Plural

WORDS = "words"
"""The table of words that people say, which are understood and never shown."""

_folders = [Path(__file__).parent / "locales"]


def add_folder(folder: Path) -> None:
    """Read texts from this folder too."""
    if folder not in _folders:
        _folders.append(folder)
        _forget_files()


def remove_folder(folder: Path) -> None:
    """Read no texts from this folder any more."""
    _folders.remove(folder)
    _forget_files()


def _forget_files() -> None:
    for cached in (languages, meta, sentences):
        cached.cache_clear()


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a file, the default first."""
    codes: set[str] = set()
    for folder in _folders:
        codes |= {path.stem for path in folder.glob("*.toml")}
    others = sorted(codes - {DEFAULT})
    return (DEFAULT, *others)


@cache
def meta(language: str) -> Mapping[str, Any]:
    """What the ``[meta]`` of a language's files says.

    ``name`` in the language itself, ``gap`` between two sentences, ``comma`` between the
    items of a list, and what an adapter wants to know.
    """
    merged: dict[str, Any] = {}
    for folder in _folders:
        merged |= _load(folder, language).get("meta", {})
    return merged


@cache
def sentences(language: str) -> Mapping[str, Text]:
    """Key → text of one language, from every folder; in English what it leaves out."""
    merged: dict[str, Text] = {}
    # A language may be added one folder at a time.
    if language != DEFAULT:
        merged |= sentences(DEFAULT)
    for folder in _folders:
        merged |= sentences_in(folder, language)
    return merged


def sentences_in(folder: Path, language: str) -> Mapping[str, Text]:
    """Key → text of one language in one folder; nothing if it has no such file."""
    texts: dict[str, Text] = {}
    for area, table in _load(folder, language).items():
        if area not in {"meta", WORDS}:
            _flatten(table, area, texts)
    return texts


def _load(folder: Path, language: str) -> dict[str, Any]:
    path = folder / f"{language}.toml"
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text)


def word_tables() -> list[Mapping[str, Any]]:
    """What people say, one table for each language that has one."""
    tables: list[Mapping[str, Any]] = []
    for folder in _folders:
        for language in languages():
            table = _load(folder, language).get(WORDS)
            if table:
                tables.append(table)
    return tables


def _flatten(entry: Any, key: str, texts: dict[str, Text]) -> None:
    if isinstance(entry, str):
        texts[key] = entry
    # Both forms and an area of texts are tables: only forms have nothing but categories.
    elif "other" in entry and entry.keys() <= FORM_KEYS:
        forms = dict(entry)
        by = forms.pop("by", "count")
        texts[key] = Plural(by, forms)
    else:
        for name, inner in entry.items():
            _flatten(inner, f"{key}.{name}", texts)
