"""The picture of a history: what it costs, what it says, and its thumbnails."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.server import SimulatorConfig
from core.answers import edit_tree, reactions
from core.errors import NotFound
from core.flow.context import Context
from core.languages import languages
from core.operations import Action
from core.types import Picture, StepId
from tests.bench import history
from tests.fakes import events, trees
from tests.fakes.steps import PLACE
from tests.integration.test_flow import team_on

TENANT = PLACE.tenant


@pytest_asyncio.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    async with history.open_context(tmp_path) as opened:
        yield opened


async def picture_of(context: Context, name: str) -> Picture:
    return (await context.store.step(TENANT, StepId(name))).outputs[0]


def test_ten_times_the_pictures_cost_far_less_than_ten_times_as_much() -> None:
    """The page stays as large, however deep or wide, and its pictures get smaller."""
    few = history.measure_history(trees.deep_and_wide, 20, 64)
    many = history.measure_history(trees.deep_and_wide, 200, 64)
    assert max(cost.megabytes for cost in many) < 100
    assert many[1].seconds < 4 * few[1].seconds


def test_two_large_pictures_are_compared_without_holding_them_whole() -> None:
    assert history.measure_comparison(4096).megabytes < 2 * 4096**2 * 4 / 2**20


async def test_thumbnails_are_made_once(
    context: Context, tmp_path: Path
) -> None:
    await history.fill(tmp_path, trees.branchy(3), 64)
    before = await context.blobs.keys(TENANT)
    first = await edit_tree.history(context, history.request())
    kept = await context.blobs.keys(TENANT)
    assert len(kept) == len(before) + 3
    second = await edit_tree.history(context, history.request())
    assert await context.blobs.keys(TENANT) == kept
    assert second.pictures == first.pictures


async def test_a_thumbnail_that_is_missing_is_made_again(
    context: Context, tmp_path: Path
) -> None:
    await history.fill(tmp_path, trees.chain(2), 64)
    first = await edit_tree.history(context, history.request())
    lost = (await picture_of(context, "s0")).thumbnail
    assert lost
    await context.blobs.delete(TENANT, lost)
    assert (
        await edit_tree.history(context, history.request())
    ).pictures == first.pictures
    assert await context.blobs.read(TENANT, lost)


async def test_a_deleted_picture_leaves_no_thumbnail_and_is_drawn_as_removed(
    context: Context, tmp_path: Path
) -> None:
    await history.fill(tmp_path, trees.chain(3), 64)
    await edit_tree.history(context, history.request())
    gone = await picture_of(context, "s1")
    await reactions.delete(
        context,
        replace(history.request(), action=Action.DELETE, target=StepId("s1")),
    )
    for key in (gone.key, gone.thumbnail):
        assert key
        with pytest.raises(NotFound):
            await context.blobs.read(TENANT, key)
    post = await edit_tree.history(context, history.request())
    assert [line.split(" ")[0] for line in post.text.split("\n")] == [
        "v1",
        "v2",
        "v3",
    ]
    assert "v2 · removed" in post.text
    assert [entry.step for entry in post.menu] == ["s0", "s2"]
    assert len(await context.blobs.keys(TENANT)) == 4


async def test_a_workspace_that_leaves_takes_its_thumbnails_along(
    tmp_path: Path,
) -> None:
    async with team_on(SimulatorConfig(time_scale=0.01), tmp_path) as team:
        blobs = team.easel.context.blobs
        fox, _ = await team.gets(Action.DRAW, "a fox")
        await team.says(Action.HISTORY)
        assert len(await blobs.keys(fox.tenant)) == 2
        await team.easel.service.receive(events.goodbye("left", fox.place))
        async with asyncio.timeout(60):
            while await blobs.keys(fox.tenant):
                await asyncio.sleep(0.05)


async def test_what_the_picture_leaves_out_is_said_in_every_language(
    context: Context, tmp_path: Path
) -> None:
    await history.fill(tmp_path, trees.drawings(203), 16)
    said = {}
    for locale in languages():
        post = await edit_tree.history(
            context, replace(history.request(), locale=locale)
        )
        said[locale] = post.title
        assert post.title.split(" · ")[1] in post.pictures[0].alt
    assert said == {
        "en": "History · 200 newest of 203",
        "zh-CN": "历史版本 · 203 张中最新的 200 张",
        "zh-TW": "版本紀錄 · 203 張中最新的 200 張",
        "id": "Riwayat · 200 terbaru dari 203",
    }
