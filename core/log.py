"""The log.

structlog is slow to load and most commands log nothing, so it is loaded for the first line.
"""

from collections.abc import Callable
from typing import Any


class Log:
    """structlog's logger, loaded when the first line is written."""

    def __init__(self) -> None:
        self._set_up: Callable[[], None] | None = None

    def set_up_by(self, set_up: Callable[[], None]) -> None:
        """Call ``set_up`` before the first line."""
        self._set_up = set_up

    def set_up(self) -> None:
        """Call the function given to ``set_up_by``, once."""
        set_up = self._set_up
        self._set_up = None
        if set_up is not None:
            set_up()

    def __getattr__(self, level: str) -> Any:
        import structlog  # noqa: PLC0415

        self.set_up()
        return getattr(structlog.get_logger(), level)


log = Log()
