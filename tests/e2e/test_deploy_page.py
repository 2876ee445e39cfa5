"""Every command of deploy/README.md is run, in its order.

Easel's own are real. Docker, Helm and systemd are played by a program that wants every file they
are given to be there, and a command of Easel's to be one; the chart, the Compose files and the unit
have tests of their own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.simulator.server import SimulatorConfig
from core.operations import Action
from core.storage import database
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.integration.test_flow import team_on

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deploy" / "README.md").read_text()
PLAYED = ("docker", "helm", "kubectl", "systemctl", "journalctl", "pip")
EASEL = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from bot.cli import main
main()
"""
PLAYER = f"""#!{sys.executable}
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
words = sys.argv[1:]
for word in words:
    assert not word.startswith("deploy/") or Path(word).exists(), word
if "--rm" in words:
    from bot.cli import cli
    assert words[words.index("easel") + 1] in cli.commands, words
    print("# what it printed")
"""
MAKE = f"""#!/bin/sh
exec {shutil.which("make")} --dry-run --directory {ROOT} "$@" >&2
"""
VENV = f"""#!{sys.executable}
import shutil, sys
from pathlib import Path
module, name, folder = sys.argv[1:]
assert (module, name) == ("-m", "venv")
(Path(folder) / "bin").mkdir(parents=True)
here = Path(sys.argv[0]).parent
shutil.copy(here / "pip", Path(folder) / "bin" / "pip")
"""


def blocks(language: str) -> list[str]:
    pattern = rf"```{language}\n(.*?)```"
    return re.findall(pattern, PAGE, re.DOTALL)


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone as far as the page needs it, with the programs it names."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    programs = tmp_path / "programs"
    for name in PLAYED:
        write_program(programs / name, PLAYER)
    write_program(programs / "make", MAKE)
    write_program(programs / "python3", VENV)
    write_program(tmp_path / ".venv" / "bin" / "easel", EASEL)
    (tmp_path / "etc" / "systemd" / "system").mkdir(parents=True)
    return tmp_path


def test_the_commands_of_the_page_work_one_after_another(clone: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{clone / 'programs'}:{os.environ['PATH']}",
        "EASEL_DATA_DIR": str(clone / "data"),
    }
    pages = blocks("sh")
    assert len(pages) == 6
    for page in pages:
        script = re.sub(r"(?<=\s)/(?=etc/|opt/)", f"{clone}/", f" {page}")
        script = script.replace("\n/opt", f"\n{clone}/opt")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=clone,
            env=environment,
            input="the secret",
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
    assert (clone / "restored" / "easel.db").exists()
    secret = clone / "etc" / "easel" / "secrets" / "DASHSCOPE_API_KEY"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_what_the_page_names_is_there() -> None:
    paths = re.findall(
        r"`((?:deploy|systemd|prometheus|grafana)/[^`*]*)`", PAGE
    )
    linked = re.findall(r"\]\((\.\./[^)]+)\)", PAGE)
    assert len(paths) >= 4
    for path in [*paths, *linked]:
        places = (ROOT / path, ROOT / "deploy" / path)
        assert any(place.exists() for place in places), path


async def test_a_bot_may_only_read_and_write_rows_where_an_owner_migrated(
    postgres: str, tmp_path: Path
) -> None:
    roles, rights = blocks("sql")
    url = sa.make_url(fresh_database(postgres, "least rights"))
    server = database.open_sync(url.render_as_string(hide_password=False))
    made, _, _ = roles.partition("CREATE DATABASE")
    give = f'ALTER DATABASE "{url.database}" OWNER TO easel_owner'
    with server.begin() as connection:
        connection.exec_driver_sql(made)
        connection.exec_driver_sql(give)
    owner = url.set(username="easel_owner", password="change me")
    bot = url.set(username="easel_bot", password="change me, too")
    as_owner = database.open_sync(owner.render_as_string(hide_password=False))
    with as_owner.begin() as connection:
        connection.exec_driver_sql(rights)
    as_owner.dispose()
    await database.migrate(owner.render_as_string(hide_password=False))
    address = bot.render_as_string(hide_password=False)
    quick = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(
        quick, tmp_path / "team", EASEL_DATABASE_URL=address
    ) as team:
        step, _ = await team.gets(Action.DRAW, "a red fox")
        assert step.state.is_final
    as_bot = database.open_sync(address)
    with pytest.raises(sa.exc.ProgrammingError), as_bot.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (n INTEGER)")
    as_bot.dispose()
    server.dispose()
