"""What goes wrong with Discord: lost answers, closed places, a gateway that comes and goes."""

import asyncio
import itertools
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from PIL import Image

from adapters.discord import api as apis
from adapters.discord import completion, responses
from bot.run import Running
from core.flow import deliver
from core.flow.context import Context
from core.types import Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import (
    ATTACH_FILES,
    MANAGE_GUILD,
    MIB,
    ORDINARY,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    Channel,
    Event,
    Fault,
    Guild,
    Message,
    User,
)
from tests.fakes.discord.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(kw_only=True)
class Place:
    """A guild and a channel of the test's own, in a house that many tests share."""

    fake: Discord
    bot: Running
    guild: Guild
    channel: Channel
    ana: User
    bo: User

    async def draws(
        self, person: User, words: str, **options: object
    ) -> Message:
        """Draw, and wait for the result."""
        await self.fake.command(
            person, "draw", {"prompt": words, **options}, channel=self.channel
        )
        return await self.result(words)

    async def result(
        self, words: str, channel: Channel | None = None
    ) -> Message:
        """The message that shows it."""
        return await self.fake.sees(
            words, channel=channel or self.channel, button="Edit", files=1
        )

    async def steps(self, person: User, workspace: str = "") -> list[Step]:
        """What a person made, oldest first."""
        tenant = f"discord:{workspace or self.guild.id}"
        return (
            await self.bot.easel.context.store.recent(
                Tenant(tenant), person.id, 50
            )
        )[::-1]

    def ours(self, channel: Channel | None = None) -> list[Message]:
        """Everything of ours that stands in a channel, whoever may see it."""
        where, us = (channel or self.channel).id, self.fake.world.bot.id
        return [
            one
            for one in self.fake.world.messages
            if one.author == us and one.channel == where and not one.deleted
        ]

    async def rest(self) -> None:
        """Wait until no job is at work and no "thinking…" is left."""
        async with asyncio.timeout(60):
            while await self.bot.easel.context.store.open_steps():
                await asyncio.sleep(0.02)
        await self.fake.until(
            lambda: not [one for one in self.ours() if one.is_loading]
        )

    def calls(self, route: str) -> int:
        """How often a route was called."""
        return len(
            [call for call in self.fake.world.calls if call.route == route]
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Discord, Running]]:
    folder = tmp_path_factory.mktemp("discord")
    defaults = Context.__init__.__kwdefaults__ or {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(defaults, "back_off", 0.05)
        async with (
            discord(World(content_granted=True)) as fake,
            easel_in(fake, folder / "data") as bot,
        ):
            yield fake, bot


@pytest_asyncio.fixture(loop_scope="module")
async def place(house: tuple[Discord, Running]) -> AsyncIterator[Place]:
    fake, bot = house
    guild, channel = fake.join()
    ana = fake.person("Ana", guild=guild, permissions=ORDINARY | MANAGE_GUILD)
    yield Place(
        fake=fake,
        bot=bot,
        guild=guild,
        channel=channel,
        ana=ana,
        bo=fake.person("Bo", guild=guild),
    )
    left = [
        f"{name}: {len(some)}"
        for name, some in fake.world.faults.items()
        if some
    ]
    for one in (
        fake.world.faults,
        fake.world.calls,
        fake.world.invalid_requests,
    ):
        one.clear()
    assert not left, left
    assert not fake.world.violations, fake.world.violations
    assert fake.world.pings == []


# Answers that get lost

POSTS = [
    Fault(retry_after=0.1),
    Fault(retry_after=0.1, via=False),
    Fault(retry_after=0.1, is_global=True),
    Fault(retry_after=0.1, scope="shared"),
    Fault(retry_after=120),
    Fault(status=503),
    Fault(status=503, code=130000),
    Fault(status=502, effect=True),
    Fault(status=503, effect=True),
    Fault(drop=True),
    Fault(effect=True, drop=True),
    Fault(reset=True),
    Fault(effect=True, reset=True),
    Fault(page=True),
]
CHANGES = [
    Fault(retry_after=0.1),
    Fault(retry_after=0.1, code=30046),
    Fault(retry_after=0.1, via=False),
    Fault(status=503),
    Fault(effect=True, drop=True),
    Fault(effect=True, reset=True),
    Fault(status=503, effect=True),
    Fault(page=True),
]
ANSWERS = [
    Fault(status=503),
    Fault(drop=True),
    Fault(reset=True),
    Fault(effect=True, reset=True),
    Fault(status=400, code=40060, effect=True),
    Fault(page=True),
]
READS = [
    Fault(status=503),
    Fault(drop=True),
    Fault(retry_after=0.1),
    Fault(page=True),
]
ENDS = [Fault(status=503), Fault(effect=True, drop=True)]


@pytest.mark.parametrize("at", range(len(POSTS)))
async def test_one_result_whatever_answers_are_lost(
    place: Place, at: int
) -> None:
    """Every call of a job meets with a fault, once."""
    fake, ana = place.fake, place.ana
    kinds = {
        "create_message": POSTS,
        "update_message": CHANGES,
        "create_interaction_response": ANSWERS,
        "get_message": READS,
        "get_channel": READS,
        "get_guild": READS,
        "delete_original_webhook_message": ENDS,
    }
    for route, faults in kinds.items():
        fake.world.faults[route].append(faults[at % len(faults)])
    asked = await fake.command(
        ana, "draw", {"prompt": "a fox"}, channel=place.channel
    )
    assert not asked.refused
    await place.result("a fox")
    await place.rest()
    assert [len(one.files) for one in place.ours()] == [1]
    assert len(await place.steps(ana)) == 1
    assert len(fake.world.invalid_requests) <= 6


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(retry_after=1)])
async def test_a_file_that_does_not_come_yet_is_waited_for_in_one_message(
    place: Place, fault: Fault
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["cdn"].extend([fault] * 4)
    fake.says(
        ana,
        f"{fake.mention} make it night",
        place.channel,
        files=[PHOTOS / "coffee.png"],
    )
    told = await fake.sees(
        "still waiting for Discord", channel=place.channel, button="Cancel"
    )
    result = await place.result("make it night")
    await place.rest()
    assert told is result
    assert len(await place.steps(ana)) == len(place.ours()) == 1


async def test_a_request_is_cancelled_while_its_file_does_not_come(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["cdn"].extend([Fault(status=503)] * 50)
    fake.says(
        ana,
        f"{fake.mention} make it night",
        place.channel,
        files=[PHOTOS / "coffee.png"],
    )
    told = await fake.sees(
        "still waiting for Discord", channel=place.channel, button="Cancel"
    )
    await fake.presses(ana, told, "Cancel")
    await fake.until(lambda: "Cancelled" in told.words)
    await asyncio.sleep(0.3)
    fake.world.faults["cdn"].clear()
    assert not told.buttons
    assert await place.steps(ana) == []


# Acknowledgements that come too late (10062), tokens that have ended


async def test_an_acknowledgement_that_came_too_late_still_leads_to_the_result(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["create_interaction_response"].append(
        Fault(status=404, code=10062)
    )
    fake.world.patience = 0.5
    try:
        asked = await fake.command(
            ana, "draw", {"prompt": "a fox"}, channel=place.channel
        )
    finally:
        fake.world.patience = 3.0
    assert asked.error
    await place.result("a fox")
    await place.rest()
    assert [len(one.files) for one in place.ours()] == [1]


async def test_an_answer_whose_token_has_ended_comes_as_a_direct_message(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["update_original_webhook_message"].append(
        Fault(status=401, code=50027)
    )
    await fake.command(
        ana, "easel show", {"id": "nothing"}, channel=place.channel
    )
    await fake.sees("nothing", channel=fake.direct(ana))
    assert len(fake.world.invalid_requests) <= 2


async def test_after_fifteen_minutes_no_token_is_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    # A whole day over: other tests of this house let Discord's clock run ahead of ours.
    monkeypatch.setattr(responses, "ALIVE", timedelta(days=-1))
    await fake.command(ana, "draw", {"prompt": "a fox"}, channel=place.channel)
    await place.result("a fox")
    await fake.command(
        ana, "easel show", {"id": "nothing"}, channel=place.channel
    )
    await fake.sees("nothing", channel=fake.direct(ana))
    assert (
        place.calls("update_original_webhook_message")
        == place.calls("delete_original_webhook_message")
        == 0
    )
    assert fake.world.invalid_requests == []


async def test_a_job_of_more_than_fifteen_minutes_is_shown_all_the_same(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["create_message"].append(Fault(seconds=0.3))
    await fake.command(ana, "draw", {"prompt": "a fox"}, channel=place.channel)
    fake.world.forward(901)
    await place.result("a fox")
    assert len(fake.world.invalid_requests) <= 1


async def test_where_the_answer_is_the_one_voice_and_ends_the_result_comes_directly(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    guild, elsewhere = fake.join("Elsewhere", installed=False)
    fake.world.join(ana, guild)
    fake.world.faults["update_original_webhook_message"].append(
        Fault(seconds=0.3)
    )
    await fake.command(ana, "draw", {"prompt": "a fox"}, channel=elsewhere)
    fake.world.forward(901)
    await place.result("a fox", fake.direct(ana))
    assert len(fake.world.invalid_requests) <= 8


# Closed places

CLOSED = [
    (403, 50001),
    (404, 10003),
    (400, 160005),
    (400, 200000),
    (400, 50035),
]
UNCHANGEABLE = [
    (404, 10008),
    (403, 50013),
    (400, 50083),
    (404, 10003),
    (400, 99999),
]


@pytest.mark.parametrize(("status", "code"), CLOSED)
async def test_a_place_that_takes_no_message_sends_the_result_to_its_person(
    place: Place, status: int, code: int
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["create_message"].append(Fault(status=status, code=code))
    asked = await fake.command(
        ana, "draw", {"prompt": "a fox"}, channel=place.channel
    )
    await place.result("a fox", fake.direct(ana))
    await place.rest()
    assert "may not post in that channel" in (await fake.reply(asked)).words
    assert not [one for one in place.ours() if one.files]
    assert place.calls("create_message") == 2
    assert len(fake.world.invalid_requests) <= 1


@pytest.mark.parametrize(("status", "code"), UNCHANGEABLE)
async def test_a_message_that_takes_no_change_sends_the_result_to_its_person(
    place: Place, status: int, code: int
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["update_message"].extend(
        [Fault(status=status, code=code)] * 3
    )
    await fake.command(ana, "draw", {"prompt": "a fox"}, channel=place.channel)
    await place.result("a fox", fake.direct(ana))
    await place.rest()
    fake.world.faults.clear()
    # The lines of progress count, too, of which a busy machine has time for more.
    assert place.calls("update_message") <= 6
    assert len(fake.world.invalid_requests) <= 3


async def test_a_channel_that_closes_costs_few_requests_however_many_ask(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    # The gateway has not told us yet.
    place.channel.denied = SEND_MESSAGES
    for at in range(5):
        fake.says(ana, f"{fake.mention} draw fox {at}", place.channel)
    for at in range(5):
        await place.result(f"fox {at}", fake.direct(ana))
    await place.rest()
    assert len(fake.world.invalid_requests) <= 5
    assert not [one for one in place.ours() if not one.only_for]


async def test_where_channel_and_direct_messages_are_closed_the_answer_shows_the_result(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    ana.closed = True
    fake.world.faults["create_message"].append(Fault(status=403, code=50013))
    asked = await fake.command(
        ana, "draw", {"prompt": "a fox"}, channel=place.channel
    )
    await fake.until(
        lambda: (
            asked.original
            and asked.original.files
            and "a fox" in asked.original.words
        )
    )
    assert asked.original
    assert asked.original.only_for == ana.id
    assert len(fake.world.invalid_requests) <= 4


@pytest.mark.parametrize("code", [50007, 50278])
async def test_where_nothing_can_be_said_the_result_is_kept(
    place: Place, code: int
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["create_message"].extend(
        [Fault(status=403, code=50013), Fault(status=403, code=code)]
    )
    place.channel.denied, ana.closed = SEND_MESSAGES, True
    fake.says(ana, f"{fake.mention} draw a fox", place.channel)
    await fake.until(lambda: place.calls("create_message") >= 2)
    await place.rest()
    assert len(fake.world.invalid_requests) <= 8
    assert not place.ours()
    place.channel.denied, ana.closed = 0, False
    made = await place.steps(ana)
    assert [step.prompt for step in made] == ["a fox"]
    other = fake.channel("other", guild=place.guild)
    await fake.command(ana, "easel show", {"id": made[0].id}, channel=other)
    await fake.sees("a fox", channel=other, files=1)


async def test_pictures_that_may_not_be_attached_go_to_their_person(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    # The gateway has not told us yet.
    place.channel.denied = ATTACH_FILES
    fake.says(ana, f"{fake.mention} draw a fox", place.channel)
    await place.result("a fox", fake.direct(ana))
    status = await fake.sees(
        "I may not attach pictures here", channel=place.channel
    )
    assert "a fox" in status.words
    assert not status.buttons


async def test_where_neither_takes_the_picture_both_are_said_and_it_comes_later(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    # The gateway has not told us yet.
    place.channel.denied, ana.closed = ATTACH_FILES, True
    fake.says(ana, f"{fake.mention} draw a fox", place.channel)
    status = await fake.sees(
        "your direct messages are closed", channel=place.channel
    )
    assert "in a direct message" not in status.words
    assert not status.buttons
    place.channel.denied = 0
    step = (await place.steps(ana))[0]
    await fake.command(
        ana, "easel show", {"id": step.id}, channel=place.channel
    )
    await place.result("a fox")


async def test_without_the_channels_history_results_are_shown_without_a_reply(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    place.channel.denied = READ_MESSAGE_HISTORY
    fake.says(
        ana,
        f"{fake.mention} make it night",
        place.channel,
        files=[PHOTOS / "coffee.png"],
    )
    result = await place.result("make it night")
    assert result.reference is None
    await place.draws(ana, "a fox")
    assert not [one for one in place.ours(fake.direct(ana)) if one.files]


async def test_many_refusals_close_the_way_to_discord_for_a_while(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    with monkeypatch.context() as patch:
        patch.setattr(apis, "MAX_INVALID", 0)
        fake.says(ana, f"{fake.mention} draw a fox", place.channel)
        await asyncio.sleep(0.3)
        assert fake.world.calls == []
    await place.result("a fox")


@pytest.mark.parametrize(
    "gone", ["message", "channel", "thread", "locked thread"]
)
async def test_what_is_gone_in_the_middle_sends_the_result_to_its_person(
    place: Place, gone: str
) -> None:
    fake, ana = place.fake, place.ana
    where = place.channel
    if "thread" in gone:
        where = fake.thread(ana, await place.draws(ana, "a harbour"))
    fake.world.faults["update_message"].append(Fault(seconds=0.4))
    fake.says(
        ana,
        f"{fake.mention} make it night",
        where,
        files=[PHOTOS / "coffee.png"],
    )
    status = await fake.sees("make it night", channel=where)
    if gone == "message":
        fake.deletes(status)
    elif gone == "locked thread":
        fake.archive(where, locked=True)
    else:
        fake.deletes_channel(where)
    await place.result("make it night", fake.direct(ana))
    async with asyncio.timeout(60):
        while await place.bot.easel.context.store.open_steps():
            await asyncio.sleep(0.02)
    assert len([one for one in place.ours(fake.direct(ana)) if one.files]) == 1


async def test_words_in_an_archived_thread_open_it_and_a_locked_one_stays_shut(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    thread = fake.thread(ana, await place.draws(ana, "a harbour"))
    fake.archive(thread)
    fake.says(ana, "in winter", thread)
    winter = await place.result("in winter", thread)
    fake.archive(thread, locked=True)
    fake.says(ana, "with ships", thread, reply_to=winter)
    await place.result("with ships", fake.direct(ana))


# Removed from a guild


async def test_words_in_a_thread_that_discord_does_not_describe_yet_are_not_lost(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    thread = fake.thread(ana, await place.draws(ana, "a fox"))
    fake.says(ana, "make it night", thread)
    await place.result("make it night", thread)
    # As after a start: the client does not know the thread any more.
    fake.posting.publish_channel("THREAD_DELETE", thread)
    fake.world.faults["get_channel"].append(Fault(status=503))
    fake.says(ana, "make it rainy", thread)
    await place.result("make it rainy", thread)


async def test_a_guild_that_removed_us_is_forgotten_and_nothing_comes_back(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    context, tenant = place.bot.easel.context, f"discord:{place.guild.id}"
    for _ in range(2):
        await place.draws(ana, "a fox")
        assert await context.blobs.keys(tenant)
        await fake.command(
            ana, "draw", {"prompt": "a heron"}, channel=place.channel
        )
        fake.kick(place.guild)
        said = fake.says(ana, f"{fake.mention} draw a late fox", place.channel)
        async with asyncio.timeout(60):
            while await context.blobs.keys(tenant) or await place.steps(ana):
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        assert await place.steps(ana) == []
        assert await context.blobs.keys(tenant) == []
        assert not [
            one for one in place.ours(fake.direct(ana)) if "late" in one.words
        ]
        fake.deletes(said)
        for one in place.ours():
            one.deleted = True
        # Invited again, it begins anew, and is forgotten anew.
        fake.world.forward(10)
        _invite(fake, place.guild)


def _invite(fake: Discord, guild: Guild) -> None:
    guild.installed = True
    fake.outage(guild, over=True)


async def test_removed_in_the_middle_of_a_job_nothing_is_posted_and_nothing_kept(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fake.world.faults["create_message"].append(Fault(seconds=0.2))
    asked = asyncio.create_task(
        fake.command(ana, "draw", {"prompt": "a fox"}, channel=place.channel)
    )
    await asyncio.sleep(0.05)
    fake.kick(place.guild)
    await asked
    async with asyncio.timeout(60):
        while await place.bot.easel.context.blobs.keys(
            f"discord:{place.guild.id}"
        ) or await place.steps(ana):
            await asyncio.sleep(0.05)
    assert not [one for one in place.ours() if one.files]
    assert len(fake.world.invalid_requests) <= 6
    fake.world.faults.clear()


# Duplicates and order


async def test_events_told_four_times_are_done_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    publish = fake.world.publish
    monkeypatch.setattr(
        fake.world, "publish", lambda event: [publish(event) for _ in range(4)]
    )
    result = await place.draws(ana, "a fox")
    fake.says(
        bo,
        f"{fake.mention} make it night",
        place.channel,
        files=[PHOTOS / "coffee.png"],
    )
    night = await place.result("make it night")
    fake.says(bo, "add a hat", place.channel, reply_to=night)
    await place.result("add a hat")
    opened = await fake.presses(ana, result, "Edit")
    await fake.submits(ana, opened, {"prompt": "in winter"})
    winter = await place.result("in winter")
    fake.reacts(bo, winter, "⭐")
    await fake.until(lambda: "⭐ 1" in winter.words)
    await fake.presses(ana, winter, "Undo")
    await fake.sees("Now at v1", channel=place.channel)
    fake.reacts(bo, result, "🔁")
    await fake.until(
        lambda: (
            len(
                [
                    one
                    for one in place.ours()
                    if "a fox" in one.words and one.files
                ]
            )
            == 3
        )
    )
    await asyncio.sleep(0.3)
    await place.rest()
    assert len(await place.steps(ana)) == 2
    assert len(await place.steps(bo)) == 3
    assert len([one for one in place.ours() if "Now at v1" in one.words]) == 1


async def test_events_in_any_order_end_the_same_way(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    broken: list[str] = []
    from adapters.discord import gateway  # noqa: PLC0415

    monkeypatch.setattr(gateway.log, "exception", broken.append, raising=False)
    for at, order in enumerate(itertools.permutations(range(4))):
        if at % 8 != 5:
            continue
        result = await place.draws(ana, f"fox {at}", n=2)
        held: list[Event] = []
        with monkeypatch.context() as patch:
            patch.setattr(fake.world, "publish", held.append)
            fake.reacts(bo, result, "2️⃣")
            fake.reacts(bo, result, "⭐")
            fake.says(bo, f"night {at}", place.channel, reply_to=result)
            fake.interacting.press(
                ana, result, result.buttons["2"], [], place.channel
            )
        assert len(held) == 4
        for number in order:
            fake.world.publish(held[number])
        await place.result(f"night {at}")
        await fake.until(
            lambda: (
                "picture 2 has 1" in result.words and "⭐ 1" in result.words
            )
        )
        await fake.until(
            lambda: fake.world.interactions[held[3].data["id"]].ack_type
        )
    await place.rest()
    assert broken == []
    assert len(await place.steps(bo)) == 3


# Files too large


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> int:
    """Every result is a picture of more than 11 MiB; its bytes."""
    luck = random.Random(1)
    image = Image.frombytes(
        "RGB", (1900, 2050), luck.randbytes(1900 * 2050 * 3)
    )
    made = BytesIO()
    image.save(made, "PNG", compress_level=0)

    async def fetched(*_: object) -> bytes:
        return made.getvalue()

    monkeypatch.setattr(deliver, "_download", fetched)
    assert 11 * MIB < len(made.getvalue()) < 12 * MIB
    return len(made.getvalue())


@pytest.mark.parametrize(
    ("tier", "request_mib", "most"),
    [(0, 25, 10 * MIB), (2, 25, 50 * MIB), (2, 11, 10 * MIB // 4)],
)
@pytest.mark.usefixtures("noise")
async def test_a_result_too_large_is_made_smaller_for_the_chat(
    place: Place, tier: int, request_mib: int, most: int
) -> None:
    fake = place.fake
    place.guild.premium_tier = tier
    fake.world.request_limit = request_mib * MIB
    try:
        result = await place.draws(place.ana, "a fox")
    finally:
        fake.world.request_limit = 25 * MIB
    await place.rest()
    is_whole = tier == 2 and request_mib == 25
    assert (len(result.files[0]) > 11 * MIB) == is_whole
    assert len(result.files[0]) <= most
    assert result.attachments[0].filename.endswith(
        ".png" if is_whole else ".jpg"
    )
    assert len([one for one in place.ours() if one.files]) == 1


# Files from strange places, links that have ended

STRANGE = [
    "http://127.0.0.1:9/attachments/1/2/x.png",
    "https://cdn.discordapp.com@evil.example/attachments/1/2/x.png",
    "https://evil.example\\@cdn.discordapp.com/attachments/1/2/x.png",
    "https://cdn.discordapp.com.evil.example/x.png",
    "https://cdn.discordapp.com%2eevil.example/x.png",
    "https://cdn。discordapp。com/x.png",
    "http://cdn.discordapp.com/x.png",
    "https://cdn.discordapp.com:8443/x.png",
    "https://2130706433/x.png",
    "https://0x7f.0.0.1/x.png",
    "https://[::ffff:127.0.0.1]/x.png",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
]


@pytest_asyncio.fixture(loop_scope="module")
async def honeypot() -> AsyncIterator[tuple[str, list[str]]]:
    """A stranger's server: where it is, and what was asked of it."""
    seen: list[str] = []

    async def asked(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(
            body=(PHOTOS / "coffee.png").read_bytes(), content_type="image/png"
        )

    app = web.Application()
    app.router.add_get("/{tail:.*}", asked)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_strange_addresses_are_never_fetched(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    direct = fake.direct(ana)

    def count_refusals() -> int:
        return sum(
            "must not fetch" in message.words for message in place.ours(direct)
        )

    for at, url in enumerate(STRANGE, 1):
        with monkeypatch.context() as patch:
            patch.setattr(fake.world, "link", lambda _: url)
            fake.says(
                ana,
                f"{fake.mention} make it night",
                place.channel,
                files=[PHOTOS / "coffee.png"],
            )
        await fake.until(lambda: count_refusals() == at)
    assert await place.steps(ana) == []


async def test_a_strangers_server_is_asked_for_nothing(
    place: Place, honeypot: tuple[str, list[str]]
) -> None:
    fake, ana = place.fake, place.ana
    url, seen = honeypot
    embed = {
        "type": "image",
        "image": {
            "url": url,
            "proxy_url": f"{url}/x.png",
            "width": 8,
            "height": 8,
        },
    }
    fake.says(
        ana, f"{fake.mention} make it night", place.channel, embeds=[embed]
    )
    await fake.sees("must not fetch", channel=fake.direct(ana))
    pointed = fake.says(place.bo, "look", place.channel, embeds=[embed])
    opened = await fake.context_menu(ana, "Edit this image", pointed)
    submitted = await fake.submits(ana, opened, {"prompt": "as a lion"})
    assert "must not fetch" in (await fake.reply(submitted)).words
    assert seen == []


# Pictures that are not attached


def hosted(place: Place, name: str) -> str:
    """The address of a photo on Discord's own host, as somebody posted it."""
    data = (PHOTOS / name).read_bytes()
    file = place.fake.world.attach(name, data, place.channel.id)
    return place.fake.world.link(file)


def picture_embed(address: str) -> dict[str, object]:
    image = {"url": "https://example.com/a.png", "proxy_url": address}
    return {"type": "image", "url": image["url"], "thumbnail": image}


async def last_edit(place: Place) -> tuple[str, tuple[int, int]]:
    """The prompt, and the size of the picture that was edited."""
    step = (await place.steps(place.ana))[-1]
    return step.prompt, (step.inputs[0].width, step.inputs[0].height)


async def test_a_link_in_the_words_is_the_picture_when_discord_shows_it_later(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a fox")
    words = f"{fake.mention} make it night https://example.com/a.png"
    said = fake.says(ana, words, place.channel)
    await asyncio.sleep(0.2)
    fake.unfurls(said, [picture_embed(hosted(place, "coffee.png"))])
    await place.result("make it night")
    await place.rest()
    assert await last_edit(place) == ("make it night", (600, 400))


async def test_a_link_to_a_file_on_discord_is_the_picture(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a fox")
    address = hosted(place, "coffee.png")
    fake.says(ana, f"{fake.mention} {address} make it night", place.channel)
    await place.result("make it night")
    await place.rest()
    assert await last_edit(place) == ("make it night", (600, 400))


async def test_a_link_that_shows_nothing_is_refused_and_nothing_else_is_edited(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "EMBED_LOOKS", (0.05, 0.05))
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a fox")
    words = f"{fake.mention} make it night https://example.com/a.png?x=1"
    fake.says(ana, words, place.channel)
    await fake.sees("example.com", channel=fake.direct(ana))
    assert len(await place.steps(ana)) == 1


async def test_a_link_to_a_page_stays_a_word(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "EMBED_LOOKS", (0.3,))
    fake, ana = place.fake, place.ana
    words = "draw a poster for https://example.com/shop"
    said = fake.says(ana, f"{fake.mention} {words}", place.channel)
    address = hosted(place, "coffee.png")
    fake.unfurls(said, [{**picture_embed(address), "type": "link"}])
    await place.result("a poster for")
    await place.rest()
    (step,) = await place.steps(ana)
    assert step.prompt == words.removeprefix("draw ")
    assert not step.inputs


async def test_a_gallery_of_another_app_is_seen_by_the_menu_and_by_a_reply(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    address = hosted(place, "coffee.png")
    media = {"url": address, "proxy_url": address, "content_type": "image/png"}
    gallery = {"type": 12, "items": [{"media": media}]}
    shown = {"type": 17, "components": [gallery]}
    pointed = fake.says(place.bo, "", place.channel, components=[shown])
    opened = await fake.context_menu(ana, "Edit this image", pointed)
    await fake.submits(ana, opened, {"prompt": "as a lion"})
    await place.result("as a lion")
    fake.says(ana, f"{fake.mention} make it night", reply_to=pointed)
    await place.result("make it night")
    await place.rest()
    assert await last_edit(place) == ("make it night", (600, 400))


async def test_a_link_that_has_ended_is_renewed_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    held: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(fake.world, "publish", held.append)
        fake.world.forward(-2 * 86_400)
        fake.says(
            ana,
            f"{fake.mention} make it night",
            place.channel,
            files=[PHOTOS / "coffee.png"],
        )
        fake.world.forward(2 * 86_400)
    fake.world.publish(held[0])
    await place.result("make it night")
    asked = [
        call.parameters["message_id"]
        for call in fake.world.calls
        if call.route == "get_message"
    ]
    assert asked.count(held[0].data["id"]) == 1


async def test_a_file_that_is_gone_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    monkeypatch.setattr(fake.world, "ephemeral_life", -1.0)
    files: dict[str, Path | bytes] = {"picture1": PHOTOS / "coffee.png"}
    asked = await fake.command(
        ana,
        "edit",
        {"instruction": "make it night"},
        channel=place.channel,
        files=files,
    )
    assert "no longer has that file" in (await fake.reply(asked)).words
    said = fake.says(
        ana, "my cat", place.channel, files=[PHOTOS / "chelsea.png"]
    )
    opened = await fake.context_menu(ana, "Edit this image", said)
    fake.world.attachments.clear()
    submitted = await fake.submits(ana, opened, {"prompt": "as a lion"})
    assert "no longer has that file" in (await fake.reply(submitted)).words
    assert await place.steps(ana) == []


async def test_where_a_photo_was_taken_is_in_nothing_we_keep_or_post(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    made = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "CANARY-DESCRIPTION"
    exif.get_ifd(0x8825)[29] = "CANARY-GPS"
    with Image.open(PHOTOS / "rocket.jpg") as photo:
        photo.save(made, "JPEG", exif=exif, comment=b"CANARY-COMMENT")
    assert made.getvalue().count(b"CANARY") == 3
    fake.says(
        ana,
        f"{fake.mention} make it night",
        place.channel,
        files={"CANARY.jpg": made.getvalue()},
    )
    result = await place.result("make it night")
    context, tenant = place.bot.easel.context, f"discord:{place.guild.id}"
    kept = [
        await context.blobs.read(tenant, key)
        for key in await context.blobs.keys(tenant)
    ]
    assert len(kept) >= 2
    assert not [data for data in (*kept, *result.files) if b"CANARY" in data]


# Words

HOSTILE = [
    "fox @everyone @here <@&1> <@1> <#1> </draw:1> <:x:1> <t:1>",
    "fox [bank](https://evil.example) <https://evil.example|https://bank.example> https://evil.example",
    "fox &lt;!channel&gt;",
    "fox ``` fence ``` `tick` *bold* _under_ ~~gone~~ ||spoiler|| \\",
    "fox \u202egnp.exe\u202c \u2066x\u2069 @\u200beveryone",
    "fox {0.__class__} %s%n ${jndi:ldap://x} {{7*7}} { $secret }",
    "fox '); DROP TABLE steps;--",
    'fox %_% "a* NEAR( $.x',
    "fox\n# heading\n> quote\n- list\n1. one\n-# small\nINFO admin login",
    "fox z" + "\u0301" * 5000 + "algo",
    "fox \x1b[2J\x00\x07",
    "fox " + "*" * 2000,
    "fox " + "[](<>)`_~|" * 70,
    "畫一隻狐狸" * 120,
    "fox " + "🦊👩‍👩‍👧‍👦" * 100,
]


async def test_words_ping_nobody_lead_nowhere_and_break_nothing(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    place.guild.nicks[ana.id] = "@everyone [x](https://evil.example)"
    tricky = f"<@{bo.id}> @everyone"
    for at, text in enumerate([*HOSTILE, f"fox {tricky}"]):
        if at % 2:
            fake.says(ana, f"{fake.mention} draw {text}", place.channel)
        else:
            await fake.command(
                bo, "draw", {"prompt": text}, channel=place.channel
            )
    await fake.until(
        lambda: len([one for one in place.ours() if one.files]) >= 10, 60
    )
    await place.rest()
    written = [
        call.body
        for call in fake.world.calls
        if isinstance(call.body, dict) and "content" in call.body
    ]
    assert len(written) >= 20
    for body in written:
        _is_inert(str(body["content"]))
        assert body["allowed_mentions"] == {"parse": [], "replied_user": False}
        for one in body.get("attachments") or ():
            assert len(one["description"]) <= 1024
    made = [*await place.steps(ana), *await place.steps(bo)]
    assert [step for step in made if "DROP TABLE" in step.prompt]
    bold = [
        one.content.partition("\n")[0] for one in place.ours() if one.files
    ]
    assert all(one.startswith("**") for one in bold)


def _is_inert(content: str) -> None:
    assert 0 < len(content) <= 2000
    assert not re.search(r"(?<!\\)(?:\\\\)*[<\[`|~]", content), content
    assert not re.search(r"(?<!\\)://|@(?!\u200b)", content), content
    assert not re.search(r"^\s*(?:[#>]|-|\d+\.\s)", content, re.MULTILINE), (
        content
    )
    assert not set(content) & set("\u202e\u202c\u2066\u2069\x1b\x00\x07"), (
        content
    )
    assert len(re.findall("\u0301", content)) <= 6


@pytest.mark.parametrize(
    "text",
    [
        "   ",
        "a" * 6000,
        "cat --n 99",
        "cat --model dall-e",
        "cat —n 2 --nope 1",
    ],
)
async def test_words_nothing_can_be_drawn_from_are_refused_and_nothing_is_begun(
    place: Place, text: str
) -> None:
    fake, bo = place.fake, place.bo
    asked = await fake.command(
        bo, "draw", {"prompt": text}, channel=place.channel
    )
    if asked.modal is None:
        refusal = await fake.reply(asked)
        assert refusal.only_for == bo.id
        assert refusal.words
        assert "{???}" not in refusal.words
    assert await place.steps(bo) == []


# Options that no choice offers


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("draw", {"prompt": "a fox", "n": 7}),
        ("draw", {"prompt": "a fox", "n": -1}),
        ("draw", {"prompt": "a fox", "n": "1e9"}),
        ("draw", {"prompt": "a fox", "n": 10**40}),
        ("draw", {"prompt": "a fox", "seed": 2**31}),
        ("draw", {"prompt": "a fox", "ar": "17:0"}),
        ("draw", {"prompt": "a fox", "size": "99999*99999"}),
        ("draw", {"prompt": "a fox", "model": "../x"}),
        ("draw", {"prompt": "a fox", "id": "x"}),
        ("draw", {"prompt": ["a", "fox"], "private": "perhaps"}),
        ("wanx inpaint", {"prompt": "tea", "mask": "everything"}),
        ("wanx upscale", {"scale": 9}),
        ("wanx expand", {"top": 99.5}),
        ("wanx style", {"prompt": "x", "strength": "NaN"}),
        ("wanx explode", {"prompt": "x"}),
        ("easel show", {"id": "../../x"}),
        ("easel pick", {"number": 99}),
        ("nothing", {}),
    ],
)
async def test_options_that_no_choice_offers_are_refused(
    place: Place, words: str, options: dict[str, object]
) -> None:
    fake, bo = place.fake, place.bo
    asked = await fake.command(bo, words, options, channel=place.channel)
    assert not asked.refused
    if asked.modal is None:
        refusal = await fake.reply(asked)
        assert refusal.only_for == bo.id
        assert not refusal.files
        assert "reference" not in refusal.words
    assert await place.steps(bo) == []


# Other people, other guilds


async def test_ids_of_another_guild_lead_nowhere(place: Place) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a secret fox", n=2)
    step = (await place.steps(ana))[0]
    guild, elsewhere = fake.join("Elsewhere")
    cy = fake.person("Cy", guild=guild, permissions=ORDINARY | MANAGE_GUILD)
    fake.world.join(ana, guild)
    there = fake.says(cy, "hello", elsewhere)
    for person in (cy, ana):
        for name in ("Edit", "Undo", "Again", "More", "Delete", "2"):
            what = next(
                one for label, one in result.buttons.items() if name in label
            )
            made = fake.interacting.press(person, there, what, [], elsewhere)
            await fake.until(
                lambda: made.original and not made.original.is_loading
            )
            assert made.original
            assert made.modal is None
            assert made.original.only_for == person.id
            assert not made.original.files
            assert "secret" not in made.original.words
        shown = await fake.reply(
            await fake.command(
                person, "easel show", {"id": step.id}, channel=elsewhere
            )
        )
        assert not shown.files
        assert await place.steps(person, guild.id) == []
    assert result.files
    assert not [one for one in place.ours(elsewhere) if one.files]


async def test_a_direct_message_speaks_for_its_own_person_and_guild_only(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    result = await place.draws(ana, "a fox")
    fake.reacts(ana, result, "✉️")
    copy = await fake.sees("a fox", channel=fake.direct(ana), files=1)
    what = next(one for label, one in copy.buttons.items() if "Again" in label)
    said = fake.says(bo, "help", fake.direct(bo))
    # The same button, in the direct messages of somebody else.
    made = fake.interacting.press(bo, said, what, [], fake.direct(bo))
    await fake.until(lambda: made.original and not made.original.is_loading)
    assert made.original
    assert not made.original.files
    # A reply to a message of another's direct channel.
    forged = fake.says(bo, "make it night", fake.direct(bo), reply_to=said)
    assert forged.reference
    await fake.sees("", channel=fake.direct(bo), after=forged)
    assert await place.steps(bo) == []
    assert len(await place.steps(ana)) == 1


async def test_a_form_asked_for_by_somebody_else_is_of_no_use(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    opened = await fake.command(ana, "draw", {"n": 2}, channel=place.channel)
    assert opened.modal
    stolen = await fake.submits(bo, opened, {"prompt": "a fox"})
    assert (await fake.reply(stolen)).only_for == bo.id
    settings = await fake.command(ana, "easel settings", channel=place.channel)
    page = next(name for name in settings.ephemeral[0].buttons if name)
    modal = await fake.presses(ana, settings.ephemeral[0], page)
    await fake.submits(bo, modal, {"n": "4"})
    # Whoever runs another guild, and no longer this one, changes nothing here.
    guild, elsewhere = fake.join("Elsewhere")
    fake.world.join(ana, guild, ORDINARY | MANAGE_GUILD)
    place.guild.permissions[ana.id] = ORDINARY
    modal.channel, modal.guild = elsewhere.id, guild.id
    refused = await fake.submits(ana, modal, {"n": "4"})
    assert (await fake.reply(refused)).only_for == ana.id
    assert "n" not in await place.bot.easel.context.store.settings(
        Tenant(f"discord:{place.guild.id}")
    )
    assert await place.steps(ana) == await place.steps(bo) == []


async def test_what_is_another_members_is_not_touched(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    fake.world.faults["update_message"].append(Fault(seconds=0.3))
    await fake.command(
        ana,
        "draw",
        {"prompt": "a fox", "model": "qwen-image-plus"},
        channel=place.channel,
    )
    status = await fake.sees("a fox", channel=place.channel)
    cancel = next(
        (one for label, one in status.buttons.items() if "Cancel" in label),
        None,
    )
    if cancel is not None:
        refused = fake.interacting.press(bo, status, cancel, [], place.channel)
        await fake.until(
            lambda: refused.original and not refused.original.is_loading
        )
    result = await place.result("a fox")
    for name in ("Delete", "🗑️"):
        refused = await fake.presses(bo, result, name)
        assert (await fake.reply(refused)).only_for == bo.id
    fake.reacts(bo, result, "❌")
    await fake.sees("Ana", channel=fake.direct(bo))
    secret = await fake.command(
        ana,
        "draw",
        {"prompt": "quiet", "private": True},
        channel=place.channel,
    )
    await place.result("quiet", fake.direct(ana))
    hidden = (await place.steps(ana))[-1]
    made = fake.interacting.press(
        bo,
        result,
        {**result.buttons["✏️ Edit"], "custom_id": f"e1:more:{hidden.id}:0"},
        [],
        place.channel,
    )
    await fake.until(lambda: made.original and not made.original.is_loading)
    assert made.original
    assert "quiet" not in made.original.words
    assert secret.original
    assert result.files


async def test_what_discord_cannot_say_to_be_for_all_is_for_adults(
    place: Place,
) -> None:
    """Nothing of an adult channel is shown openly because a look failed."""
    fake, ana = place.fake, place.ana
    adults = fake.channel("adults", nsfw=True)
    fake.world.faults["get_channel"] += [Fault(status=503)] * 60
    await fake.command(ana, "draw", {"prompt": "a statue"}, channel=adults)
    result = await fake.sees("a statue", channel=adults, files=1)
    assert result.attachments[0].filename.startswith("SPOILER_")
    fake.world.faults["get_channel"].clear()
