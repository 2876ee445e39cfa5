"""The READMEs stay true: every command in them is run, every path in them is there."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.discord.driver import discord
from tests.fakes.forking import Prompt
from tests.fakes.slack.driver import slack

ROOT = Path(__file__).parents[2]
PAGES = {
    path: (ROOT / path).read_text()
    for path in (
        "README.md",
        "adapters/slack/README.md",
        "adapters/discord/README.md",
        "adapters/web/README.md",
        "adapters/terminal/README.md",
    )
}
ALL = "\n".join(PAGES.values())
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", ALL, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
EASEL = [sys.executable, "-c", "from bot.cli import main; main()"]
PICTURES = {"draw", "edit", "wanx"}


def steps(text: str) -> list[str]:
    """The commands of a set-up, in their order."""
    return re.findall(r"^   (\.venv/bin/easel [^\n]+)", text, re.MULTILINE)


IN_SLACK = PAGES["adapters/slack/README.md"]
IN_DISCORD = PAGES["adapters/discord/README.md"]
SLACK, DISCORD = steps(IN_SLACK), steps(IN_DISCORD)


@pytest.mark.parametrize(
    "command", sorted({line for line in COMMANDS if line.startswith("make ")})
)
def test_every_make_target_of_the_readme_is_one(command: str) -> None:
    done = subprocess.run(
        ["make", "-n", *command.split()[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_commands_at_the_prompt_work_one_after_another(
    tmp_path: Path, prompt: Prompt
) -> None:
    (tmp_path / "bot").symlink_to(ROOT / "bot")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "EASEL_DATA_DIR": str(tmp_path / "data"),
    }
    commands = [
        line
        for line in COMMANDS
        if not line.startswith("make ") and line not in SLACK + DISCORD
    ]
    assert len(commands) >= 10
    for line in commands:
        program, *words = shlex.split(line)
        assert program == ".venv/bin/easel"
        pace = ["--time-scale", "0.01"] if words[0] in PICTURES else []
        done = prompt.runs([*words, *pace], tmp_path, environment)
        assert done.returncode == 0, (line, done.stderr)


async def _printed(
    words: list[str], folder: Path, environment: dict[str, str]
) -> str:
    """What a command that must succeed prints."""
    done = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(done.communicate(), 60)
    assert done.returncode == 0, (out, error)
    return out.decode()


async def test_the_set_up_for_discord_leads_to_the_first_picture(
    tmp_path: Path,
) -> None:
    async with discord() as fake:
        names = re.findall(r"^   ([A-Z_]+)=", IN_DISCORD, re.MULTILINE)
        assert names == ["DISCORD_BOT_TOKEN", "DASHSCOPE_API_KEY"]
        (tmp_path / ".env").write_text(
            "\n".join(
                f"{name}={value}" for name, value in fake.settings().items()
            )
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "EASEL_DATA_DIR": str(tmp_path / "data"),
        }
        assert [line.split()[1] for line in DISCORD] == [
            "discord-invite",
            "doctor",
            "run",
        ]
        *before, run = [[*EASEL, *shlex.split(line)[1:]] for line in DISCORD]
        printed = [
            await _printed(words, tmp_path, environment) for words in before
        ]
        assert f"client_id={fake.world.app}" in printed[0]
        assert "signed in as easel" in printed[1]
        bot = await asyncio.create_subprocess_exec(
            *run, cwd=tmp_path, env={**environment, "EASEL_HTTP_PORT": "0"}
        )
        try:
            await fake.connected(30)
            ana = fake.person("Ana")
            await fake.command(
                ana, "draw", {"prompt": "a red fox in the snow"}
            )
            status = await fake.sees("a red fox in the snow")
            assert status.buttons
        finally:
            bot.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(bot.wait(), 30) == 0


async def test_the_set_up_for_slack_leads_to_the_first_picture(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        names = re.findall(r"^   ([A-Z_]+)=", IN_SLACK, re.MULTILINE)
        assert names == [
            "SLACK_APP_TOKEN",
            "SLACK_BOT_TOKEN",
            "DASHSCOPE_API_KEY",
        ]
        given = fake.settings(socket=True)
        (tmp_path / ".env").write_text(
            "\n".join(f"{name}={value}" for name, value in given.items())
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "EASEL_DATA_DIR": str(tmp_path / "data"),
        }
        assert [line.split()[1] for line in SLACK] == [
            "slack-manifest",
            "doctor",
            "run",
        ]
        *before, run = [[*EASEL, *shlex.split(line)[1:]] for line in SLACK]
        printed = [
            await _printed(words, tmp_path, environment) for words in before
        ]
        assert json.loads(printed[0])["settings"]["socket_mode_enabled"]
        assert "signed in as easel in Test" in printed[1]
        bot = await asyncio.create_subprocess_exec(
            *run, cwd=tmp_path, env={**environment, "EASEL_HTTP_PORT": "0"}
        )
        try:
            await fake.until(lambda: fake.socket.opened)
            ana = fake.person("Ana")
            await ana.types("/draw a red fox in the snow")
            await ana.reads("a red fox in the snow")
        finally:
            bot.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(bot.wait(), 30) == 0


def test_every_path_the_readme_names_is_there() -> None:
    named = re.findall(
        r"`((?:bot|core|adapters|tests|deploy)/[\w./]+)`|\(((?:adapters|core|deploy)/[\w./]+)\)",
        ALL,
    )
    for path in filter(None, (one or other for one, other in named)):
        assert (ROOT / path).exists(), path


def test_no_committed_file_names_an_index_or_a_path_of_somebodys_machine() -> (
    None
):
    tracked = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    hosts = (
        "pypi" + ".org",
        "files.pythonhosted" + ".org",
        "/root" + "/",
        "/home" + "/",
        "/work" + "/main",
    )
    for name in tracked:
        if name.endswith((".png", ".jpg")):
            continue
        text = (ROOT / name).read_text()
        assert not [host for host in hosts if host in text], name
