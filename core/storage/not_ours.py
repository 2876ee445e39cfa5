"""Threads and messages known not to be ours: what is said and liked there costs no transaction."""

MOST = 10_000
Name = tuple[str, str, str, str]
"""Tenant, channel, thread, "", or tenant, channel, "", message, as the platform names them."""


class NotOurs:
    """Right as long as this process alone writes to the database.

    It knows nothing where others write too.

    What is there already becomes ours in two ways only, and both are written by the Store first: a
    step begins there, or a message of ours is remembered there. Either forgets the name, so that no
    name need ever grow too old. A message of ours has a name only once it is posted, and until it
    is remembered no look at it ends with "not ours". A look that has begun before such a change may
    end after it: it is worth nothing then, which ``changes`` tells.
    """

    def __init__(self, *, is_alone: bool) -> None:
        self.changes = 0
        self._is_alone = is_alone
        self._names: dict[Name, None] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: Name, changes: int) -> None:
        """It was not ours when there had been so many changes."""
        if not self._is_alone or changes != self.changes:
            return
        self._names[name] = None
        if len(self._names) > MOST:
            del self._names[next(iter(self._names))]

    def discard(self, *names: Name) -> None:
        """They are ours now, or soon will be."""
        self.changes += 1
        for name in names:
            self._names.pop(name, None)
