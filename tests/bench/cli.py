"""Processor seconds of each command at a prompt, in a data folder with an edit tree.

    .venv/bin/python tests/bench/cli.py

The goal is 0.4, for --help 0.1.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
EASEL = [sys.executable, "-c", "from bot.cli import main; main()"]
COMMANDS = (
    "--help",
    "models",
    "undo",
    "redo",
    "pick 1",
    "history",
    "compare",
    "info",
    "usage",
    "budget",
    "show {step}",
    "draw fox --time-scale 0.01",
)
EDITS = ("make it night", "give it a hat", "more snow")
RUNS = 3


def environment(folder: Path) -> dict[str, str]:
    """As at a prompt: a data folder, no key, and Python keeps what it compiled."""
    prefixes = ("EASEL_", "DASHSCOPE_", "COV", "PYTHONDONTWRITEBYTECODE")
    rest = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(prefixes)
    }
    return {
        **rest,
        "PYTHONPATH": str(ROOT),
        "EASEL_DATA_DIR": str(folder / "data"),
    }


def prepare(folder: Path, edits: Iterable[str]) -> str:
    """Make a drawing and its edits, one after another; return the id of the first step."""
    folder.mkdir(parents=True, exist_ok=True)
    for words in (
        ["draw", "a red fox in the snow"],
        *(["edit", text] for text in edits),
    ):
        command = [*EASEL, *words, "--time-scale", "0.01"]
        subprocess.run(
            command,
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            check=True,
        )
    return next(folder.glob("v1-*.png")).name.split("-")[1]


def seconds(words: list[str], folder: Path) -> float:
    """User and system time of one command and all it started."""
    process = subprocess.Popen(
        [*EASEL, *words],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise AssertionError(f"{words}: exit code {process.returncode}")
    return used.ru_utime + used.ru_stime


def measure(
    folder: Path, commands: Iterable[str] = COMMANDS, runs: int = RUNS
) -> dict[str, list[float]]:
    """Each command's seconds. As many edits as runs, so that there is something to undo in each."""
    step = prepare(folder, EDITS[:runs])
    seconds(["info"], folder)  # not counted: it compiles
    figures: dict[str, list[float]] = {}
    for command in commands:
        words = command.format(step=step).split()
        figures[command] = [seconds(words, folder) for _ in range(runs)]
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for name, figure in measure(Path(scratch)).items():
            sys.stdout.write(f"{name:28} {statistics.median(figure):.3f} s\n")
