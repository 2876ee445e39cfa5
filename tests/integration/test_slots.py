"""The slots at the service, through the whole of Easel: all are used, and none idles."""

import asyncio
import time
from pathlib import Path

from bot.simulator.models import MODELS
from bot.simulator.server import SimulatorConfig
from core.flow import status_posts
from core.operations import Action
from core.post import Tone
from tests.fakes.memory_chat import Message
from tests.integration.test_flow import Team, team_on

SYNC = "qwen-image-2.0"


async def draw(team: Team, count: int, model: str) -> None:
    """So many drawings at once, to their results."""
    answers = [
        await team.asks(Action.DRAW, f"fox {number} --model {model}")
        for number in range(count)
    ]
    for answer in answers:
        assert (
            await team.chat.end_of(answer.accepted or "", 120)
        ).tone is Tone.RESULT


def efficiency(team: Team) -> float:
    """The least time two places need, by the time that was taken."""
    tasks = team.simulator.account.tasks.values()
    bound = sum(task.duration for task in tasks) / 2
    return bound / (
        max(task.ended or 0 for task in tasks)
        - min(task.accepted for task in tasks)
    )


async def test_synchronous_calls_fill_what_the_service_takes_with_a_handful_of_refusals(
    tmp_path: Path,
) -> None:
    config = SimulatorConfig(
        time_scale=0.3, seed=3, sync_running=2, rate_limits=False
    )
    async with team_on(config, tmp_path) as team:
        await draw(team, 10, SYNC)
        assert team.simulator.account.max_running == {SYNC: 2}
        assert team.simulator.account.refused_submits <= 4
        # One at a time would be 0.5.
        assert efficiency(team) > 0.65


async def test_the_estimate_counts_the_rounds_of_a_model_that_names_no_limit(
    tmp_path: Path,
) -> None:
    """Two of seven are at work, so the last is made in the fourth round of twenty seconds."""
    async with team_on(
        SimulatorConfig(time_scale=10, seed=3), tmp_path
    ) as team:
        for number in range(6):
            await team.asks(Action.DRAW, f"fox {number} --model {SYNC}")
        async with asyncio.timeout(90):
            while len(team.chat.messages) < 6:
                await asyncio.sleep(0.01)
            answer = await team.asks(Action.DRAW, f"the last --model {SYNC}")
            while not (message := message_of(team, answer.accepted)):
                await asyncio.sleep(0.01)
        assert "Number 7 in line · about 80 s" in message.posts[0].text
        context = team.easel.context
        for _ in range(4):
            context.window("beijing", SYNC).accept()
        pace = await status_posts.pace_of(context, "beijing", SYNC)
        assert (pace.slots, pace.typical) == (6, 20.0)


def message_of(team: Team, job: str | None) -> Message | None:
    messages = team.chat.messages.values()
    return next((one for one in messages if one.posts[0].job == job), None)


async def test_where_the_service_refuses_nothing_the_window_opens(
    tmp_path: Path,
) -> None:
    config = SimulatorConfig(time_scale=0.25, seed=3, rate_limits=False)
    async with team_on(config, tmp_path) as team:
        await draw(team, 12, SYNC)
        assert team.simulator.account.refused_submits == 0
        assert team.simulator.account.max_running[SYNC] > 2


async def test_a_service_that_refuses_costs_no_sleep_and_two_ahead_come_back(
    tmp_path: Path,
) -> None:
    """Its queue is full at two running.

    A refusal is told from then on by the window, not by waiting a minute.
    """
    config = SimulatorConfig(time_scale=0.1, seed=3, overflow="refuse")
    async with team_on(config, tmp_path) as team:
        started = time.monotonic()
        await draw(team, 12, "qwen-image-plus")
        # Waiting out a refusal took a minute.
        assert time.monotonic() - started < 55
        assert team.simulator.account.max_running == {
            "qwen-image-plus": MODELS["qwen-image-plus"].running
        }
        assert team.simulator.account.refused_submits <= 6
        slots = team.easel.engine._slots._lines["beijing", "qwen-image-plus"]
        assert slots.window.size <= 3
        for _ in range(64):
            slots.window.accept()
        assert slots.window.size > 3


async def test_an_allocation_quota_is_asked_again_as_soon_as_a_place_frees(
    tmp_path: Path,
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=0.05, seed=3), tmp_path
    ) as team:
        quota = {
            "where": "submit",
            "kind": "status",
            "status": 429,
            "code": "Throttling.AllocationQuota",
            "nth": 2,
        }
        team.simulator.account.faults.append(quota)
        async with asyncio.timeout(90):
            await draw(team, 4, "qwen-image-plus")
        assert len(team.simulator.account.tasks) == 4
