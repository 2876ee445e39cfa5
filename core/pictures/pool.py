"""A bounded pool of threads for picture work, so that the event loop never waits.

Threads are enough: libvips releases the interpreter's lock while it works.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from core.errors import Rejected

P = ParamSpec("P")
T = TypeVar("T")
SECONDS = 60.0


class Pool:
    """Works on ``workers`` pictures at a time; the others wait their turn."""

    def __init__(self, workers: int = 2) -> None:
        self._executor = ThreadPoolExecutor(
            workers, thread_name_prefix="pictures"
        )
        self._turn = asyncio.Semaphore(workers)

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the function in a thread. Raises Rejected when it takes over a minute."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            call = partial(function, *args, **kwargs)
            try:
                async with asyncio.timeout(SECONDS):
                    return await loop.run_in_executor(self._executor, call)
            except TimeoutError:
                raise Rejected("picture.too_slow") from None

    def close(self) -> None:
        """Release the threads, without waiting for work that is still running."""
        self._executor.shutdown(wait=False, cancel_futures=True)
