"""Fixtures for every test: a simulator, photos, and nothing of the developer's own environment."""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
import structlog

from bot.simulator.server import Running, SimulatorConfig, serve
from core.storage import database
from tests.fakes.postgres import stop_postgres
from tests.fakes.templates import Templates

SAMPLES = Path(__file__).parent / "samples"
PHOTOS = SAMPLES / "photos"
LONGEST_FIRST = (
    "e2e/test_kill.py",
    "e2e/test_same.py",
    "e2e",
    "integration",
    "contract",
    "unit",
)
"""Files and folders by how long their tests take: what is begun last must not keep one process busy
alone."""

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile(
    "nightly", max_examples=500, deadline=None
)


# Every client loads the certificates of all authorities; on loopback none is needed.
os.environ["SSL_CERT_FILE"] = str(SAMPLES / "authority.pem")
# Looking for garbage among all that pytest and the tests hold takes a tenth of the time.
gc.set_threshold(50_000)


def set_up_plain_logs() -> None:
    """As they are by default, but for tracebacks: Rich takes longer than what it reports."""
    *others, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*others, renderer])


set_up_plain_logs()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nightly",
        action="store_true",
        help="run the long versions too (tests/README.md)",
    )


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile(
        "nightly" if config.getoption("--nightly") else "quick"
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is only for the night; put the longest first, modules as they are."""
    if not config.getoption("--nightly"):
        tonight = [
            item for item in items if item.get_closest_marker("nightly")
        ]
        config.hook.pytest_deselected(items=tonight)
        items[:] = [item for item in items if item not in tonight]
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    return next(
        (
            at
            for at, start in enumerate(LONGEST_FIRST)
            if path.startswith(start)
        ),
        len(LONGEST_FIRST),
    )


@pytest.fixture(scope="session")
def is_nightly(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for the long version of a test."""
    return bool(request.config.getoption("--nightly"))


@pytest.fixture(scope="session", autouse=True)
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new database is copied: fourteen migrations take longer than all else of a start."""
    templates = Templates(folder=tmp_path_factory.mktemp("templates"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_migrate", templates.migrate)
        yield


@pytest.fixture(scope="session", autouse=True)
def _postgres() -> Iterator[None]:
    """What needs a PostgreSQL starts it; it is stopped here."""
    yield
    stop_postgres()


@pytest.fixture(scope="session")
def _nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests run that need no folder: making one for each takes longer than most of them."""
    return tmp_path_factory.mktemp("nowhere")


@pytest.fixture(autouse=True)
def _clean_environment(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _nowhere: Path,
) -> None:
    """No key, setting or .env of the developer reaches a test."""
    for name in list(os.environ):
        if name.startswith(
            ("EASEL_", "DASHSCOPE_", "SLACK_", "DISCORD_", "FAILPOINTS")
        ):
            monkeypatch.delenv(name)
    folder = _nowhere
    if "tmp_path" in request.fixturenames:
        folder = request.getfixturevalue("tmp_path")
    monkeypatch.setenv("EASEL_DATA_DIR", str(folder / "data"))
    monkeypatch.chdir(folder)


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[Running]:
    """A quick simulator in this loop: tasks take 50 to 150 ms."""
    async with serve(SimulatorConfig(time_scale=0.01, seed=7)) as running:
        yield running


@pytest.fixture
def photo() -> bytes:
    """A real photograph, 600 × 400, PNG."""
    return (PHOTOS / "coffee.png").read_bytes()
