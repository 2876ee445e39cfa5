"""Scaled out on PostgreSQL.

The same jobs, and the work of a worker that died is taken over by one that lives.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from bot import settings, wiring
from bot.simulator.server import SimulatorConfig, serve
from core.post import Tone
from core.types import Action, StepState, to_json
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.journal_chat import JournalChat
from tests.fakes.killing import PLACE, ROOT, wish
from tests.integration.test_flow import team_on


async def test_a_job_runs_on_postgresql(postgres: str, tmp_path: Path) -> None:
    url = fresh_database(postgres, "runs")
    async with team_on(
        SimulatorConfig(time_scale=0.01), tmp_path, EASEL_DATABASE_URL=url
    ) as team:
        step, post = await team.gets(Action.DRAW, "a fox")
        assert step.state is StepState.DONE
        assert post.tone is Tone.RESULT


async def test_a_dead_workers_job_is_finished_by_another(
    postgres: str, tmp_path: Path
) -> None:
    """The first worker is killed while the service works.

    The second, already running, takes over.
    """
    url = fresh_database(postgres, "takeover")
    async with serve(SimulatorConfig(time_scale=0.2, seed=4)) as simulator:
        chosen = settings.load(
            EASEL_DATA_DIR=tmp_path / "survivor",
            EASEL_BLOB_URL=(tmp_path / "blobs").as_uri(),
            EASEL_DATABASE_URL=url,
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
        )
        one = wish(1, Action.DRAW, "a fox")
        dying = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.fakes.killed_bot",
            stdin=-1,
            stdout=-1,
            cwd=ROOT,
            limit=1 << 20,
        )
        life = {
            "folder": str(tmp_path),
            "url": simulator.url,
            "host": simulator.host,
            "database": url,
            "blobs": (tmp_path / "blobs").as_uri(),
            "failpoints": "wait.before=kill",
            "requests": [to_json(one)],
        }
        assert dying.stdin
        assert dying.stdout
        dying.stdin.write(json.dumps(life).encode() + b"\n")
        await dying.stdout.readline()
        assert json.loads(await dying.stdout.readline()) == -signal.SIGKILL
        chat = JournalChat(tmp_path / "journal")
        async with wiring.open_easel(
            chosen, lambda _: {"journal": chat}, simulator=SimulatorConfig()
        ) as easel:
            async with asyncio.timeout(30):
                while not [line for line in chat.lines() if line["tone"] == "result"]:
                    await asyncio.sleep(0.1)
            steps = await easel.context.store.history(
                PLACE.tenant, f"c/@{one.person.id}"
            )
            assert [step.outputs != () for step in steps] == [True]
        assert len(simulator.account.tasks) == 1
        dying.stdin.close()
        await dying.wait()
