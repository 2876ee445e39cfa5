"""Pauses between tries grow and vary; the server's own delay takes precedence."""

import asyncio
import contextlib
import io

import pytest
import stamina
from stamina.instrumentation import get_on_retry_hooks

from core.retrying import retrying


class Pauses:
    """What was slept, instead of sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        monkeypatch.setattr(stamina._core, "_smart_sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    return Pauses(monkeypatch)


def is_away(error: Exception) -> bool:
    return isinstance(error, OSError)


def is_missing(error: Exception) -> bool:
    return isinstance(error, KeyError)


async def refuse() -> None:
    raise ConnectionError("sk-secret")


async def test_pauses_double_up_to_the_longest_and_no_further(
    pauses: Pauses,
) -> None:
    with pytest.raises(ConnectionError):
        await retrying(is_away, first=1.0, longest=10.0, attempts=6)(refuse)
    least = [1, 2, 4, 8, 10]
    assert len(pauses.seconds) == len(least)
    for pause, at_least in zip(pauses.seconds, least, strict=True):
        assert at_least <= pause <= min(at_least + 1, 10)


async def test_two_who_wait_for_the_same_do_not_come_back_together(
    pauses: Pauses,
) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await retrying(is_away, first=1.0, attempts=2)(refuse)
    one, other = pauses.seconds
    assert one != other


async def test_the_seconds_a_server_asks_for_go_before_our_own(
    pauses: Pauses,
) -> None:
    with pytest.raises(ConnectionError):
        await retrying(lambda _: 17.5, first=1.0, attempts=2)(refuse)
    assert pauses.seconds == [17.5]


async def test_any_other_error_is_raised_at_once(pauses: Pauses) -> None:
    with pytest.raises(ConnectionError):
        await retrying(is_missing, first=1.0)(refuse)
    assert pauses.seconds == []


async def test_a_pause_can_be_cancelled() -> None:
    waiting = asyncio.create_task(retrying(is_away, first=1000.0)(refuse))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_is_cancelled_in_the_middle_of_a_try_ends() -> None:
    tries = 0

    async def hang() -> None:
        nonlocal tries
        tries += 1
        await asyncio.sleep(1000)

    working = asyncio.create_task(retrying(lambda _: True, first=0.0)(hang))
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert tries == 1


async def test_the_text_of_an_error_is_not_logged() -> None:
    written = io.StringIO()
    with (
        contextlib.redirect_stdout(written),
        contextlib.redirect_stderr(written),
        pytest.raises(ConnectionError),
    ):
        await retrying(is_away, first=0.0, attempts=2)(refuse)
    assert written.getvalue() == ""
    assert get_on_retry_hooks() == ()
