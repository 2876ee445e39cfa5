"""What nothing refers to goes after a week; what anything refers to stays."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.room_references import room_references
from core.budgets import Caps
from core.ports import Blobs
from core.storage.blob_sweep import UNREFERRED_LIFE, BlobSweep
from core.storage.blobs import open_blobs
from core.storage.drafts import DraftStore
from core.storage.store import Store
from core.types import Picture
from tests.fakes.steps import NOW, PLACE, step, yuan

TENANT = PLACE.tenant
SECOND = timedelta(seconds=1)
LATER = datetime.now(UTC) + UNREFERRED_LIFE + timedelta(hours=1)


async def stored(blobs: Blobs, content: bytes) -> Picture:
    key = await blobs.keep(TENANT, content)
    return Picture(
        key=key, width=8, height=8, media_type="image/png", length=1
    )


async def test_only_what_nothing_refers_to_is_swept(
    engine: AsyncEngine, store: Store, tmp_path: Path
) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    given, mask, made, thumbnail, drafted = [
        await stored(blobs, content)
        for content in (b"given", b"mask", b"made", b"thumbnail", b"drafted")
    ]
    lost = await stored(blobs, b"refused upload")
    begun = await store.begin(step(inputs=(given,), mask=mask), Caps(), NOW)
    await store.intend(TENANT, begun.id, NOW)
    outcome = {"made": [{"key": drafted.key}]}
    await store.record_task(TENANT, begun.id, None, "r", outcome, NOW)
    sweep = BlobSweep(engine, blobs)
    waiting = await stored(blobs, b"in a draft")
    request = {"attachments": [{"key": waiting.key}]}
    await DraftStore(engine).save(TENANT, "d", request, NOW)
    assert await sweep.sweep(LATER, dry_run=True) == 3
    await store.record_results(begun, [made], yuan("0.2"), 1.0, NOW)
    await store.record_thumbnail(TENANT, made.key, thumbnail.key)
    assert await sweep.sweep(LATER - UNREFERRED_LIFE) == 0
    # The outcome of a step that is made is done with.
    assert await sweep.sweep(LATER, dry_run=True) == 1
    assert await sweep.sweep(LATER) == 1
    assert lost.key not in await blobs.keys(TENANT)
    assert len(await blobs.keys(TENANT)) == 6
    assert await sweep.sweep(LATER) == 0


async def test_what_the_room_shows_is_referred_to(tmp_path: Path) -> None:
    references = room_references(tmp_path)
    assert await references() == set()


async def test_a_blob_kept_again_is_young_again(blobs: Blobs) -> None:
    key = await blobs.keep("w7", b"x")
    now = datetime.now(UTC)
    assert await blobs.older_keys("w7", now - timedelta(minutes=1)) == []
    assert await blobs.older_keys("w7", now + timedelta(minutes=1)) == [key]


async def test_a_folders_blob_is_as_old_as_it_was_last_kept(
    tmp_path: Path,
) -> None:
    blobs = open_blobs(tmp_path.as_uri())
    key = await blobs.keep("w", b"x")
    os.utime(next(tmp_path.rglob(key)), (0, 0))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert await blobs.older_keys("w", yesterday) == [key]
    await blobs.keep("w", b"x")
    assert await blobs.older_keys("w", yesterday) == []


@pytest.mark.parametrize("is_running", [True, False])
async def test_what_a_running_job_was_made_of_goes_when_it_has_ended(
    store: Store, *, is_running: bool
) -> None:
    made = Picture(
        key="a" * 64, width=8, height=8, media_type="image/png", length=1
    )
    parent = await store.begin(step("one"), Caps(), NOW)
    await store.intend(TENANT, "one", NOW)
    await store.record_task(TENANT, "one", "t", "r", None, NOW)
    await store.record_results(parent, [made], yuan("0.2"), 1.0, NOW)
    await store.finish(TENANT, "one")
    await store.begin(step("two", parent="one", inputs=(made,)), Caps(), NOW)
    if not is_running:
        await store.request_cancel(TENANT, "two", NOW)
        await store.close_step(TENANT, "two")
    keys = await store.delete_step(TENANT, "one", NOW)
    await store.forget_outputs(TENANT, "one")
    assert (keys == []) is is_running
    assert await store.leftovers() == []
    if is_running:
        assert len((await store.step(TENANT, "two")).inputs) == 1
        await store.request_cancel(TENANT, "two", NOW)
        await store.close_step(TENANT, "two")
        assert await store.leftovers() == [(TENANT, "one")]
        assert await store.delete_step(TENANT, "one", NOW) == [made.key]
