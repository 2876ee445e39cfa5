"""Two providers in one Easel: DashScope in yuan, an images API in dollars with base64."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from bot import settings
from bot.providers import PROVIDERS, ProviderKind, open_dashscope
from bot.simulator.server import SimulatorConfig
from bot.wiring import open_easel
from core.errors import Charged, Rejected
from core.operations import Action, ButtonKind
from core.post import Tone
from core.providers.dashscope import catalog_text
from core.storage.tables import ledger, steps
from core.types import StepState
from tests.fakes import events
from tests.fakes.images.api import ImagesApi, serve_images
from tests.fakes.images.provider import images_kind
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.steps import dollars, yuan
from tests.integration.test_flow import PLACE, Team, kinds, team_on

DRAW = "a red fox --model picture-1"


@dataclass(frozen=True, kw_only=True)
class Both:
    """A team whose Easel is built with both, and the second service."""

    team: Team
    api: ImagesApi
    folder: Path


@pytest_asyncio.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    config, folder = (
        SimulatorConfig(time_scale=0.01, seed=3),
        tmp_path / "team",
    )
    async with serve_images() as api:
        providers = {**PROVIDERS, "images": images_kind(api.url)}
        async with team_on(config, folder, providers=providers) as team:
            yield Both(team=team, api=api, folder=folder)


async def test_a_picture_that_came_as_bytes_is_drawn_edited_and_paid_in_its_currency(
    both: Both,
) -> None:
    team = both.team
    drawn, post = await team.gets(Action.DRAW, f"{DRAW} --n 2")
    assert (drawn.state, drawn.account) == (StepState.DONE, "studio")
    assert (drawn.cost, drawn.charged) == (dollars("0.08"), Charged.YES)
    assert "$0.08" in post.text
    assert len(post.pictures) == 2
    assert all(picture.url is None for picture in drawn.outputs)
    edited, _ = await team.gets(Action.EDIT, "make it night --model picture-1")
    assert edited.state is StepState.DONE
    assert edited.inputs == drawn.outputs[:1]
    assert both.api.accepted[-1] == {
        "prompt": "make it night",
        "n": 1,
        "images": 1,
    }
    assert not team.simulator.account.tasks


async def test_each_provider_goes_on_from_the_others_picture(
    both: Both,
) -> None:
    team = both.team
    drawn, _ = await team.gets(Action.DRAW, "a fox")
    assert (drawn.account, drawn.cost) == ("beijing", yuan("0.2"))
    elsewhere, _ = await team.gets(
        Action.EDIT, "make it red --model picture-1"
    )
    assert (elsewhere.parent, elsewhere.account) == (drawn.id, "studio")
    back, _ = await team.gets(Action.EDIT, "make it blue")
    assert (back.parent, back.account) == (elsewhere.id, "beijing")
    assert back.state is StepState.DONE
    text = (await team.says(Action.USAGE)).text
    assert "$0.04" in text
    assert "¥0.40" in text


async def test_no_row_holds_the_bytes_of_a_picture(both: Both) -> None:
    await both.team.gets(Action.DRAW, DRAW)
    url = f"sqlite+aiosqlite:///{both.folder / 'easel.db'}"
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        row = (await connection.execute(select(steps))).mappings().one()
        entries = (await connection.execute(select(ledger))).mappings().all()
    await engine.dispose()
    [result] = row["outcome"]["made"]
    assert result["content"] is None
    assert await both.team.easel.context.blobs.read(
        PLACE.tenant, result["key"]
    )
    assert all(
        len(json.dumps(value, default=str)) < 1000 for value in row.values()
    )
    assert {entry["currency"] for entry in entries} == {"USD"}


async def test_words_are_delivered_and_leave_the_picture_they_describe_the_newest(
    both: Both,
) -> None:
    team = both.team
    drawn, _ = await team.gets(Action.DRAW, DRAW)
    described, post = await team.gets(
        Action.EDIT, "What is in it? --model describer-1"
    )
    assert (described.state, described.outputs) == (StepState.DONE, ())
    assert described.text == "A picture of 1024 by 1024 pixels."
    assert described.text in post.text
    assert "$0.002" in post.text
    assert (post.tone, post.pictures) == (Tone.NOTE, ())
    assert kinds(post) == [ButtonKind.AGAIN, ButtonKind.DELETE]
    edited, _ = await team.gets(Action.EDIT, "make it night --model picture-1")
    assert edited.parent == drawn.id
    recent = await team.easel.context.store.recent(PLACE.tenant, "ana", 9)
    assert {step.id for step in recent} == {drawn.id, edited.id}


async def test_a_lost_answer_of_a_service_without_a_list_is_the_persons_to_decide(
    both: Both,
) -> None:
    both.api.faults.append("lose")
    step, post = await both.team.gets(Action.DRAW, DRAW)
    assert (step.state, step.charged) == (StepState.UNKNOWN, Charged.MAYBE)
    assert kinds(post) == [ButtonKind.RETRY, ButtonKind.DROP]
    assert len(both.api.accepted) == 1


async def test_load_and_content_are_told_apart(both: Both) -> None:
    both.api.faults.append("busy")
    step, _ = await both.team.gets(Action.DRAW, DRAW)
    assert (step.state, len(both.api.accepted)) == (StepState.DONE, 1)
    refused, post = await both.team.gets(Action.DRAW, f"[moderation] {DRAW}")
    assert (refused.state, refused.charged) == (StepState.FAILED, Charged.NO)
    assert "content rules" in post.text
    assert refused.error == "provider.moderation_input"


async def test_a_budget_in_one_currency_refuses_what_is_paid_in_another(
    both: Both,
) -> None:
    team = both.team
    await team.says(
        Action.BUDGET, given={"workspace_month": "10"}, is_admin=True
    )
    refusal = await team.is_refused(Action.DRAW, DRAW)
    assert "$0.04" in refusal
    assert "¥10.00" in refusal
    assert not both.api.accepted
    drawn, _ = await team.gets(Action.DRAW, "a fox")
    assert drawn.state is StepState.DONE
    await team.says(
        Action.BUDGET, given={"workspace_month": "10 USD"}, is_admin=True
    )
    paid, _ = await team.gets(Action.DRAW, DRAW)
    assert paid.cost == dollars("0.04")


async def test_a_budget_in_a_currency_nobody_can_spend_is_refused_when_it_is_set(
    tmp_path: Path,
) -> None:
    providers = {**PROVIDERS, "images": images_kind(None)}
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(config, tmp_path / "team", providers=providers) as team:
        assert "USD" in team.easel.context.catalog.currencies
        for action in (Action.BUDGET, Action.SETTINGS):
            for amount in ("5 USD", "5 XYZ", "5 usd"):
                given = {"person_day": amount}
                with pytest.raises(
                    Rejected, match=r"budget\.unknown_currency"
                ) as refusal:
                    await team.says(action, given=given, is_admin=True)
                assert refusal.value.params["allowed"] == ["CNY"]
        drawn, _ = await team.gets(Action.DRAW, "a fox")
        assert drawn.state is StepState.DONE


async def test_a_step_whose_account_was_taken_away_ends_with_words(
    tmp_path: Path,
) -> None:
    config, folder = (
        SimulatorConfig(time_scale=0.01, seed=3),
        tmp_path / "team",
    )
    chat = MemoryChat()
    async with serve_images() as api:
        api.faults.extend(["busy"] * 100)
        providers = {**PROVIDERS, "images": images_kind(api.url)}
        async with team_on(
            config, folder, chat=chat, providers=providers
        ) as team:
            answer = await team.asks(Action.DRAW, DRAW)
            job = answer.accepted or ""
            while len(api.faults) == 100:
                await asyncio.sleep(0.01)
    providers["images"] = images_kind(None)
    async with team_on(config, folder, chat=chat, providers=providers) as team:
        post = await chat.end_of(job)
        step = await team.step(job)
    assert (step.state, step.error) == (StepState.FAILED, "provider.access")
    assert step.charged is Charged.NO
    assert "Nothing was charged." in post.text


async def test_a_model_added_by_a_table_is_drawn_with_in_the_demo(
    tmp_path: Path,
) -> None:
    tables = """
        [models."qwen-image-4.0"]
        like = "qwen-image-3.0"
        [models."qwen-image-4.0-fast"]
        like = "qwen-image-4.0"
        endpoint = "multimodal"
        sync = true
    """
    kind = ProviderKind(
        catalog=lambda: catalog_text() + tables, open=open_dashscope
    )
    chat, config = MemoryChat(), SimulatorConfig(time_scale=0.01)
    async with open_easel(
        settings.load(EASEL_DATA_DIR=tmp_path / "demo"),
        lambda _: {"memory": chat},
        simulator=config,
        providers={"dashscope": kind},
    ) as easel:
        assert easel.simulated
        for model in ("qwen-image-4.0", "qwen-image-4.0-fast"):
            words = f"a fox --model {model}"
            incoming = events.command(
                Action.DRAW, words, key=model, place=PLACE, person="ana"
            )
            meaning = await easel.service.understand(incoming)
            assert meaning
            answer = await easel.service.answer(meaning)
            post = await chat.end_of(answer.accepted or "")
            assert (post.tone, len(post.pictures)) == (Tone.RESULT, 1)
            assert model in post.text
