"""A process that has imported everything forks a child for each line it reads.

A child begins without importing, and several may live at once. The parent reads one JSON object a
line from standard input, and writes ``[id]`` when a child begins and ``[id, status]`` when it is
gone; a negative status is the signal that ended it. Run as a program it forks ``easel`` itself, for
``Prompt``.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def fork_for_each_line(live: Callable[[Mapping[str, Any]], None]) -> None:
    """Fork a child for each line.

    In a child it returns when that life is over.
    """
    # Those that wait for a child are not waited for themselves.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = os.fork()
        if child == 0:
            live(json.loads(line))
            return
        _tell(child)
        _, status = os.waitpid(child, 0)
        _tell(child, os.waitstatus_to_exitcode(status))
        os._exit(0)


def _tell(*numbers: int) -> None:
    # One write, so that the lines of several processes do not mix.
    os.write(1, json.dumps(numbers).encode() + b"\n")


def easel(life: Mapping[str, Any]) -> None:
    """The program, as if it had been started with these words, environment and folder.

    With "speed" its pauses between two tries pass so many times as fast; with "only_takes_over" it
    takes over from the dead, and does nothing else.
    """
    from bot import cli  # noqa: PLC0415
    from core import failpoints  # noqa: PLC0415

    os.environ.clear()
    os.environ.update(life["environment"])
    os.chdir(life["folder"])
    _send(0, life.get("in") or os.devnull, os.O_RDONLY)
    for number, name in ((1, "out"), (2, "error")):
        if life.get(name):
            _send(
                number,
                life[name],
                os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC,
            )
    failpoints.arm(os.environ.pop("FAILPOINTS", ""))
    shorten_pauses(life.get("speed", 1))
    if life.get("only_takes_over"):
        only_take_over()
    sys.argv = ["easel", *life["words"]]
    cli.main()


def only_take_over() -> None:
    """Leave to other workers what they have not begun: they are to be killed at it."""
    import sqlalchemy as sa  # noqa: PLC0415

    from core import engine  # noqa: PLC0415
    from core.storage import workers  # noqa: PLC0415

    engine.LOOK_SECONDS = 3600
    workers.LISTEN = sa.text("SELECT 1")


def shorten_pauses(speed: float) -> None:
    """Let the pauses between two tries pass so many times as fast: the rest keeps its time."""
    import stamina  # noqa: PLC0415

    from core.storage import workers  # noqa: PLC0415

    usual = stamina.AsyncRetryingCaller

    def fast_caller(**waits: Any) -> stamina.AsyncRetryingCaller:
        for name in ("wait_initial", "wait_max", "wait_jitter"):
            waits[name] /= speed
        return usual(**waits)

    stamina.AsyncRetryingCaller = fast_caller  # type: ignore[misc, assignment]
    workers.EVERY /= speed**0.5
    workers.GRACE /= speed**0.5


def _send(number: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)


@dataclass(kw_only=True)
class Prompt:
    """A prompt at which ``easel`` is typed.

    Each command runs as a separate process, with an environment and a folder.
    """

    parent: subprocess.Popen[str]
    folder: Path

    def runs(
        self,
        words: list[str],
        folder: Path,
        environment: Mapping[str, str],
        given: bytes = b"",
    ) -> subprocess.CompletedProcess[str]:
        """One command until its end; what it wrote. ``given`` is on its standard input."""
        source = self.folder / "in"
        source.write_bytes(given)
        written = {
            "out": str(self.folder / "out"),
            "error": str(self.folder / "error"),
        }
        self._ask(
            {
                "words": words,
                "folder": str(folder),
                "environment": dict(environment),
                "in": str(source),
                **written,
            }
        )
        (child,) = self._answer()
        try:
            _, status = self._answer()
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(
            words,
            status,
            Path(written["out"]).read_text(errors="surrogateescape"),
            Path(written["error"]).read_text(),
        )

    def _ask(self, life: Mapping[str, Any]) -> None:
        assert self.parent.stdin
        self.parent.stdin.write(json.dumps(life) + "\n")
        self.parent.stdin.flush()

    def _answer(self) -> list[int]:
        assert self.parent.stdout
        numbers: list[int] = json.loads(self.parent.stdout.readline())
        return numbers

    def close(self) -> None:
        """No command is asked for any more."""
        assert self.parent.stdin
        assert self.parent.stdout
        self.parent.stdin.close()
        self.parent.wait(10)
        self.parent.stdout.close()


def open_prompt(folder: Path) -> Prompt:
    """Start the parent; a warning while it imports is an error, as in all it forks."""
    parent = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.fakes.forking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    return Prompt(parent=parent, folder=folder)


if __name__ == "__main__":
    from bot import demo, doctor, manifests, models, run, terminal  # noqa: F401

    fork_for_each_line(easel)
