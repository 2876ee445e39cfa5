"""Every benchmark runs, in a tiny size, and those with a goal reach it."""

from pathlib import Path

from core.catalog import Catalog
from core.providers.dashscope import catalog_text
from tests.bench import makespan, pictures, watcher


async def test_jobs_are_timed_against_the_bound_of_their_account(tmp_path: Path) -> None:
    await makespan.measure(jobs=3, scale=0.02, folder=tmp_path)


async def test_a_tasks_end_is_timed() -> None:
    await watcher.measure("2 running", [("qwen-image-plus", 2)], Catalog.load(catalog_text()), scale=0.02)


def test_a_small_photo_is_timed() -> None:
    pictures.main(side=400, runs=2)
