"""A wrong clock of our own is measured by the service's, and told."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from adapters.web.app import create_app
from adapters.web.health import Health
from adapters.web.metrics import Metrics
from bot import doctor, settings, wiring
from bot.clock import WallClock
from bot.simulator.server import SimulatorConfig
from core.operations import Action
from core.types import StepState
from tests.integration.test_flow import Team, team_on


class WrongClock(WallClock):
    """It is off by so much."""

    off = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off


async def readiness(team: Team) -> httpx.Response:
    easel = team.easel
    metrics = Metrics(easel.context, easel.engine.count_deliveries)
    health = Health(easel.context, {}, metrics)
    transport = httpx.ASGITransport(create_app(health.routes(), []))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://t"
    ) as http:
        return await http.get("/readyz")


@pytest.mark.parametrize(
    ("seconds", "is_told", "status"),
    [(0, False, 200), (-295, True, 200), (295, True, 200), (-360, True, 503)],
)
async def test_a_wrong_clock_is_told_by_doctor_and_readiness(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    is_told: bool,
    status: int,
) -> None:
    monkeypatch.setattr(WrongClock, "off", timedelta(seconds=seconds))
    monkeypatch.setattr(wiring, "WallClock", WrongClock)
    monkeypatch.setattr(doctor, "WallClock", WrongClock)
    config = SimulatorConfig(time_scale=0.01)
    async with team_on(config, tmp_path) as team:
        step, _ = await team.gets(Action.DRAW, "a fox")
        assert step.state is StepState.DONE
        answer = await readiness(team)
        assert answer.status_code == status
        assert ("clock" in answer.json()) is is_told
        chosen = settings.load(
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=team.simulator.url,
        )
        findings = await doctor._examine(chosen)
    (clock,) = [finding for finding in findings if finding.name == "clock"]
    assert clock.ok is not is_told
