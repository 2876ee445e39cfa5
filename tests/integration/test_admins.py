"""What administrators of a workspace can do: pause it, see who did what, and what was spent."""

import asyncio
import csv
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.server import SimulatorConfig
from bot.simulator.tasks import Task
from core.errors import Rejected
from core.operations import Action, ButtonKind
from core.types import StepState
from tests.fakes import events
from tests.integration.test_flow import PLACE, Team, team_on

ASKED, AT_SERVICE = 7, 4
"""Jobs asked for, and how many of one model the service has at a time: two run, two wait there."""
ELSEWHERE = replace(PLACE, workspace="another")
MODEL = "--model qwen-image"


@pytest_asyncio.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(config, tmp_path / "team") as started:
        yield started


async def states(team: Team, jobs: list[str]) -> list[StepState]:
    return [(await team.step(job)).state for job in jobs]


def hold_tasks(team: Team) -> asyncio.Event:
    """Let no task at the service end before the event is set."""
    account = team.simulator.account
    run, released = account._run, asyncio.Event()

    async def run_later(task: Task) -> None:
        await released.wait()
        await run(task)

    account._run = run_later  # type: ignore[method-assign]
    return released


async def until_in_line(team: Team) -> None:
    """Wait until the service has all it takes, and every other request waits as a step."""
    store, tasks = team.easel.context.store, team.simulator.account.tasks
    while len(tasks) < AT_SERVICE or len(await store.open_steps()) < ASKED:
        await asyncio.sleep(0.02)


def last_words(team: Team, job: str) -> str:
    """What the job's message says now."""
    return next(
        message.posts[-1].text
        for message in team.chat.messages.values()
        if message.posts[0].job == job
    )


async def test_a_pause_holds_what_waits_through_a_restart_until_it_is_resumed(
    tmp_path: Path,
) -> None:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(config, tmp_path / "team") as team:
        released = hold_tasks(team)
        answers = [
            await team.asks(Action.DRAW, f"{number} foxes {MODEL}")
            for number in range(ASKED)
        ]
        jobs = [answer.accepted or "" for answer in answers]
        await until_in_line(team)
        with pytest.raises(Rejected, match="admins_only"):
            await team.says(Action.PAUSE)
        await team.says(Action.PAUSE, is_admin=True)
        assert await team.is_refused(Action.DRAW, "a hill") == "refuse.paused"
        released.set()
        while (await states(team, jobs)).count(StepState.DONE) < AT_SERVICE:
            await asyncio.sleep(0.02)
        ended = dict(zip(jobs, await states(team, jobs), strict=True))
        waiting = [job for job in jobs if ended[job] is StepState.QUEUED]
        assert len(waiting) == ASKED - AT_SERVICE
        for job in waiting:
            while "Paused by an admin" not in last_words(team, job):
                await asyncio.sleep(0.02)
        other = await team.asks(Action.DRAW, "a hill", place=ELSEWHERE)
        assert (await team.chat.end_of(other.accepted or "")).pictures
        chat = team.chat
    async with team_on(config, tmp_path / "team", chat=chat) as team:
        assert await team.is_refused(Action.DRAW, "a hill") == "refuse.paused"
        assert set(await states(team, waiting)) == {StepState.QUEUED}
        await team.says(Action.CANCEL, waiting[0])
        await team.says(Action.RESUME, is_admin=True)
        for job in waiting[1:]:
            await team.chat.end_of(job)
        drawn, _ = await team.gets(Action.DRAW, "a hill")
        assert drawn.state is StepState.DONE


async def test_the_audit_log_tells_admins_who_did_what_and_holds_no_prompts(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a very secret fox", "bo")
    with pytest.raises(Rejected, match="admins_only"):
        await team.says(Action.AUDIT)
    empty = await team.says(Action.AUDIT, is_admin=True, place=ELSEWHERE)
    assert empty.private
    assert "Nothing has happened" in empty.text
    for words in ("gun", "gun, knife"):
        given = {"refused_words": words, "person_day": "10", "n": "1"}
        await team.says(Action.SETTINGS, given=given, is_admin=True)
    for _ in range(3):
        await team.is_refused(Action.DRAW, "another gun", person="bo")
    await team.says(Action.BUDGET, given={"person_day": "0"}, is_admin=True)
    await team.is_refused(Action.DRAW, "a hill", person="bo")
    await team.says(Action.PAUSE, is_admin=True)
    await team.says(Action.RESUME, is_admin=True)
    await team.says(Action.DELETE, fox.id, person="bo")
    log = await team.says(Action.AUDIT, is_admin=True)
    acts = [line.partition(" UTC · ")[2] for line in log.text.splitlines()]
    assert sorted(acts) == sorted(
        [
            "Ana · Refused words · – → gun",
            "Ana · Person’s day budget · – → 10",
            "Ana · Pictures at a time · – → 1",
            "Ana · Refused words · gun → gun, knife",
            "Ana · Person’s day budget · 10 → 0",
            "Bo · Draw · ¥0.20",
            "Bo · refused (Refused words)",
            "Bo · refused (Budgets)",
            "Ana · Pause",
            "Ana · Resume",
            f"Bo · Delete {fox.id}",
        ]
    )
    assert acts[-1] == "Bo · Draw · ¥0.20"
    assert "secret" not in log.text


async def test_the_audit_log_comes_in_pages(team: Team) -> None:
    for number in range(40):
        given = {"refused_words": f"word{number}"}
        await team.says(Action.SETTINGS, given=given, is_admin=True)
    first = await team.says(Action.AUDIT, is_admin=True)
    assert "word39" in first.text
    assert "Page 1 of 3; the next: /easel audit 2" in first.text
    last = await team.says(Action.AUDIT, "3", is_admin=True)
    assert "– → word0" in last.text
    assert "/easel audit" not in last.text
    assert last == await team.says(Action.AUDIT, "99", is_admin=True)


async def test_usage_comes_as_a_table_for_admins_that_adds_up_to_what_is_said(
    team: Team,
) -> None:
    for person, words in (("bo", "a fox"), ("bo", "a hen"), ("=cy", "a cat")):
        await team.gets(Action.DRAW, words, person)
    await team.gets(Action.DRAW, "a hill --model qwen-image-2.0", "bo")
    own = await team.says(Action.USAGE, person="bo")
    assert [picture.name[-4:] for picture in own.pictures] == [".png"]
    told = await team.says(Action.USAGE, is_admin=True)
    _, table = told.pictures
    assert table.drawn
    lines = table.drawn.decode("utf-8-sig").splitlines()
    rows = list(csv.DictReader(lines))
    counted = {
        (row["person"], row["model"]): (row["jobs"], row["amount"])
        for row in rows
    }
    assert counted == {
        ("Bo", "qwen-image-plus"): ("2", "0.4"),
        ("Bo", "qwen-image-2.0"): ("1", "0.2"),
        ("'=Cy", "qwen-image-plus"): ("1", "0.2"),
    }
    assert {row["currency"] for row in rows} == {"CNY"}
    assert {row["person_id"] for row in rows} == {"bo", "'=cy"}
    assert "¥0.80" in told.text


async def test_that_somebody_was_forgotten_stands_in_the_log_and_not_who(
    team: Team,
) -> None:
    await team.gets(Action.DRAW, "a fox", "bo")
    await team.says(Action.EXPORT, person="bo")
    log = await team.says(Action.AUDIT, is_admin=True)
    assert log.text.count("Bo · ") == 2
    question = await team.says(Action.FORGET_ME, person="bo")
    pressed = events.press(
        ButtonKind.FORGET,
        question.buttons[0].step,
        0,
        key="forget",
        place=PLACE,
        person="bo",
    )
    await team.sends(pressed)
    while "Bo" in log.text:
        await asyncio.sleep(0.05)
        log = await team.says(Action.AUDIT, is_admin=True)
    acts = [line.partition(" UTC · ")[2] for line in log.text.splitlines()]
    assert "– · Forget me for good" in acts
