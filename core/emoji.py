"""What a reaction with an emoji asks for, by the table of operations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.operations import OPERATIONS, Action

DECORATION = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f]|::skin-tone-[2-6]")
"""Skin tones and variation selectors: the emoji means the same without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A reaction understood.

    ``action``: what adding it asks for. ``index``: which of the operation's emoji it was, from 0,
    where that matters, such as the picture voted for.
    """

    action: Action
    index: int | None = None


def strip_decoration(emoji: str) -> str:
    """Without skin tone and variation selectors."""
    return DECORATION.sub("", emoji)


def _read_aliases() -> dict[str, str]:
    aliases = {}
    for operation in OPERATIONS.values():
        if operation.reaction:
            for spelling in operation.reaction.emoji:
                first, *others = spelling.split()
                aliases.update(dict.fromkeys(others, strip_decoration(first)))
    return aliases


def _read_meanings() -> dict[str, Reaction]:
    meanings = {}
    for operation in OPERATIONS.values():
        if operation.reaction:
            for at, spelling in enumerate(operation.reaction.emoji):
                index = at if operation.reaction.counts else None
                base = strip_decoration(spelling.split()[0])
                meanings[base] = Reaction(action=operation.action, index=index)
    return meanings


def _read_words() -> dict[str, Reaction]:
    words = {}
    for operation in OPERATIONS.values():
        if operation.reaction:
            index = 0 if operation.reaction.counts else None
            reaction = Reaction(action=operation.action, index=index)
            words[operation.reaction.word] = reaction
    return words


ALIASES: Mapping[str, str] = _read_aliases()
"""Alias → emoji."""
MEANINGS: Mapping[str, Reaction] = _read_meanings()
"""Emoji → what it asks for."""
WORDS: Mapping[str, Reaction] = _read_words()
"""A word of a workspace's own map → what it asks for."""


def reaction(emoji: str, custom: Mapping[str, str] | None = None) -> Reaction | None:
    """What an emoji asks for, None for one that means nothing here.

    ``custom`` is the workspace's own map, emoji → word of a reaction; any other word there, such as
    "none", switches an emoji off.
    """
    base = _base(emoji)
    own = {_base(name): word for name, word in (custom or {}).items()}
    if base in own:
        return WORDS.get(own[base])
    return MEANINGS.get(base)


def action_of(reaction: Reaction, *, added: bool) -> Action | None:
    """What adding a reaction, or taking it away, asks for."""
    if added:
        return reaction.action
    spec = OPERATIONS[reaction.action].reaction
    return spec.taken_back if spec else None


def _base(emoji: str) -> str:
    """Without decoration, and the emoji that an alias stands for."""
    plain = strip_decoration(emoji.strip(":"))
    return ALIASES.get(plain, plain)
