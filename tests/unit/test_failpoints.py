"""Failpoints do what the variable says, once, and nothing without it."""

import sys

import pytest

from bot.cli import main
from core import failpoints


@pytest.fixture(autouse=True)
def _disarmed() -> object:
    yield
    failpoints.arm("")


def test_nothing_happens_unasked() -> None:
    failpoints.arm("")
    failpoints.failpoint("keep.before_commit")


def test_a_place_raises_at_the_hit_asked_for() -> None:
    failpoints.arm("keep.before_commit=raise@2")
    failpoints.failpoint("keep.before_commit")
    with pytest.raises(RuntimeError):
        failpoints.failpoint("keep.before_commit")
    failpoints.failpoint("keep.before_commit")


def test_a_place_may_be_slow() -> None:
    failpoints.arm("keep.before_commit=sleep:1")
    failpoints.failpoint("keep.before_commit")


def test_a_name_or_action_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no failpoint"):
        failpoints.arm("nowhere=kill")
    failpoints.arm("keep.before_commit=dance")
    with pytest.raises(ValueError, match="no action"):
        failpoints.failpoint("keep.before_commit")


def test_every_failpoint_of_the_list_stands_in_the_code_and_the_other_way_round() -> (
    None
):
    import re  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    root = Path(failpoints.__file__).parents[1]
    files = [
        path
        for folder in ("core", "adapters")
        for path in (root / folder).rglob("*.py")
    ]
    used = {
        name
        for path in files
        for name in re.findall(r'failpoint\("([a-z_.]+)"\)', path.read_text())
    }
    assert used == set(failpoints.NAMES)


def test_the_program_refuses_them_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAILPOINTS", "keep.before_commit=kill")
    monkeypatch.setattr(sys, "argv", ["easel", "run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 78
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "FAILPOINTS" in told
