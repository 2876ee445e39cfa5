"""The ids of buttons: an id says all, so a button works for ever."""

import re

from core.errors import Rejected
from core.operations import ButtonKind
from core.types import StepId

VERSION = "e1"
LONGEST_ID = 100
"""Discord's limit."""
ID = re.compile(rf"{VERSION}:([a-z]+):([a-z0-9]{{1,40}}):([0-9])")


def encode_button(kind: ButtonKind, step: str, index: int = 0) -> str:
    """A button's id, at most 100 characters long."""
    return f"{VERSION}:{kind.value}:{step}:{index}"


def decode_button(text: str) -> tuple[ButtonKind, StepId, int]:
    """Kind, step and picture. Raises Rejected for an id that Easel never made."""
    match = ID.fullmatch(text)
    # Anybody may send any id: it may be of any length, and of no kind there is.
    if (
        match is None
        or len(text) > LONGEST_ID
        or match[1] not in set(ButtonKind)
    ):
        raise Rejected("button.unknown")
    kind, step, index = match.groups()
    return ButtonKind(kind), StepId(step), int(index)
