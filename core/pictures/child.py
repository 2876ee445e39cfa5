"""The process that decodes pictures: a file may be a bomb, so its memory and time are limited.

It is asked over a socket for functions of ``tasks``, and answers with what they return or raise.
"""

import pickle
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import EaselError, Rejected

MEMORY = 512 * 2**20
"""Bytes of address space, libraries included."""
PROCESSOR_SECONDS = 20
"""For each picture."""
NO_MEMORY = 3
"""Exit status when not even the file itself fits."""
LENGTH = struct.Struct(">Q")
Task = Callable[..., object]
Question = tuple[str, tuple[object, ...], Mapping[str, object]]
"""The name of a task, and its arguments."""
Answer = tuple[object, Exception | None]
"""What it returned, or what it raised."""


def main(descriptor: int) -> None:
    """Serve the process at the other end of the socket until that ends or closes it."""
    # A signal for the whole group is for our parent: what it has in work, it needs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, MEMORY)
    # Where memory is short, the kernel ends this process and not the bot.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    # Only here, within the limits; what most pictures need is loaded before the first comes.
    from core.pictures import normalize, tasks  # noqa: PLC0415, F401

    with socket.socket(fileno=descriptor) as link:
        try:
            serve(link, vars(tasks))
        except MemoryError:
            # Half a file is read, so nothing more can be answered.
            sys.exit(NO_MEMORY)


def serve(link: socket.socket, tasks: Mapping[str, Task]) -> None:
    """Answer questions until the other end closes the socket."""
    with suppress(EOFError):
        while True:
            question: Question = receive(link)
            _limit_processor()
            send(link, _answer(tasks, question))


def send(link: socket.socket, message: object) -> None:
    """Send any value. Raises OSError."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    link.sendall(LENGTH.pack(len(data)))
    link.sendall(data)


def receive(link: socket.socket) -> Any:
    """Receive what ``send`` sent. Raises OSError, and EOFError where the other end is closed."""
    (length,) = LENGTH.unpack(_receive_bytes(link, LENGTH.size))
    return pickle.loads(_receive_bytes(link, length))  # noqa: S301  # from our own process


def _receive_bytes(link: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = link.recv_into(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return data


def _answer(tasks: Mapping[str, Task], question: Question) -> Answer:
    name, args, kwargs = question
    try:
        return tasks[name](*args, **kwargs), None
    except EaselError as error:
        return None, error
    except MemoryError:
        return None, Rejected("picture.too_heavy")
    except Exception:  # a bug of ours: our parent reports it
        # As text: the error's own class may be unknown to our parent.
        return None, RuntimeError(traceback.format_exc())


def _limit_processor() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    _limit(resource.RLIMIT_CPU, used + PROCESSOR_SECONDS)


def _limit(kind: int, limit: int) -> None:
    """Lower or raise the soft limit. Not every system knows every limit."""
    _, hard = resource.getrlimit(kind)
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (limit, hard))
