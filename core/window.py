"""How many calls a model takes at once: what its vendor names, or what its refusals teach. Pure.

The window grows by one with each call taken until the first refusal. From then on it tries one more
only now and then, and after each refusal more seldom.
"""

from dataclasses import dataclass

from core.catalog import Model

AHEAD = 2
"""Tasks submitted beyond the running limit: the service starts them the moment a place frees."""
FIRST = 2
"""Calls at once to begin with, where the vendor names no limit."""
MOST = 32
"""Calls at once, whatever the service takes."""
PROBE, SELDOM = 8, 64
"""Calls taken until one more is tried: after the first refusal, and at most."""


@dataclass(slots=True, kw_only=True)
class Window:
    """``size``: calls at once now; ``most``: where it ends growing; ``patience``.

    Calls taken until it grows.
    """

    size: int
    most: int
    patience: int = 1
    taken: int = 0

    @classmethod
    def of(cls, model: Model | None) -> "Window":
        """As wide as the vendor says; else narrow, to find out.

        None: a model the catalogue no longer has.
        """
        if model is None or model.running_limit is None:
            return cls(size=FIRST, most=MOST)
        most = model.running_limit + AHEAD
        return cls(size=most, most=most)

    def accept(self) -> None:
        """The service took a call."""
        self.taken += 1
        if self.taken < self.patience or self.size >= self.most:
            return
        self.size += 1
        self.taken = 0

    def refuse(self, running: int) -> None:
        """The service refused a call for load, while so many of our others were running."""
        self.size = max(1, min(self.size, running))
        self.patience = min(max(2 * self.patience, PROBE), SELDOM)
        self.taken = 0
