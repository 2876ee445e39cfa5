"""What a reaction with an emoji asks for, by the table of operations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from core.operations import OPERATIONS, Action

# Skin tones and variation selectors: the emoji means the same without them.
DECORATION = re.compile(
    "[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f]|::skin-tone-[2-6]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What a reaction asks for.

    ``action``: what adding it asks for. ``index``: which of the operation's emoji it was, from 0,
    where that matters, such as the picture voted for.
    """

    action: Action
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanings:
    """The reactions of every operation: by emoji, by the words of a workspace's own map.

    ``aliases``: other emoji and Slack's names → the emoji they mean.
    """

    by_emoji: Mapping[str, Reaction]
    by_word: Mapping[str, Reaction]
    aliases: Mapping[str, str]


@cache
def meanings() -> Meanings:
    """Read the table of operations, once."""
    by_emoji: dict[str, Reaction] = {}
    by_word: dict[str, Reaction] = {}
    aliases: dict[str, str] = {}
    for operation in OPERATIONS.values():
        spec = operation.reaction
        if spec is None:
            continue
        for index, spelling in enumerate(spec.emoji):
            emoji, *others = map(strip_decoration, spelling.split())
            counted = index if spec.counts else None
            by_emoji[emoji] = Reaction(action=operation.action, index=counted)
            aliases |= dict.fromkeys(others, emoji)
        # A workspace's map names the operation only: that is its first emoji.
        first, *_ = spec.emoji[0].split()
        by_word[spec.word] = by_emoji[strip_decoration(first)]
    return Meanings(by_emoji=by_emoji, by_word=by_word, aliases=aliases)


def reaction(
    emoji: str,
    custom: Mapping[str, str] | None = None,
) -> Reaction | None:
    """What an emoji asks for, None for one that means nothing here.

    ``custom`` is the workspace's own map, emoji → word of a reaction; any other word there, such as
    "none", switches an emoji off.
    """
    plain = _resolve_alias(emoji)
    # A workspace's map comes first: it may give an emoji another meaning, or none.
    own: dict[str, str] = {}
    for name, word in (custom or {}).items():
        own[_resolve_alias(name)] = word
    if plain in own:
        return meanings().by_word.get(own[plain])
    return meanings().by_emoji.get(plain)


def action_of(reaction: Reaction, *, added: bool) -> Action | None:
    """What adding a reaction, or taking it away, asks for."""
    if added:
        return reaction.action
    spec = OPERATIONS[reaction.action].reaction
    return spec.taken_back if spec else None


def strip_decoration(emoji: str) -> str:
    """Without skin tone and variation selectors."""
    return DECORATION.sub("", emoji)


def _resolve_alias(emoji: str) -> str:
    # Slack writes names between colons.
    plain = strip_decoration(emoji.strip(":"))
    return meanings().aliases.get(plain, plain)
