"""The tests have teeth: each broken variant of Easel is caught by the test named beside it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREE = ("bot", "adapters", "core", "tests", "pyproject.toml")
TRACE = "tests/integration/test_system_calls.py::"
PICTURES = "tests/integration/test_picture_process.py::"
STORED = (
    TRACE + "test_a_picture_is_written_synced_renamed_and_its_folder_synced"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A text of the source and what stands there instead; ``test`` must fail."""

    file: str
    text: str
    broken: str
    test: str


FOLDER, POOL = "core/storage/folder.py", "core/pictures/pool.py"
CHILD = "core/pictures/child.py"
MUTANTS = {
    "a blob is not synced": Mutant(
        file=FOLDER,
        text="            os.fsync(file.fileno())\n",
        broken="",
        test=STORED,
    ),
    "the folder of a blob is not synced": Mutant(
        file=FOLDER,
        text="        _sync_folder(path.parent)\n",
        broken="",
        test=STORED,
    ),
    "a new folder is not synced into the one above": Mutant(
        file=FOLDER,
        text="    _sync_folder(folder.parent)\n",
        broken="",
        test=STORED,
    ),
    "a blob is written in place": Mutant(
        file=FOLDER,
        text='temporary = path.with_name(f".{key}.{suffix}")',
        broken="temporary = path",
        test=STORED,
    ),
    "SQLite does not sync": Mutant(
        file="core/storage/database.py",
        text="PRAGMA synchronous=FULL",
        broken="PRAGMA synchronous=OFF",
        test=TRACE + "test_a_commit_is_synced_after_it_is_written",
    ),
    "a child gets our environment": Mutant(
        file=POOL,
        text="name: os.environ[name] for name in ENVIRONMENT if name in os.environ",
        broken="name: os.environ[name] for name in os.environ",
        test=PICTURES + "test_no_secret_is_in_the_environment_of_a_process",
    ),
    "a killed child costs a picture": Mutant(
        file=POOL,
        text="TRIES = 2",
        broken="TRIES = 1",
        test=PICTURES
        + "test_a_process_that_was_killed_from_outside_costs_nobody_a_picture",
    ),
    "processor time is not limited": Mutant(
        file=CHILD,
        text="            _limit_processor()\n",
        broken="",
        test=PICTURES + "test_each_picture_has_its_seconds_of_processor_time",
    ),
    "a child ends with a signal for the group": Mutant(
        file=CHILD,
        text="    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        broken="",
        test=PICTURES + "test_signals_for_all_of_us_end_no_picture_in_work",
    ),
}
BY_DAY = ("a blob is not synced",)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources, to be broken."""
    unwanted = shutil.ignore_patterns("__pycache__", "photos")
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=unwanted)
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def run(test: str, tree: Path) -> subprocess.CompletedProcess[str]:
    """Run one test on the sources in ``tree``."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:xdist"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", test],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in BY_DAY
        else pytest.param(name, marks=pytest.mark.nightly)
        for name in MUTANTS
    ],
)
def test_a_broken_variant_is_caught(name: str, copy: Path) -> None:
    mutant = MUTANTS[name]
    sound = run(mutant.test, copy)
    if "skipped" in sound.stdout:
        pytest.skip("its test cannot run here")
    assert sound.returncode == 0, sound.stdout
    path = copy / mutant.file
    source = path.read_text()
    assert source.count(mutant.text) == 1, "the source has changed"
    path.write_text(source.replace(mutant.text, mutant.broken))
    broken = run(mutant.test, copy)
    assert broken.returncode == 1, broken.stdout
    assert "1 failed" in broken.stdout
