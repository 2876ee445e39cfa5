"""What the adapters remember is bounded, and the least used is forgotten first."""

from typing import Any

import pytest

from adapters.discord import channels
from adapters.slack import users
from core.types import Place


class Api:
    """Answers every call and counts them by what they asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def get(
        self, _workspace: str, _method: str, *, user: str, **_: str
    ) -> Any:
        self.calls.append(user)
        return {"user": {"name": user, "team_id": "T1"}}

    async def call(self, _method: str, path: str, ids: dict[str, str]) -> Any:
        self.calls.append(path.format(**ids))
        return {"type": 0}


async def test_a_full_memory_of_people_forgets_only_who_was_not_asked_for_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(users, "CACHE_SIZE", 2)
    api = Api()
    people = users.UserDirectory(api)  # type: ignore[arg-type]
    for person in ("ana", "bo", "ana", "cy", "ana"):
        profile = await people.find("T1", person)
        assert profile is not None
        assert profile.name == person
    assert api.calls == ["ana", "bo", "cy"]


async def test_a_full_memory_of_channels_forgets_only_the_one_not_asked_for_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "CACHE_SIZE", 2)
    api = Api()
    directory = channels.ChannelDirectory(api)  # type: ignore[arg-type]
    for channel in ("1", "2", "1", "3", "1"):
        place = Place(platform="discord", workspace="9", channel=channel)
        assert not await directory.is_restricted(place)
    assert api.calls == ["/channels/1", "/channels/2", "/channels/3"]
