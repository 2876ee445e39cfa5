"""How many calls a model takes at once: the vendor's figure, or what refusals teach. Pure."""

from dataclasses import dataclass

from core.models import Model

AHEAD = 2
"""Tasks submitted beyond the running limit: the service starts them the moment a slot is free."""
FIRST_SIZE = 2
"""Calls at once to begin with, where the vendor names no limit."""
MAX_SIZE = 32
"""Calls at once, even if the service takes more."""
FIRST_PATIENCE, MAX_PATIENCE = 8, 64
"""Accepted calls until one more is tried: after the first refusal, and at most."""


@dataclass(slots=True, kw_only=True)
class Window:
    """``size``: calls at once now, up to ``limit``; ``patience``: accepted calls until it grows."""

    size: int
    limit: int
    patience: int = 1
    accepted: int = 0

    @classmethod
    def of(cls, model: Model | None) -> "Window":
        """As wide as the vendor says; else narrow, to find out.

        ``model`` is None when the catalogue no longer has it.
        """
        if model is None or model.running_limit is None:
            return cls(size=FIRST_SIZE, limit=MAX_SIZE)
        limit = model.running_limit + AHEAD
        return cls(size=limit, limit=limit)

    def accept(self) -> None:
        """Count a call that the service accepted."""
        self.accepted += 1
        if self.accepted < self.patience or self.size >= self.limit:
            return
        self.size += 1
        self.accepted = 0

    def refuse(self, running: int) -> None:
        """The service refused a call for load, while it had ``running`` more of them."""
        # Never wider by a refusal, and never closed: one call is how it learns again.
        self.size = max(1, min(self.size, running))
        patience = max(2 * self.patience, FIRST_PATIENCE)
        self.patience = min(patience, MAX_PATIENCE)
        self.accepted = 0
