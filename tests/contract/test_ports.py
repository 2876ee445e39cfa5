"""The contract suites exercise every member of every port; an unused member holds no promise.

The suites' own tests are run once more, on one implementation, and what they call is noted. (The
chats' suite proves more: a chat broken in any member fails it.)
"""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.clock import WallClock
from bot.providers import http_client
from bot.simulator.server import SimulatorConfig, serve
from core import ports
from core.ports import Clock
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.claims import Claims
from core.storage.drafts import DraftStore
from core.storage.people import PeopleStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from tests.contract import (
    test_audit,
    test_blob_sweep,
    test_blobs,
    test_claims,
    test_growth,
    test_people,
    test_provider,
    test_reactions,
    test_store,
)
from tests.contract.test_provider import dashscope_stand, photo

SUITES = (
    test_people,
    test_reactions,
    test_claims,
    test_audit,
    test_store,
    test_growth,
)
Called = defaultdict[str, set[str]]


class Noting:
    """The object, noting which of its members are asked for."""

    def __init__(self, inner: Any, called: set[str]) -> None:
        self._inner = inner
        self._called = called

    def __getattr__(self, name: str) -> Any:
        self._called.add(name)
        return getattr(self._inner, name)


def members(port: type) -> set[str]:
    """What the port promises."""
    names = {*vars(port), *port.__annotations__}
    return {name for name in names if not name.startswith("_")}


def suite_tests(
    suite: ModuleType, fixtures: set[str]
) -> list[Callable[..., Any]]:
    """The suite's tests that need nothing but these."""
    return [
        test
        for name, test in vars(suite).items()
        if name.startswith("test_")
        and inspect.iscoroutinefunction(test)
        and not hasattr(test, "pytestmark")
        and set(inspect.signature(test).parameters) <= fixtures
    ]


async def run(test: Callable[..., Any], fixtures: Mapping[str, Any]) -> None:
    needed = inspect.signature(test).parameters
    await test(**{name: fixtures[name] for name in needed})


async def test_every_member_of_the_ports_of_the_database_is_exercised(
    tmp_path: Path,
) -> None:
    called: Called = defaultdict(set)
    template = tmp_path / "template.db"
    await database.migrate(f"sqlite:///{template}")
    names = {"store", "engine", "claims", "reactions", "drafts", "people"}
    tests = [test for suite in SUITES for test in suite_tests(suite, names)]
    assert len(tests) > 40
    of_database = (
        ports.Store,
        ports.Claims,
        ports.Reactions,
        ports.Drafts,
        ports.People,
    )
    for number, test in enumerate(tests):
        if all(members(port) <= called[port.__name__] for port in of_database):
            break
        file = tmp_path / f"{number}.db"
        file.write_bytes(template.read_bytes())
        engine = database.open_async(f"sqlite:///{file}")
        fixtures = {
            "engine": engine,
            "store": Noting(Store(engine), called["Store"]),
            "claims": Noting(
                Claims(engine, "one", ["test"]), called["Claims"]
            ),
            "reactions": Noting(ReactionStore(engine), called["Reactions"]),
            "drafts": Noting(DraftStore(engine), called["Drafts"]),
            "people": Noting(PeopleStore(engine), called["People"]),
        }
        try:
            await run(test, fixtures)
        finally:
            await engine.dispose()
    for port in of_database:
        assert members(port) - called[port.__name__] == set()


async def test_every_member_of_a_place_for_blobs_is_exercised(
    tmp_path: Path,
) -> None:
    called: set[str] = set()
    blobs = Noting(open_blobs((tmp_path / "blobs").as_uri()), called)
    tests = suite_tests(test_blobs, {"blobs"})
    tests += suite_tests(test_blob_sweep, {"blobs"})
    for test in tests:
        await run(test, {"blobs": blobs})
    assert members(ports.Blobs) - called == set()


async def test_every_member_of_a_provider_is_exercised(tmp_path: Path) -> None:
    called: set[str] = set()
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    models = ("qwen-image-plus", "wan2.5-i2i-preview")
    config = SimulatorConfig(time_scale=0.01, seed=5)
    for test in suite_tests(test_provider, {"stand"}):
        if not inspect.iscoroutinefunction(test):
            continue
        if members(ports.Provider) <= called:
            break
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(http_client())
            simulator = await stack.enter_async_context(serve(config))
            picture = await photo(blobs)
            stand = dashscope_stand(
                stack, simulator, client, blobs, picture, models
            )

            def connect(
                *address: Any, connect: Any = stand.connect, **key: Any
            ) -> Any:
                return Noting(connect(*address, **key), called)

            await run(test, {"stand": replace(stand, connect=connect)})
    assert members(ports.Provider) - called == set()


async def test_a_clock_tells_the_time_and_sleeps_until_it_is_woken() -> None:
    clock: Clock = WallClock()
    began = clock.now()
    assert began.tzinfo is UTC
    assert abs((datetime.now(UTC) - began).total_seconds()) < 5
    await clock.sleep(0.05)
    assert (clock.now() - began).total_seconds() >= 0.05
    sleeping = asyncio.ensure_future(clock.sleep(1000))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert members(Clock) == {"now", "sleep"}


def test_every_port_is_looked_at_here_or_in_the_suite_of_the_chats() -> None:
    looked_at = {
        "Blobs",
        "Chat",
        "Claims",
        "Clock",
        "Drafts",
        "People",
        "Provider",
        "Reactions",
        "Store",
    }
    found = {
        name
        for name, port in vars(ports).items()
        if inspect.isclass(port)
        and getattr(port, "_is_protocol", False)
        and port.__module__.startswith(ports.__name__)
    }
    assert found == looked_at
