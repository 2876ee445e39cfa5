"""The README stays true: every command in it is run, every path in it is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
EASEL = [sys.executable, "-c", "from bot.cli import main; main()"]
PICTURES = {"draw", "edit", "wanx"}


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make ")])
def test_every_make_target_of_the_readme_is_one(command: str) -> None:
    done = subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_commands_at_the_prompt_work_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "bot").symlink_to(ROOT / "bot")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "EASEL_DATA_DIR": str(tmp_path / "data")}
    commands = [line for line in COMMANDS if not line.startswith("make ")]
    assert len(commands) >= 10
    for line in commands:
        program, *words = shlex.split(line)
        assert program == ".venv/bin/easel"
        pace = ["--time-scale", "0.01"] if words[0] in PICTURES else []
        done = subprocess.run(
            [*EASEL, *words, *pace],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)


def test_every_path_the_readme_names_is_there() -> None:
    named = re.findall(r"`((?:bot|core|adapters|tests|deploy)/[\w./]+)`|\((deploy/[\w./]+)\)", README)
    for path in filter(None, (one or other for one, other in named)):
        assert (ROOT / path).exists(), path


def test_no_committed_file_names_an_index_or_a_path_of_somebodys_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    hosts = ("pypi" + ".org", "files.pythonhosted" + ".org", "/root" + "/", "/home" + "/", "/work" + "/main")
    for name in tracked:
        if name.endswith((".png", ".jpg")):
            continue
        text = (ROOT / name).read_text()
        assert not [host for host in hosts if host in text], name
