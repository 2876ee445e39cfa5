"""What was said to be kept survives a power cut: the order of the system calls says so.

A process stores a picture and commits a request, watched by strace.
"""

import re
import shutil
import subprocess
import sys

import pytest

CALLS = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from sqlalchemy import text
from core.storage import database
from core.storage.folder import FolderBlobs

async def main(folder):
    os.mkdir(folder)
    engine = database.open_sync(f"sqlite:///{folder}/easel.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (name TEXT)"))
    mark("blob")
    await FolderBlobs(Path(folder)).keep("w", b"a picture")
    mark("row")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES ('a picture')"))
    mark("end")

def mark(name):
    # A place in the trace: a file that is not there.
    try:
        os.open(f"/mark-{name}", os.O_RDONLY)
    except FileNotFoundError:
        pass

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The calls that concern files, with the path of each descriptor."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("traced")
    command = [
        "strace",
        "-f",
        "-y",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(folder / "trace"),
    ]
    run = subprocess.run(
        [*command, sys.executable, "-P", "-c", PROGRAM, str(folder / "data")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "ptrace" in run.stderr:
        pytest.skip("tracing is not allowed here")
    assert run.returncode == 0, run.stderr
    return (folder / "trace").read_text()


def between(trace: str, start: str, end: str) -> str:
    return trace.partition(f"/mark-{start}")[2].partition(f"/mark-{end}")[0]


def in_order(calls: str, *patterns: str) -> bool:
    return re.search(".*".join(patterns), calls, re.DOTALL) is not None


def test_a_picture_is_written_synced_renamed_and_its_folder_synced(
    trace: str,
) -> None:
    calls = between(trace, "blob", "row")
    key = r"[0-9a-f]{64}"
    assert in_order(
        calls,
        rf"write\(\d+<[^>]*/\.{key}\.\w+>",
        rf"f(?:data)?sync\(\d+<[^>]*/\.{key}\.\w+>\)",
        rf"rename\w*\([^)]*/\.{key}[^)]*/{key}\"",
        r"fsync\(\d+<[^>]*/[0-9a-f]{2}>\)",
    )
    # The two folders above it may be new, too.
    assert in_order(calls, r"fsync\(\d+<[^>]*/data/[^/>]+>\)")
    assert in_order(calls, r"fsync\(\d+<[^>]*/data>\)")


def test_a_commit_is_synced_after_it_is_written(trace: str) -> None:
    calls = between(trace, "row", "end")
    assert in_order(
        calls,
        r"pwrite64\(\d+<[^>]*easel\.db-wal>",
        r"f(?:data)?sync\(\d+<[^>]*easel\.db-wal>\)",
    )
    last_write = calls.rindex("pwrite64(")
    assert "sync(" in calls[last_write:]
