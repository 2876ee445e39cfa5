"""Every benchmark runs, small; and what it must not cost any more stays so."""

from pathlib import Path

from tests.bench import cli

NO_ENGINE = ("undo", "redo", "pick 1", "info", "usage", "budget", "show {step}", "models")


def test_a_command_that_needs_no_engine_is_cheap(tmp_path: Path) -> None:
    """The least of two runs: a busy machine adds to both, and takes nothing away."""
    figures = cli.measure(tmp_path, (*NO_ENGINE, "--help"), runs=2)
    for command in NO_ENGINE:
        assert min(figures[command]) <= 0.4, figures
    assert min(figures["--help"]) <= 0.1, figures
