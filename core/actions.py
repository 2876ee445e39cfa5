"""Buttons and reactions: their ids and emoji ↔ what they mean.

A button's id says all, so it works for ever.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.errors import Rejected
from core.post import ButtonKind
from core.types import Action

VERSION = "e1"
LONGEST_ID = 100
ID = re.compile(rf"{VERSION}:([a-z]+):([a-z0-9]{{1,40}}):([0-9])")
DECORATION = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f]|::skin-tone-[2-6]")
"""Skin tones and variation selectors: the emoji means the same without them."""


class ReactionKind(StrEnum):
    """What a reaction asks for."""

    AGAIN = "again"
    UPSCALE = "upscale"
    UNDO = "undo"
    VOTE = "vote"
    CHOOSE = "choose"
    FAVOURITE = "favourite"
    SEND_ME = "send_me"
    INFO = "info"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A reaction understood.

    ``index`` is the picture voted for, from 0, or tells two emoji of one meaning apart.
    """

    kind: ReactionKind
    index: int = 0


ALIASES = {
    "repeat": "🔁",
    "arrows_counterclockwise": "🔄",
    "arrow_up": "⬆",
    "leftwards_arrow_with_hook": "↩",
    "one": "1⃣",
    "two": "2⃣",
    "three": "3⃣",
    "four": "4⃣",
    "five": "5⃣",
    "six": "6⃣",
    "star": "⭐",
    "heart": "❤",
    "envelope": "✉",
    "information_source": "ℹ",  # the emoji's own code point
    "x": "❌",
    "wastebasket": "🗑",
    "white_check_mark": "✅",
    "heavy_check_mark": "✅",
    "ballot_box_with_check": "✅",
    "arrow_up_small": "⬆",
    "star2": "⭐",
    "hearts": "❤",
    "email": "✉",
    "e-mail": "✉",
    "incoming_envelope": "✉",
    "heavy_multiplication_x": "❌",
    "🔼": "⬆",
    "🌟": "⭐",
    "♥": "❤",
    "📧": "✉",
    "📨": "✉",
    "✖": "❌",
    "✔": "✅",
    "☑": "✅",
}
"""Slack's names, and emoji people take for the same thing."""
HEART = "❤"
MEANINGS = {
    "🔁": ReactionKind.AGAIN,
    "🔄": ReactionKind.AGAIN,
    "⬆": ReactionKind.UPSCALE,
    "↩": ReactionKind.UNDO,
    "✅": ReactionKind.CHOOSE,
    "⭐": ReactionKind.FAVOURITE,
    "❤": ReactionKind.FAVOURITE,
    "✉": ReactionKind.SEND_ME,
    "ℹ": ReactionKind.INFO,
    "❌": ReactionKind.REMOVE,
    "🗑": ReactionKind.REMOVE,
}


BUTTONS: Mapping[ButtonKind, Action] = {
    ButtonKind.EDIT: Action.EDIT,
    ButtonKind.UNDO: Action.UNDO,
    ButtonKind.AGAIN: Action.AGAIN,
    ButtonKind.RETRY: Action.AGAIN,
    ButtonKind.MORE: Action.MORE,
    ButtonKind.DELETE: Action.DELETE,
    ButtonKind.PICK: Action.PICK,
    ButtonKind.CANCEL: Action.CANCEL,
    ButtonKind.RERUN: Action.RERUN,
    ButtonKind.DROP: Action.DROP,
    ButtonKind.MASK: Action.MASK,
    ButtonKind.REGION: Action.REGION,
    ButtonKind.EXPAND: Action.EXPAND,
    ButtonKind.UPSCALE: Action.UPSCALE,
    ButtonKind.COLORIZE: Action.COLORIZE,
    ButtonKind.STYLE: Action.STYLE,
    ButtonKind.SKETCH: Action.SKETCH,
    ButtonKind.COMPARE: Action.COMPARE,
    ButtonKind.HISTORY: Action.HISTORY,
    ButtonKind.INFO: Action.INFO,
    ButtonKind.SEND_ME: Action.SEND_ME,
}
"""What each button asks for."""
ADDED: Mapping[ReactionKind, Action] = {
    ReactionKind.AGAIN: Action.AGAIN,
    ReactionKind.UPSCALE: Action.UPSCALE,
    ReactionKind.UNDO: Action.UNDO,
    ReactionKind.VOTE: Action.VOTE,
    ReactionKind.CHOOSE: Action.CHOOSE,
    ReactionKind.FAVOURITE: Action.FAVOURITE,
    ReactionKind.SEND_ME: Action.SEND_ME,
    ReactionKind.INFO: Action.INFO,
    ReactionKind.REMOVE: Action.REMOVE,
}
TAKEN_AWAY: Mapping[ReactionKind, Action] = {
    ReactionKind.VOTE: Action.UNVOTE,
    ReactionKind.FAVOURITE: Action.UNFAVOURITE,
}


def asked_by(reaction: Reaction, *, added: bool) -> Action | None:
    """What adding a reaction, or taking it away, asks for."""
    return (ADDED if added else TAKEN_AWAY).get(reaction.kind)


def encode_button(kind: ButtonKind, step: str, index: int = 0) -> str:
    """A button's id: at most 100 characters (Discord's limit)."""
    return f"{VERSION}:{kind.value}:{step}:{index}"


def decode_button(text: str) -> tuple[ButtonKind, str, int]:
    """Kind, step and picture. Raises Rejected for anything we never made."""
    found = ID.fullmatch(text) if len(text) <= LONGEST_ID else None
    try:
        if found:
            return ButtonKind(found[1]), found[2], int(found[3])
    except ValueError:
        pass
    raise Rejected("button.unknown")


def reaction(emoji: str, custom: Mapping[str, str] | None = None) -> Reaction | None:
    """What a reaction means, None for one that means nothing to us.

    ``custom`` is the workspace's own map, emoji → ReactionKind; any other word there, such as
    "none", switches an emoji off.
    """
    base = _base(emoji)
    chosen = {_base(own): kind for own, kind in (custom or {}).items()}
    if base in chosen:
        return (
            Reaction(kind=ReactionKind(chosen[base]))
            if chosen[base] in set(ReactionKind)
            else None
        )
    if len(base) == 2 and base[1] == "\u20e3" and base[0] in "123456":
        return Reaction(kind=ReactionKind.VOTE, index=int(base[0]) - 1)
    return (
        Reaction(kind=MEANINGS[base], index=int(base == HEART))
        if base in MEANINGS
        else None
    )


def _base(emoji: str) -> str:
    """Without decoration, and the emoji that an alias stands for."""
    plain = DECORATION.sub("", emoji.strip(":"))
    return ALIASES.get(plain, plain)
