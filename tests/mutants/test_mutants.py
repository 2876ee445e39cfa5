"""The tests have teeth: each broken variant of Easel is caught by the test named beside it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.variants import MUTANTS

ROOT = Path(__file__).parents[2]
TREE = ("bot", "adapters", "core", "tests", "pyproject.toml")
BY_DAY = (
    "a blob is not synced",
    "an event is acknowledged before its commit",
    "a task is recorded without compare-and-set",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources, to be broken."""
    unwanted = shutil.ignore_patterns("__pycache__")
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
        timeout=400,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_a_variant_and_its_test_are_named_as_they_stand_in_the_sources(
    name: str,
) -> None:
    mutant = MUTANTS[name]
    assert (ROOT / mutant.file).read_text().count(mutant.text) == 1
    file, _, test = mutant.test.partition("::")
    function = test.partition("[")[0]
    assert f"def {function}(" in (ROOT / file).read_text()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        name
        if name in BY_DAY
        else pytest.param(name, marks=pytest.mark.nightly)
        for name in MUTANTS
    ],
)
def test_a_broken_variant_is_caught(
    name: str, copy: Path, *, is_nightly: bool
) -> None:
    mutant = MUTANTS[name]
    if is_nightly:
        # By day the tests themselves say that they pass.
        sound = run(mutant.test, copy)
        assert sound.returncode == 0, sound.stdout
    path = copy / mutant.file
    source = path.read_text()
    path.write_text(source.replace(mutant.text, mutant.broken))
    broken = run(mutant.test, copy)
    if "skipped" in broken.stdout:
        pytest.skip("its test cannot run here")
    assert broken.returncode == 1, broken.stdout
    assert "1 failed" in broken.stdout
