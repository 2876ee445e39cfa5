"""Two quick presses of a button that costs money are one: a hand that slipped pays once."""

from cachetools import TTLCache

from core.button_ids import decode_button
from core.errors import Rejected
from core.incoming import Incoming, Kind
from core.operations import BUTTONS

SECONDS = 2.0
MOST = 10_000

Press = tuple[str, str, str]
"""Tenant, person, button."""


class RecentPresses:
    """Remembers for two seconds who pressed what; a delivery that comes again is no new press."""

    def __init__(self) -> None:
        self._keys: TTLCache[Press, str] = TTLCache(MOST, SECONDS)

    def is_double(self, incoming: Incoming) -> bool:
        """Whether its person pressed the same button a moment before. Remembers the press."""
        if incoming.kind is not Kind.BUTTON or not _costs(incoming.button):
            return False
        return self._keys.setdefault(_press(incoming), incoming.key) != (
            incoming.key
        )

    def forget(self, incoming: Incoming) -> None:
        """Forget a press that could not be taken: the person may try again at once."""
        self._keys.pop(_press(incoming), None)


def _press(incoming: Incoming) -> Press:
    return incoming.place.tenant, incoming.person.id, incoming.button


def _costs(button: str) -> bool:
    try:
        kind, _, _ = decode_button(button)
    except Rejected:
        return False
    return kind in BUTTONS and BUTTONS[kind].makes_pictures
