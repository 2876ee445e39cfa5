"""Work on pictures in separate processes: a file that ends its process harms nothing else.

A process is started for the first picture, serves those after it, and is ended when there has
been nothing to do for a minute.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

from core.errors import Rejected
from core.pictures.child import NO_MEMORY, Answer, Question, receive, send

P = ParamSpec("P")
T = TypeVar("T")
SECONDS = 60.0
"""Longest time for one picture."""
IDLE_SECONDS = 60.0
"""Time without work after which the processes are ended."""
TRIES = 2
"""How often a picture is tried when its process is killed from outside."""
PROGRAM = (
    "import sys; from core.pictures.child import main; main(int(sys.argv[1]))"
)
ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables a process is given: no secret is among them."""


class Pool:
    """Works on ``workers`` pictures at a time; the others wait their turn."""

    def __init__(self, workers: int = 2) -> None:
        # A thread waits for each process: large pictures never pass through the loop.
        self._executor = ThreadPoolExecutor(
            workers, thread_name_prefix="pictures"
        )
        self._turn = asyncio.Semaphore(workers)
        self._idle: list[PictureProcess] = []
        self._working: set[PictureProcess] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def run(
        self,
        task: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a function of ``core.pictures.tasks`` in a process.

        Raises what it raises, and Rejected when the picture takes too much memory or time.
        """
        loop = asyncio.get_running_loop()
        question = (task.__name__, args, kwargs)
        async with self._turn:
            value, error = await loop.run_in_executor(
                self._executor,
                self._ask,
                question,
            )
        self._end_idle_later(loop)
        if error is not None:
            raise error
        return cast("T", value)

    def start(self) -> None:
        """Start a process before there is work, so that the first picture need not wait for it."""
        self._executor.submit(self._start)

    def _start(self) -> None:
        # Where this fails it is tried again, and reported, with the first picture.
        with suppress(OSError):
            self._idle.append(PictureProcess())

    def close(self) -> None:
        """End the processes and threads; work that is still running is given up."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in self._working.copy():
            process.kill()
        self._end_idle()

    def _end_idle_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(IDLE_SECONDS, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            self._idle.pop().kill()

    def _ask(self, question: Question) -> Answer:
        for _ in range(TRIES):
            process = self._idle.pop() if self._idle else PictureProcess()
            self._working.add(process)
            try:
                answer = process.ask(question)
            except ConnectionError:
                if self._is_closed:
                    raise
                continue
            finally:
                self._working.discard(process)
            self._idle.append(process)
            return answer
        return None, Rejected("picture.too_heavy")


class SameProcess(Pool):
    """Works in this process, for a command at a prompt that has nothing else to do."""

    async def run(
        self,
        task: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call the function and block until it returns. Raises what it raises."""
        return task(*args, **kwargs)


class PictureProcess:
    """A running ``core.pictures.child``."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair()
        self._link.settimeout(SECONDS)
        try:
            with theirs:
                self._process = _start(theirs.fileno())
        except OSError:
            self._link.close()
            raise

    def ask(self, question: Question) -> Answer:
        """Ask for a task.

        Raises Rejected when it passed a limit, and ConnectionError when the process was killed.
        """
        try:
            send(self._link, question)
            return cast("Answer", receive(self._link))
        except TimeoutError:
            self.kill()
            raise Rejected("picture.too_slow") from None
        except (EOFError, OSError):
            # Closed at its end, or at ours by ``kill`` in the middle of a question.
            self._link.close()
            raise _end_of_process(self._process.wait(SECONDS)) from None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._link.close()


def _start(descriptor: int) -> "subprocess.Popen[bytes]":
    environment = {
        name: os.environ[name] for name in ENVIRONMENT if name in os.environ
    }
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    # Each arena of the allocator would take address space that is never used.
    environment["MALLOC_ARENA_MAX"] = "1"
    return subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-P", "-c", PROGRAM, str(descriptor)],
        pass_fds=[descriptor],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end_of_process(status: int) -> Exception:
    """Judge a picture by how its process ended; ``status`` is negative for a signal."""
    if status == -signal.SIGKILL:
        # Not one of our limits: it may have been another's picture that took all the memory.
        return ConnectionError("the process of pictures was killed")
    if status == -signal.SIGXCPU:
        return Rejected("picture.too_slow")
    if status < 0 or status == NO_MEMORY:
        return Rejected("picture.too_heavy")
    return RuntimeError(f"the process of pictures ended with {status}")
