"""Which of Discord's errors are worth another try, and which doors stay shut."""

import time
from typing import Any

import discord
import pytest

from adapters.discord import api as apis
from adapters.discord.api import Api, DiscordError, Upload

FOR_GOOD = {
    400: (20028, 40005, 40060, 40094, 50035, 50083, 160002, 160005, 200000),
    401: (50027,),
    403: (20016, 50001, 50005, 50007, 50013, 50278, 110000),
    404: (10003, 10008, 10014, 10015, 10062),
    413: (0, 40005),
}
PASSING = [
    (0, 0),
    (0, 401),
    (0, 403),
    (0, 404),
    (0, 429),
    (30046, 429),
    (0, 500),
    (0, 502),
    (0, 503),
    (130000, 503),
    (130000, 400),
    (40062, 400),
]


@pytest.mark.parametrize(
    ("code", "status"),
    [(code, status) for status, codes in FOR_GOOD.items() for code in codes],
)
def test_what_discord_refuses_is_not_asked_for_again(
    code: int, status: int
) -> None:
    assert DiscordError(code, status).permanent


@pytest.mark.parametrize(("code", "status"), PASSING)
def test_what_passes_is_asked_for_again(code: int, status: int) -> None:
    assert not DiscordError(code, status).permanent


async def test_a_closed_channel_is_left_alone_for_a_while_and_many_refusals_stop_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api("http://127.0.0.1:9/api/v10", "token")
    asked: list[str] = []

    async def refuse(route: Any, **_: Any) -> None:
        asked.append(route.method)
        api._invalid.append(time.monotonic())
        raise discord.Forbidden(_Answer(), {"code": 50013, "message": ""})  # type: ignore[arg-type]

    monkeypatch.setattr(api._client.http, "request", refuse)
    for _ in range(5):
        with pytest.raises(DiscordError):
            await api.call(
                "POST",
                "/channels/{channel_id}/messages",
                {"channel_id": "1"},
                {},
            )
    assert asked == ["POST"]
    api.forget_closed_channels()
    for number in range(2 * apis.MAX_INVALID):
        with pytest.raises(DiscordError):
            await api.call(
                "POST",
                "/channels/{channel_id}/messages",
                {"channel_id": str(number + 1)},
                {},
            )
    assert len(asked) == apis.MAX_INVALID
    with pytest.raises(DiscordError) as stopped:
        await api.call("GET", "/users/@me")
    assert not stopped.value.permanent


@pytest.mark.parametrize(
    ("code", "method", "files"),
    [(50007, "POST", True), (50278, "POST", False), (50001, "GET", False)],
)
async def test_nobody_makes_us_ask_again_and_again_for_what_is_closed(
    monkeypatch: pytest.MonkeyPatch, code: int, method: str, files: bool
) -> None:
    api = Api("http://127.0.0.1:9/api/v10", "token")
    asked: list[str] = []

    async def refuse(route: Any, **_: Any) -> None:
        asked.append(route.method)
        raise discord.Forbidden(_Answer(), {"code": code, "message": ""})  # type: ignore[arg-type]

    monkeypatch.setattr(api._client.http, "request", refuse)
    uploads = [Upload(name="a.png", alt="", data=b"")] if files else []
    for _ in range(5):
        with pytest.raises(DiscordError) as refused:
            await api.call(
                method,
                "/channels/{channel_id}/messages",
                {"channel_id": "1"},
                {},
                uploads,
            )
        assert (refused.value.code, refused.value.permanent) == (code, True)
    assert asked == [method]
    with pytest.raises(DiscordError):
        await api.call(
            "PATCH" if method == "GET" else "GET",
            "/channels/{channel_id}",
            {"channel_id": "1"},
        )
    assert len(asked) == 2


class _Answer:
    """As much of an HTTP answer as discord.py's errors look at."""

    status, reason = 403, "Forbidden"
