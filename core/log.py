"""The log.

structlog is slow to load and most commands log nothing, so it is loaded for the first line.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

Watcher = Callable[[str, Mapping[str, Any]], None]


class Log:
    """structlog's logger, loaded when the first line is written.

    Watchers hear of every event, also of those below the level that is written.
    """

    def __init__(self) -> None:
        self._set_up: Callable[[], None] | None = None
        self._watchers: list[Watcher] = []

    @contextmanager
    def watched_by(self, watcher: Watcher) -> Iterator[None]:
        """Tell ``watcher`` the name and the facts of each event."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

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
        write = getattr(structlog.get_logger(), level)
        return partial(self._note, write) if self._watchers else write

    def _note(
        self, write: Callable[..., None], event: str, **facts: Any
    ) -> None:
        for watcher in self._watchers:
            _tell(watcher, event, facts, write)
        write(event, **facts)


def _tell(
    watcher: Watcher,
    event: str,
    facts: Mapping[str, Any],
    write: Callable[..., None],
) -> None:
    try:
        watcher(event, facts)
    except Exception as error:
        # What is only counted must never end the work that is logged.
        write("watcher_broke", watched=event, error=type(error).__name__)


log = Log()
