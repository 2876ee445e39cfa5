"""A bounded pool of threads for picture work.

Libvips lets go of the interpreter, and the loop never waits.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from core.errors import Rejected

P = ParamSpec("P")
T = TypeVar("T")
SECONDS = 60.0


class Pool:
    """``workers`` pictures at a time; the others wait their turn."""

    def __init__(self, workers: int = 2) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        self._turn = asyncio.Semaphore(workers)

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the function in a thread. Raises Rejected when it takes over a minute."""
        async with self._turn:
            work = asyncio.get_running_loop().run_in_executor(
                self._executor, lambda: function(*args, **kwargs)
            )
            try:
                async with asyncio.timeout(SECONDS):
                    return await work
            except TimeoutError:
                raise Rejected("picture.too_slow") from None

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=False, cancel_futures=True)
