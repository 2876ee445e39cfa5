"""The words people say to the bot, in every language: ``[words]`` in core/locales."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.languages import word_tables
from core.operations import Action

Words = tuple[str, ...]
"""Words of all languages, in the order they are looked for."""

REPEATED = re.compile(r"(.)\1{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Openings stand longest first; all of them as ``fold`` writes them.

    ``change`` begins what can only be an edit, ``ideas`` what may be one; ``alone`` are words that
    are a command when nothing else is said.
    """

    draw: Words
    edit: Words
    change: Words
    polite: Words
    ideas: Words
    questions: Words
    small_talk: frozenset[str]
    alone: Mapping[str, Action]


def fold(text: str) -> str:
    """In one letter case and width, with one ASCII space between words."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = plain.replace("\u2019", "'")
    return " ".join(plain.split())


def fold_talk(text: str) -> str:
    """Small talk is written with as many letters as there is joy: "niiice", "wowww"."""
    return REPEATED.sub(r"\1", fold(text))


@cache
def vocabulary() -> Vocabulary:
    """Read the words once."""
    tables = word_tables()

    def openings(name: str) -> Words:
        words: set[str] = set()
        for table in tables:
            words |= {fold(word) for word in table.get(name, ())}
        # The longest first: "draw me" before "draw".
        return tuple(sorted(words, key=lambda word: (-len(word), word)))

    return Vocabulary(
        draw=openings("draw"),
        edit=openings("edit"),
        change=openings("change"),
        polite=openings("polite"),
        ideas=openings("ideas"),
        questions=openings("questions"),
        small_talk=frozenset(map(fold_talk, openings("small_talk"))),
        alone=_alone(tables),
    )


def _alone(tables: list[Mapping[str, Any]]) -> dict[str, Action]:
    words: dict[str, Action] = {}
    for table in tables:
        for name, synonyms in table.get("alone", {}).items():
            action = Action(name)
            for synonym in synonyms:
                words[fold(synonym)] = action
    return words
