"""What Prometheus reads: each figure moves by what happened, and holds no word of anybody's."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from bot.simulator.server import SimulatorConfig
from core.flow import deliver
from core.log import log
from core.types import StepId, Tenant
from tests.fakes.house import House, open_house

PROMTOOL = shutil.which("promtool")
NEEDS_PROMTOOL = pytest.mark.skipif(
    PROMTOOL is None, reason="needs promtool: apt-get install prometheus"
)
OPERATIONS = Path(__file__).parents[2] / "deploy" / "prometheus"


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(
        tmp_path / "house", SimulatorConfig(time_scale=0.01, seed=3)
    ) as opened:
        yield opened


async def text_of(house: House) -> str:
    return (await house.http.get("/metrics")).text


def total(text: str, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_a_job_and_a_refusal_are_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.health.FRESH", 0.0)
    ana = await house.enters("Ana")
    await ana.says("/draw a secret fox --size 512*512")
    await ana.waits_for("result")
    refused = await ana.asks("/room/say", text="/draw a fox --model nonsense")
    assert refused.status_code == 422
    text = ""
    while not total(text, "easel_jobs_finished_total", outcome="delivered"):
        await asyncio.sleep(0.05)
        text = await text_of(house)
    assert total(text, "easel_jobs_accepted_total", platform="web") == 1
    reason = "catalog.model_unknown"
    assert total(text, "easel_requests_refused_total", reason=reason) == 1
    assert total(text, "easel_wait_seconds_count") == 1
    assert total(text, "easel_spend_total", currency="CNY") > 0
    assert total(text, "easel_delivery_lag_seconds_count") == 1
    assert total(text, "easel_inbox_deliveries") == 0
    assert total(text, "easel_oldest_step_age_seconds") == 0
    assert total(text, "easel_loop_lag_seconds") < 30
    assert "secret" not in text


async def test_results_that_wait_are_all_shown_when_they_are_tried_again(
    house: House,
) -> None:
    ana = await house.enters("Ana")
    context = house.easel.context
    tenant = Tenant("web:room")
    for name in ("fox", "owl"):
        await ana.says(f"/draw a {name} --size 512*512")
        await ana.waits_for("result", name)
    drawn = [step.id for step in await context.store.recent(tenant, "ana", 9)]
    assert len(drawn) == 2
    for id in drawn:
        await context.store.note_failed_delivery(tenant, StepId(id))
    await deliver.retry_deliveries(context)
    assert await context.store.failed_deliveries() == []


def test_a_watcher_that_breaks_ends_no_work() -> None:
    def watch(event: str, facts: object) -> None:
        raise KeyError(event)

    with log.watched_by(watch):
        log.info("accepted", step="x")


async def test_what_waits_has_an_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.health.FRESH", 0.0)
    slow = SimulatorConfig(time_scale=1, seed=3)
    async with open_house(tmp_path / "house", slow) as house:
        ana = await house.enters("Ana")
        await ana.says("/draw a fox --size 512*512")
        while not total(await text_of(house), "easel_oldest_step_age_seconds"):
            await asyncio.sleep(0.05)


def test_events_below_the_level_of_the_log_are_counted_too() -> None:
    heard = []
    with log.watched_by(lambda event, facts: heard.append((event, facts))):
        log.debug("accepted", step="x")
    log.debug("accepted", step="y")
    assert heard == [("accepted", {"step": "x"})]


async def test_alerts_and_the_board_ask_for_what_there_is(
    house: House,
) -> None:
    families = text_string_to_metric_families(await text_of(house))
    known: set[str] = set()
    for family in families:
        suffixes = ("", "_total", "_bucket", "_count", "_sum")
        known |= {family.name + suffix for suffix in suffixes}
    for path in (
        OPERATIONS / "alerts.yaml",
        OPERATIONS.parent / "grafana" / "dashboards" / "easel.json",
    ):
        asked = set(
            re.findall(r"\b(?:easel|process)_[a-z_]+", path.read_text())
        )
        assert len(asked) >= 8
        assert asked - known == set(), path.name


@NEEDS_PROMTOOL
async def test_promtool_likes_the_names(house: House) -> None:
    assert PROMTOOL
    checked = await asyncio.to_thread(
        subprocess.run,
        [PROMTOOL, "check", "metrics"],
        input=await text_of(house),
        text=True,
        capture_output=True,
        check=False,
    )
    complaints = re.findall(r"easel_.*", checked.stdout + checked.stderr)
    assert complaints == []
