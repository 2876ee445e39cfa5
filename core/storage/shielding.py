"""A transaction runs to its end, even when whoever waits for it is cancelled.

Torn, it would leave a connection.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
INTERRUPTIBLE = frozenset({"close"})
"""Closing waits for all others."""
LEFT_BEHIND = frozenset({"check"})
"""Its caller gives up at once when the database hangs; the question itself ends later."""


_running: set[asyncio.Future[Any]] = set()


async def wait_for_transactions() -> None:
    """Until every transaction of this loop has ended, also of callers who were cancelled twice.

    Then it may close.
    """
    loop = asyncio.get_running_loop()
    while mine := [
        task for task in _running if task.get_loop() is loop and not task.done()
    ]:
        await asyncio.wait(mine)


def shielded(store: type[T]) -> type[T]:
    """Make every public coroutine method of a class uninterruptible.

    Its caller is still cancelled, a moment later.
    """
    for name, method in list(vars(store).items()):
        if (
            inspect.iscoroutinefunction(method)
            and not name.startswith("_")
            and name not in INTERRUPTIBLE
        ):
            setattr(store, name, _to_its_end(method, waits=name not in LEFT_BEHIND))
    return store


def _to_its_end(
    method: Callable[..., Coroutine[Any, Any, Any]], *, waits: bool
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def run(*arguments: Any, **named: Any) -> Any:
        task = asyncio.ensure_future(method(*arguments, **named))
        _running.add(task)
        task.add_done_callback(_running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if waits:
                await asyncio.wait([task])
            else:
                task.add_done_callback(_retrieve_error)
            raise

    return run


def _retrieve_error(task: asyncio.Future[Any]) -> None:
    """An error that no caller waits for is no news: asyncio would log it."""
    if not task.cancelled():
        task.exception()
