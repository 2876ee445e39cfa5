"""A transaction runs to its end, even when its caller is cancelled.

Cut off in the middle, it would leave a connection in a state that nothing cleans up.
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

# Also those whose callers are gone.
_running: set[asyncio.Future[Any]] = set()


async def wait_for_transactions() -> None:
    """Wait until every transaction of this loop has ended: then its engine may be disposed of.

    That includes transactions whose callers were cancelled twice.
    """
    while running := _running_here():
        await asyncio.wait(running)


def _running_here() -> list[asyncio.Future[Any]]:
    loop = asyncio.get_running_loop()
    # A process may run several loops, one after another.
    return [
        task
        for task in _running
        if task.get_loop() is loop and not task.done()
    ]


def shielded(store: type[T]) -> type[T]:
    """Make every public coroutine method of a class uninterruptible.

    Its caller is still cancelled, a moment later.
    """
    for name, method in list(vars(store).items()):
        if name.startswith("_") or name in INTERRUPTIBLE:
            continue
        if inspect.iscoroutinefunction(method):
            setattr(
                store,
                name,
                _shield(method, waits=name not in LEFT_BEHIND),
            )
    return store


def _shield(
    method: Callable[..., Coroutine[Any, Any, Any]],
    *,
    waits: bool,
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def run(*args: Any, **kwargs: Any) -> Any:
        task = asyncio.ensure_future(method(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_retrieve_error)
            if waits:
                await asyncio.wait([task])
            raise

    return run


def _retrieve_error(task: asyncio.Future[Any]) -> None:
    """An error that no caller waits for is no news: asyncio would log it."""
    if not task.cancelled():
        task.exception()
