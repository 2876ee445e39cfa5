"""The registry of commands: what can be typed, with which options.

Menus, completion and manifests come from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.types import Action


class Takes(StrEnum):
    """The words that follow a command."""

    PROMPT = "prompt"
    INSTRUCTION = "instruction"
    ID = "id"
    NUMBER = "number"
    NOTHING = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``/name word``: ``word`` is "" for a command that stands alone.

    ``pictures``: how many it takes at most.
    """

    action: Action
    name: str
    word: str = ""
    takes: Takes = Takes.NOTHING
    options: tuple[str, ...] = ()
    pictures: int = 0
    mask: bool = False

    @property
    def written(self) -> str:
        """As it is typed, without the slash."""
        return f"{self.name} {self.word}".strip()

    @property
    def text_key(self) -> str:
        """The message that says in a line what it does."""
        return f"command.{self.action.value}.text"


COMMON = ("n", "seed", "no", "model", "raw", "watermark", "private")
SHAPE = ("size", "ar")
WANX = ("n", "seed", "model", "watermark", "private")
OWN: Mapping[Action, tuple[str, ...]] = {
    Action.STYLE: ("strength",),
    Action.WANX_EDIT: ("strength",),
    Action.INPAINT: ("mask",),
    Action.EXPAND: ("ar", "top", "bottom", "left", "right"),
    Action.UPSCALE: ("scale",),
    Action.SKETCH: ("sketch",),
}
EASEL = {
    Action.HELP: Takes.NOTHING,
    Action.HISTORY: Takes.NOTHING,
    Action.UNDO: Takes.NOTHING,
    Action.REDO: Takes.NOTHING,
    Action.PICK: Takes.NUMBER,
    Action.AGAIN: Takes.NOTHING,
    Action.RERUN: Takes.INSTRUCTION,
    Action.COMPARE: Takes.NOTHING,
    Action.SHOW: Takes.ID,
    Action.INFO: Takes.NOTHING,
    Action.SEND_ME: Takes.NOTHING,
    Action.CANCEL: Takes.ID,
    Action.DROP: Takes.ID,
    Action.DELETE: Takes.ID,
    Action.USAGE: Takes.NOTHING,
    Action.BUDGET: Takes.NOTHING,
    Action.SETTINGS: Takes.NOTHING,
}


def commands() -> list[Command]:
    """Every command, in the order a menu shows them."""
    wanx = [
        Command(
            action=action,
            name="wanx",
            word=action.value.removeprefix("wanx."),
            takes=Takes.PROMPT,
            options=(*OWN.get(action, ()), *WANX),
            pictures=1,
            mask=action is Action.INPAINT,
        )
        for action in Action
        if action.is_wanx
    ]
    easel = [
        Command(
            action=action,
            name="easel",
            word=action.value.replace("_", "-"),
            takes=takes,
        )
        for action, takes in EASEL.items()
    ]
    return [
        Command(
            action=Action.DRAW,
            name="draw",
            takes=Takes.PROMPT,
            options=(*SHAPE, *COMMON),
        ),
        Command(
            action=Action.EDIT,
            name="edit",
            takes=Takes.INSTRUCTION,
            options=(*SHAPE, *COMMON),
            pictures=3,
        ),
        *wanx,
        *easel,
    ]


def command_of(action: Action) -> Command:
    """The command that asks for an action. Raises KeyError for one that is never typed."""
    return {one.action: one for one in commands()}[action]
