"""Threads and messages that show no step: talk and reactions there cost no transaction."""

import time

MOST_NAMES = 10_000
MOST_POSTING = 1000
"""Workspaces whose posts are remembered before those that ended are dropped."""
POSTING_SECONDS = 2.0
"""Seconds within which a message other than a step's first is posted and remembered."""
Name = tuple[str, str, str, str]
"""Tenant, channel, thread, "", or tenant, channel, "", message, as the platform names them."""


class UnrelatedMessages:
    """Names looked up before, right as long as this process alone writes to the database.

    Where others write too it remembers none.

    An unrelated name can become related in two ways only, and both are written by the Store first:
    a step begins there, or a message that shows one is remembered there. Either forgets the name,
    so that no name grows too old. Such a message has a name only once it is posted, and until it is
    remembered no look at it ends with "unrelated". A look that has begun before such a change may
    end after it: it is worth nothing then, which ``changes`` shows.
    """

    def __init__(self, *, is_alone: bool) -> None:
        self.changes = 0
        self._is_alone = is_alone
        self._names: dict[Name, None] = {}
        self._posting_until: dict[str, float] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: Name, changes: int) -> None:
        """Remember a name that was unrelated when there had been so many changes."""
        if not self._is_alone or changes != self.changes:
            return
        self._names[name] = None
        if len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]

    def discard(self, *names: Name) -> None:
        """Forget names that are related now, or soon will be."""
        self.changes += 1
        for name in names:
            self._names.pop(name, None)

    def note_post(self, tenant: str) -> None:
        """From now on this process posts there, and remembers the message in a moment."""
        now = time.monotonic()
        if len(self._posting_until) >= MOST_POSTING:
            still_posting = {
                name: end
                for name, end in self._posting_until.items()
                if end > now
            }
            self._posting_until = still_posting
        self._posting_until[tenant] = now + POSTING_SECONDS

    def is_posting(self, tenant: str) -> bool:
        """May a message be on its way that is not remembered yet?"""
        return self._posting_until.get(tenant, 0.0) > time.monotonic()
