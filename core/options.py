"""The options that each operation offers."""

from collections.abc import Mapping

from core.operations import Action

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


def options_of(action: Action) -> tuple[str, ...]:
    """The names of the options an operation offers, in the order a menu shows them."""
    if action.is_wanx:
        return (*OWN.get(action, ()), *WANX)
    if action in {Action.DRAW, Action.EDIT}:
        return (*SHAPE, *COMMON)
    return ()
