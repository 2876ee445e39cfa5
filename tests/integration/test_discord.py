"""People in Discord use Easel: the real discord.py talks to a Discord on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from bot.run import Running
from core.errors import DeliveryError, Rejected
from core.incoming import Incoming
from core.operations import Action
from core.types import Attachment, Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import (
    ATTACH_FILES,
    MANAGE_GUILD,
    ORDINARY,
    Fault,
    Interaction,
    Message,
    User,
)
from tests.fakes.discord.world import World

EPHEMERAL, THINKING, MODAL = 64, 5, 9


@dataclass(kw_only=True)
class Place:
    """A guild with Easel in it."""

    fake: Discord
    bot: Running
    ana: User
    bo: User

    async def steps(self, person: User, workspace: str = "") -> list[Step]:
        """What a person made, oldest first."""
        tenant = f"discord:{workspace or self.fake.guild.id}"
        return (
            await self.bot.easel.context.store.recent(
                Tenant(tenant), person.id, 20
            )
        )[::-1]

    async def draws(
        self, person: User, words: str, **options: object
    ) -> Message:
        """Draw, and wait for the result."""
        await self.fake.command(person, "draw", {"prompt": words, **options})
        return await self.fake.sees(
            words, button="Edit" if person is self.ana else "編輯", files=1
        )

    def ours(self) -> list[Message]:
        """Everything Easel said for all to see."""
        return [
            one
            for one in self.fake.world.seen_by(None, None)
            if one.author == self.fake.world.bot.id
        ]


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with (
        discord(World(content_granted=True)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana", permissions=ORDINARY | MANAGE_GUILD)
        yield Place(
            fake=fake, bot=bot, ana=ana, bo=fake.person("Bo", locale="zh-TW")
        )


def field(opened: Interaction, name: str) -> dict[str, object]:
    assert opened.modal
    found = [
        one["component"]
        for one in opened.modal["components"]
        if one["component"]["custom_id"] == name
    ]
    return found[0] if found else {}


async def test_a_newcomer_draws_edits_and_goes_back(place: Place) -> None:
    fake, ana = place.fake, place.ana
    asked = await fake.command(
        ana, "draw", {"prompt": "a red fox in the snow", "n": 2, "ar": "16:9"}
    )
    assert asked.ack_type == THINKING
    assert asked.ack_seconds < 1
    result = await fake.sees("a red fox", button="Edit", files=2)
    assert "Drawn by Ana" in result.words
    assert [one.description[:9] for one in result.attachments] == [
        "a red fox"
    ] * 2
    assert all(one.filename.endswith(".png") for one in result.attachments)
    assert asked.ephemeral == []

    fake.says(ana, "make it night", reply_to=result)
    night = await fake.sees("make it night", button="Undo", files=1)
    assert "v2" in night.words
    assert night.reference
    await fake.presses(ana, night, "More")
    more = await fake.sees("What would you like to do with v2", user=ana)
    assert more.only_for == ana.id

    await fake.command(ana, "edit", {"instruction": "give it a hat"})
    hat = await fake.sees("give it a hat", button="Undo", files=1)
    assert (await place.steps(ana))[-1].parent == (await place.steps(ana))[
        -2
    ].id
    await fake.presses(ana, hat, "Undo")
    back = await fake.sees("Now at v2", files=1)
    assert back.files == night.files
    assert fake.world.pings == []


async def test_an_edit_names_the_picture_it_works_on_before_anything_is_made(
    place: Place,
) -> None:
    result = await place.draws(place.ana, "a heron")
    place.fake.says(place.bo, "give it a hat", reply_to=result)
    await place.fake.sees("give it a hat", files=1)
    told = [
        call.body
        for call in place.fake.world.calls
        if call.route == "create_message"
    ]
    status = next(
        str(body["content"])
        for body in told
        if "give it a hat" in str(body["content"])
    )
    assert "v1" in status
    assert "Ana" in status


@pytest.mark.parametrize("copies", [1, 2])
async def test_a_mention_with_a_picture_is_one_job_with_the_picture(
    place: Place, copies: int
) -> None:
    fake, ana = place.fake, place.ana
    fake.duplicate_events = copies == 2
    said = fake.says(
        ana, f"{fake.mention} make it night", files=[PHOTOS / "coffee.png"]
    )
    result = await fake.sees("make it night", button="Edit", files=1)
    assert result.reference == {
        "type": 0,
        "message_id": said.id,
        "channel_id": said.channel,
        "guild_id": said.guild,
    }
    steps = await place.steps(ana)
    assert [
        (step.action, len(step.inputs), step.parent) for step in steps
    ] == [(Action.EDIT, 1, None)]
    assert steps[0].prompt == "make it night"


async def test_a_mention_that_replies_to_somebodys_picture_edits_that_picture(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await place.draws(ana, "a fox")
    cat = fake.says(bo, "my cat", files=[PHOTOS / "chelsea.png"])
    fake.says(ana, f"{fake.mention} as a lion", reply_to=cat)
    await fake.sees("as a lion", button="Edit", files=1)
    step = (await place.steps(ana))[-1]
    assert (step.parent, len(step.inputs)) == (None, 1)
    words = fake.says(bo, "no picture here")
    fake.says(ana, f"{fake.mention} as a tiger", reply_to=words)
    refusal = await fake.sees(
        "I see no picture in the message", channel=fake.direct(ana)
    )
    assert "Edit this image" in refusal.words
    assert len(await place.steps(ana)) == 2


async def test_a_forwarded_picture_is_edited(place: Place) -> None:
    fake, ana = place.fake, place.ana
    cat = fake.says(place.bo, "my cat", files=[PHOTOS / "chelsea.png"])
    forwarded = fake.forwards(ana, cat)
    opened = await fake.context_menu(ana, "Edit this image", forwarded)
    await fake.submits(ana, opened, {"prompt": "as a lion"})
    await fake.sees("as a lion", button="Edit", files=1)
    assert len((await place.steps(ana))[0].inputs) == 1


async def test_a_link_that_has_run_out_is_renewed_and_a_hiccup_is_no_lost_file(
    place: Place,
) -> None:
    fake, chat = place.fake, place.bot.easel.context.chats["discord"]
    cat = fake.says(place.ana, "my cat", files=[PHOTOS / "chelsea.png"])
    file = cat.attachments[0]
    old = fake.world.link(file).replace("?ex=", "?ex=1&was=")
    attachment = Attachment(
        ref=f"{cat.channel} {cat.id} {file.id} {old}", name=file.filename
    )
    assert (
        b"".join([chunk async for chunk in chat.fetch(attachment, 10**7)])
        == file.data
    )
    fake.world.faults["get_message"].extend([Fault(drop=True)] * 2)
    with pytest.raises(DeliveryError, match=r"discord\.file_failed"):
        [chunk async for chunk in chat.fetch(attachment, 10**7)]
    fake.world.messages.remove(cat)
    with pytest.raises(Rejected, match=r"discord\.file_gone"):
        [chunk async for chunk in chat.fetch(attachment, 10**7)]


async def test_a_direct_message_draws_and_edits(place: Place) -> None:
    fake, ana = place.fake, place.ana
    direct = fake.direct(ana)
    fake.says(ana, "draw a lighthouse", direct)
    await fake.sees("a lighthouse", channel=direct, button="Edit", files=1)
    fake.says(ana, "make it night", direct)
    night = await fake.sees(
        "make it night", channel=direct, button="Edit", files=1
    )
    await fake.presses(ana, night, "Undo")
    await fake.sees("Now at v1", channel=direct)
    fake.says(ana, "add two moons", direct, files=[PHOTOS / "rocket.jpg"])
    await fake.sees("add two moons", channel=direct, button="Edit", files=1)
    assert [
        len(step.inputs) for step in await place.steps(ana, f"@{direct.id}")
    ] == [
        0,
        1,
        1,
    ]


async def test_words_that_are_not_for_easel_are_left_alone(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    result = await place.draws(ana, "a fox")
    thread = fake.thread(bo, result)
    before = len(place.ours())
    good = fake.says(bo, "good morning")
    fake.says(ana, "nice weather", reply_to=good)
    fake.says(bo, "❤️ 👍", thread)
    fake.says(bo, f"<@{ana.id}> look at this", thread)
    fake.says(ana, "I agree", thread, reply_to=fake.says(bo, "😀", thread))
    edited = fake.says(bo, "🙂", thread)
    fake.edits(edited, "make it red")
    fake.says(bo, "make it blue", thread)
    blue = await fake.sees("make it blue", files=1)
    assert blue.channel == thread.id
    assert len(place.ours()) == before + 1


async def test_a_thread_of_ours_has_one_head_and_an_archived_one_is_opened_again(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    result = await place.draws(ana, "a harbour")
    thread = fake.thread(ana, result)
    fake.says(bo, "in winter", thread)
    winter = await fake.sees("in winter", channel=thread, files=1)
    fake.says(ana, "with ships", thread)
    await fake.sees("with ships", channel=thread, button="Edit", files=1)
    first, second = (await place.steps(bo))[0], (await place.steps(ana))[-1]
    assert second.parent == first.id
    fake.archive(thread)
    fake.reacts(bo, winter, "⭐")
    await fake.until(lambda: "⭐ 1" in winter.words)
    assert not thread.archived


async def test_a_command_without_words_opens_a_form_with_pictures_and_options(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    opened = await fake.command(ana, "edit")
    assert opened.ack_type == MODAL
    assert field(opened, "pictures")["type"] == 19
    assert field(opened, "prompt")["type"] == 4
    refused = await fake.reply(
        await fake.submits(ana, opened, {"prompt": "🦊"})
    )
    assert refused.only_for == ana.id
    brought_back = await fake.presses(ana, refused, "Change it")
    assert field(brought_back, "prompt")["value"] == "🦊"
    pictures = [PHOTOS / "coffee.png", PHOTOS / "chelsea.png"]
    await fake.submits(
        ana, opened, {"prompt": "put both on a table", "pictures": pictures}
    )
    await fake.sees("put both on a table", button="Edit", files=1)
    assert len((await place.steps(ana))[0].inputs) == 2


async def test_options_given_with_a_command_without_words_are_kept_by_its_form(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    opened = await fake.command(ana, "draw", {"seed": 7, "n": 2})
    await fake.submits(ana, opened, {"prompt": "a kite"})
    await fake.sees("a kite", button="Edit", files=2)
    step = (await place.steps(ana))[0]
    assert (step.seed, step.n) == (7, 2)


async def test_what_was_refused_comes_back_to_be_changed(place: Place) -> None:
    fake, ana = place.fake, place.ana
    refusal = await fake.reply(
        await fake.command(
            ana, "draw", {"prompt": "a long story", "ar": "99:1", "seed": 5}
        )
    )
    opened = await fake.presses(ana, refusal, "Change it")
    assert field(opened, "prompt")["value"] == "a long story"
    await fake.submits(ana, opened, {"ar": "16:9"})
    await fake.sees("a long story", button="Edit", files=1)
    step = (await place.steps(ana))[0]
    assert (step.seed, step.options.ratio) == (5, (16, 9))


async def test_every_wanx_function_has_its_own_typed_options(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    photo: dict[str, Path | bytes] = {"picture1": PHOTOS / "chelsea.png"}
    await fake.command(
        ana,
        "wanx style",
        {"prompt": "as a woodcut", "strength": 0.5},
        files=photo,
    )
    await fake.sees("as a woodcut", button="Edit", files=1)
    await fake.command(ana, "wanx upscale")
    larger = await fake.sees("Upscaled by Ana", button="Edit", files=1)
    assert "1540×1024" in larger.words
    await fake.command(
        ana, "wanx inpaint", {"prompt": "a hat", "mask": "top"}, files=photo
    )
    await fake.sees("a hat", button="Edit", files=1)
    painted = Image.new("L", (451, 300), 0)
    painted.paste(255, (0, 0, 451, 100))
    mask = BytesIO()
    painted.save(mask, "PNG")
    files = {**photo, "mask-picture": mask.getvalue()}
    await fake.command(ana, "edit", {"instruction": "a scarf"}, files=files)
    await fake.sees("a scarf", button="Edit", files=1)
    steps = await place.steps(ana)
    actions = [Action.STYLE, Action.UPSCALE, Action.INPAINT, Action.INPAINT]
    assert [step.action for step in steps] == actions
    assert steps[0].options.strength == 0.5
    assert steps[1].parent == steps[0].id


async def test_an_edit_without_a_picture_offers_a_form_that_keeps_the_words(
    place: Place,
) -> None:
    fake, bo = place.fake, place.bo
    asked = await fake.command(
        bo, "edit", {"instruction": "make it night", "n": 2}
    )
    offer = await fake.reply(asked)
    assert offer.only_for == bo.id
    opened = await fake.presses(bo, offer, next(iter(offer.buttons)))
    assert opened.ack_type == MODAL
    assert opened.modal
    assert opened.modal["title"] == "編輯"
    assert field(opened, "prompt")["value"] == "make it night"
    await fake.submits(bo, opened, {"pictures": [PHOTOS / "coffee.png"]})
    await fake.sees("make it night", files=2)


async def test_a_job_asked_for_without_a_mask_offers_regions(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    files = {"picture1": PHOTOS / "coffee.png"}
    asked = await fake.command(
        ana, "wanx inpaint", {"prompt": "tea"}, files=files
    )
    offer = await fake.reply(asked)
    await fake.presses(ana, offer, "Top half")
    await fake.sees("tea", button="Edit", files=1)
    assert (await place.steps(ana))[0].mask


async def test_wrong_options_are_refused_privately_in_the_persons_language(
    place: Place,
) -> None:
    fake, bo = place.fake, place.bo
    for options in (
        {"prompt": "a cat", "n": 9},
        {"prompt": "a cat --n 9"},
        {"prompt": "a cat", "model": "dall-e"},
    ):
        refusal = await fake.reply(await fake.command(bo, "draw", options))
        assert refusal.only_for == bo.id
        assert "不能是" in refusal.words or "模型" in refusal.words
    unknown = await fake.reply(
        await fake.command(bo, "draw", {"prompt": "a cat", "nonsense": "1"})
    )
    assert "nonsense" in unknown.words
    nothing = await fake.command(bo, "easel explode")
    assert nothing.ephemeral
    assert await place.steps(bo) == []
    assert place.ours() == []


async def test_edit_this_image_works_on_any_picture_and_on_ours(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    cat = fake.says(bo, "my cat", files=[PHOTOS / "chelsea.png"])
    opened = await fake.context_menu(ana, "Edit this image", cat)
    assert field(opened, "pictures") == {}
    await fake.submits(ana, opened, {"prompt": "as a lion"})
    lion = await fake.sees("as a lion", button="Edit", files=1)
    opened = await fake.context_menu(bo, "Edit this image", lion)
    await fake.submits(bo, opened, {"prompt": "with wings"})
    await fake.sees("with wings", files=1)
    assert (await place.steps(bo))[-1].parent == (await place.steps(ana))[0].id
    refused = await fake.context_menu(
        bo, "Edit this image", fake.says(ana, "no picture")
    )
    assert "那則訊息" in refused.ephemeral[0].words


async def test_every_button_under_a_result_answers(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    result = await place.draws(ana, "a harbour", n=2)
    opened = await fake.presses(bo, result, "Edit")
    await fake.submits(bo, opened, {"prompt": "in winter"})
    winter = await fake.sees("in winter", files=1)
    assert (await place.steps(bo))[0].parent == (await place.steps(ana))[0].id

    await fake.presses(bo, result, "2")
    await fake.sees("第 2", user=bo)
    await fake.presses(ana, result, "Again")
    await fake.until(
        lambda: (
            len(
                [
                    one
                    for one in place.ours()
                    if "a harbour" in one.words and one.files
                ]
            )
            == 2
        )
    )

    await fake.presses(bo, winter, "🪄")
    more = await fake.sees("v1", user=bo, button="🔍")
    await fake.presses(bo, more, "🔍")
    await fake.sees("", user=bo, files=2, after=more)
    asked = await fake.presses(bo, more, "🌳")
    history = await fake.sees("", user=bo, button="v1 ·", after=more)
    await fake.presses(bo, history, "v1 ·")
    info = await fake.reply(await fake.presses(bo, more, "ℹ️"))
    assert "種子：" in info.words
    sent = await fake.reply(await fake.presses(bo, more, "✉️"))
    assert sent.only_for == bo.id
    copy = await fake.sees("", channel=fake.direct(bo), files=1)
    assert asked.refused is False
    for label in ("🖌️", "↔️", "🎨"):
        name = next((one for one in more.buttons if label in one), "")
        if name:
            assert not (await fake.presses(bo, more, name)).refused
    refused = await fake.reply(await fake.presses(bo, result, "🗑️"))
    assert "Ana" in refused.words
    await fake.presses(ana, winter, "🗑️")
    await fake.presses(bo, winter, "🗑️")
    await fake.until(lambda: not winter.files and not copy.files)


async def test_a_deleted_picture_takes_its_history_along(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a fox")
    await fake.command(ana, "easel history")
    history = await fake.sees("History", files=1)
    await fake.presses(ana, result, "🗑️")
    await fake.until(lambda: not history.files and "fox" not in history.words)


async def test_a_direct_copy_goes_on_in_the_guild_it_came_from(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a fox")
    direct = fake.direct(ana)
    fake.reacts(ana, result, "✉️")
    copy = await fake.sees("a fox", channel=direct, files=1)
    await fake.sees("Sent v1", channel=direct)
    fake.says(ana, "make it night", direct)
    night = await fake.sees(
        "make it night", channel=direct, button="Edit", files=1
    )
    assert (await place.steps(ana))[-1].parent == (await place.steps(ana))[
        0
    ].id
    await fake.presses(place.bo, result, "More")
    more = await fake.sees("v1", user=place.bo, button="✉️")
    await fake.presses(place.bo, more, "✉️")
    theirs = await fake.sees("a fox", channel=fake.direct(place.bo), files=1)
    assert {"✏️ 編輯", "↩️ 復原"} & set(theirs.buttons)
    assert not any("Edit" in one for one in theirs.buttons)
    await fake.presses(ana, night, "Undo")
    await fake.sees("Now at v1", channel=direct)
    await fake.presses(ana, copy, "Again")
    await fake.until(
        lambda: (
            len([one for one in fake.world.seen_by(ana, direct) if one.files])
            >= 4
        )
    )
    assert len(await place.steps(ana)) == 3


async def test_whoever_has_left_the_guild_speaks_for_it_no_longer(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a fox")
    direct = fake.direct(ana)
    fake.reacts(ana, result, "✉️")
    copy = await fake.sees("a fox", channel=direct, files=1)
    form = await fake.presses(ana, copy, "Edit")
    del fake.guild.permissions[ana.id]
    place.bot.easel.context.chats[
        "discord"
    ].completion._channels._answers.clear()  # type: ignore[attr-defined]  # ten minutes later
    said = fake.says(ana, "make it night", direct)
    await fake.sees("picture", channel=direct, after=said)
    pressed = await fake.presses(ana, copy, "Again")
    await fake.reply(pressed)
    sent = await fake.submits(ana, form, {"prompt": "make it night"})
    await fake.reply(sent)
    assert len(await place.steps(ana)) == 1


async def test_a_private_result_is_for_its_person_alone(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    asked = await fake.command(
        ana, "draw", {"prompt": "a secret", "private": True}
    )
    secret = await fake.sees(
        "a secret", channel=fake.direct(ana), button="Edit", files=1
    )
    told = await fake.reply(asked)
    assert told.only_for == ana.id
    assert next(iter(told.buttons.values()))["url"].endswith(f"/{secret.id}")
    assert place.ours()[-1] is secret
    shown = await fake.reply(
        await fake.command(
            bo, "easel show", {"id": (await place.steps(ana))[0].id}
        )
    )
    assert shown.only_for == bo.id
    assert not shown.files
    bo.closed = True
    hidden = await fake.command(
        bo, "draw", {"prompt": "another", "private": True}
    )
    await fake.until(lambda: hidden.original and hidden.original.files)
    assert hidden.original
    assert hidden.original.only_for == bo.id


async def test_a_private_job_that_still_runs_is_shown_to_its_person_alone(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await fake.command(ana, "draw", {"prompt": "a secret", "private": True})
    async with asyncio.timeout(60):
        while not (
            running := await place.bot.easel.context.store.open_steps()
        ):
            await asyncio.sleep(0.005)
    await fake.reply(
        await fake.command(ana, "easel show", {"id": running[0].id})
    )
    await fake.sees("Still working", channel=fake.direct(ana))
    assert not [
        one
        for one in place.ours()
        if one.channel == fake.general.id and "secret" in one.words
    ]


async def test_where_direct_messages_are_closed_a_secret_is_not_said_for_all_instead(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    ana.closed = True
    hidden = await fake.command(
        ana, "draw", {"prompt": "a secret", "private": True}
    )
    await fake.until(lambda: hidden.original and hidden.original.files)
    for words in ("info", "again"):
        said = fake.says(ana, f"{fake.mention} {words}")
        await fake.sees("a direct message", channel=fake.general, after=said)
    fake.says(ana, f"{fake.mention} help")
    await fake.sees("/draw", channel=fake.general)
    async with asyncio.timeout(60):
        while (
            len(await place.steps(ana)) < 2
            or await place.bot.easel.context.store.open_steps()
        ):
            await asyncio.sleep(0.02)
    assert not [
        one for one in place.ours() if one.files or "secret" in one.words
    ]


async def test_a_secret_run_again_from_its_root_stays_one(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a fox")
    await fake.command(
        ana, "edit", {"instruction": "with our new logo", "private": True}
    )
    await fake.sees(
        "with our new logo", channel=fake.direct(ana), button="Edit", files=1
    )
    await fake.command(ana, "easel rerun")
    await fake.until(
        lambda: (
            len(
                [
                    one
                    for one in fake.world.seen_by(ana, fake.direct(ana))
                    if one.files
                ]
            )
            == 2
        )
    )
    assert not [
        one
        for one in place.ours()
        if one.channel == fake.general.id and "logo" in one.words
    ]


async def test_reactions_vote_favour_choose_and_repeat(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    result = await place.draws(ana, "a lighthouse", n=3)
    fake.reacts(bo, result, "2️⃣")
    await fake.until(lambda: "picture 2 has 1" in result.words)
    fake.reacts(bo, result, "2️⃣", added=False)
    await fake.until(lambda: "picture 2 has 1" not in result.words)
    fake.reacts(bo, result, "3️⃣")
    fake.reacts(ana, result, "✅")
    await fake.until(
        lambda: "3" in result.words and "chosen" in result.words.lower()
    )
    fake.reacts(bo, result, "❤️")
    await fake.until(
        lambda: "⭐ 1" in result.words or "1" in result.words.split("⭐")[-1]
    )
    for count in (2, 3):
        fake.reacts(ana, result, "🔁")
        await fake.until(
            lambda: len([one for one in place.ours() if one.files]) == count
        )
        fake.reacts(ana, result, "🔁", added=False)
    fake.reacts(bo, result, "❌")
    await fake.sees("Ana", channel=fake.direct(bo))
    assert result.files


async def test_reactions_taken_away_from_other_peoples_messages_leave_nothing_behind(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    kept: list[str] = []
    receive = place.bot.easel.service.receive

    async def counted(incoming: Incoming) -> bool:
        kept.append(incoming.key)
        return await receive(incoming)

    place.bot.easel.service.receive = counted  # type: ignore[method-assign]
    result = await place.draws(ana, "a fox")
    said = fake.says(place.bo, "hello")
    for message in (said, result):
        fake.reacts(ana, message, "🎉")
        fake.reacts(ana, message, "🎉", added=False)
    await fake.until(
        lambda: any(
            one.startswith(f"reaction:{result.id}:") and "-" in one
            for one in kept
        )
    )
    assert not [one for one in kept if one.startswith(f"reaction:{said.id}:")]


async def test_a_favourite_goes_to_the_gallery_once_and_hidden_where_it_must_be(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    adults = fake.channel("adults", nsfw=True)
    gallery = fake.channel("gallery", nsfw=True)
    opened = await fake.command(ana, "easel settings", channel=adults)
    page = next(
        name for name in opened.ephemeral[0].buttons if "Gallery" in name
    )
    opened = await fake.presses(ana, opened.ephemeral[0], page)
    await fake.submits(ana, opened, {"gallery": gallery})
    await fake.command(ana, "draw", {"prompt": "a statue"}, channel=adults)
    result = await fake.sees("a statue", channel=adults, files=1)
    assert result.attachments[0].filename.startswith("SPOILER_")
    for person in (ana, bo, fake.person("Cy")):
        fake.reacts(person, result, "⭐")
    copy = await fake.sees("a statue", channel=gallery, files=1)
    assert copy.attachments[0].filename.startswith("SPOILER_")
    await fake.until(lambda: "3" in result.words)
    assert len([one for one in place.ours() if one.channel == gallery.id]) == 1
    back = next(one for one in copy.buttons.values() if one.get("url"))
    assert back["url"].endswith(f"/{adults.id}/{result.id}")


async def test_settings_are_for_those_who_run_the_guild(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    refused = await fake.command(bo, "easel settings")
    assert refused.ephemeral
    assert refused.modal is None
    opened = await fake.command(ana, "easel settings")
    pages = [name for name in opened.ephemeral[0].buttons if name]
    assert len(pages) == 4
    modal = await fake.presses(ana, opened.ephemeral[0], pages[0])
    saved = await fake.submits(
        ana, modal, {"n": "2", "style": "in watercolour"}
    )
    await fake.reply(saved)
    await fake.command(bo, "draw", {"prompt": "a boat"})
    boat = await fake.sees("a boat", files=2)
    assert "in watercolour" in boat.words
    again = await fake.presses(ana, opened.ephemeral[0], pages[0])
    assert field(again, "style")["value"] == "in watercolour"


async def test_an_admin_picks_who_and_what_is_refused(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    opened = await fake.command(ana, "easel settings")
    pages = [name for name in opened.ephemeral[0].buttons if name]
    page = next(name for name in pages if "Refused words" in name)
    modal = await fake.presses(ana, opened.ephemeral[0], page)
    given = {
        "refused_people": [bo],
        "refused_words": "gun\n血腥",
        "functions_off": ["Upscale", "Expand"],
    }
    await fake.reply(await fake.submits(ana, modal, given))
    refused = await fake.command(bo, "draw", {"prompt": "a boat"})
    assert "沒有讓你使用" in (await fake.reply(refused)).words
    refused = await fake.command(ana, "draw", {"prompt": "血腥 boat"})
    words = (await fake.reply(refused)).words
    assert "not allowed in this workspace" in words
    assert "gun" not in words
    again = await fake.presses(ana, opened.ephemeral[0], page)
    assert field(again, "refused_people")["default_values"] == [
        {"id": str(bo.id), "type": "user"}
    ]
    chosen: Any = field(again, "functions_off")["options"]
    assert [one["label"] for one in chosen if one["default"]] == [
        "Expand",
        "Upscale",
    ]
    saved = await fake.submits(ana, again, {"refused_people": [ana]})
    assert "can’t refuse yourself" in (await fake.reply(saved)).words
    again = await fake.presses(ana, opened.ephemeral[0], page)
    saved = await fake.submits(ana, again, {"refused_people": []})
    await fake.reply(saved)
    await fake.command(bo, "draw", {"prompt": "a boat"})
    await fake.sees("a boat", files=1)


async def test_an_admin_pauses_the_guild_and_resumes_it(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    refused = await fake.command(bo, "easel pause")
    assert "管理員" in (await fake.reply(refused)).words
    await fake.reply(await fake.command(ana, "easel pause"))
    refused = await fake.command(bo, "draw", {"prompt": "a boat"})
    assert "暫停了" in (await fake.reply(refused)).words
    await fake.reply(await fake.command(ana, "easel resume"))
    await fake.command(bo, "draw", {"prompt": "a hill"})
    await fake.sees("a hill", files=1)
    log = await fake.reply(await fake.command(ana, "easel audit", {"page": 1}))
    assert log.only_for == str(ana.id)
    assert "Pause" in log.words
    assert "a hill" not in log.words


async def test_whoever_no_longer_runs_the_guild_is_shown_no_settings(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    opened = await fake.command(ana, "easel settings")
    page = next(name for name in opened.ephemeral[0].buttons if name)
    fake.world.join(ana, fake.guild, ORDINARY)
    assert (await fake.presses(ana, opened.ephemeral[0], page)).modal is None


async def test_what_is_typed_is_completed_from_what_we_know(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    models = await fake.autocomplete(
        ana, "draw", {"model": "plus"}, focused="model"
    )
    assert models[0]["value"] == "qwen-image-plus"
    sizes = await fake.autocomplete(
        ana, "draw", {"model": "qwen-image-plus"}, focused="size"
    )
    assert {"1328*1328", "1664*928"} <= {one["value"] for one in sizes}
    assert {"16:9", "square"} <= {
        one["value"]
        for one in await fake.autocomplete(ana, "draw", focused="ar")
    }
    assert (
        "wan"
        in (await fake.autocomplete(ana, "wanx style", focused="model"))[0][
            "value"
        ]
    )
    await place.draws(ana, "a fox")
    mine = await fake.autocomplete(ana, "easel show", focused="id")
    assert [one["name"] for one in mine] == ["v1 · a fox"]
    assert await fake.autocomplete(bo, "easel show", focused="id") == []
    shown = await fake.command(ana, "easel show", {"id": mine[0]["value"]})
    assert not shown.refused


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("history", 1),
        ("compare", 2),
        ("usage", 2),
        ("budget", 0),
        ("help", 0),
        ("info", 0),
    ],
)
async def test_looking_commands_answer(
    place: Place, words: str, files: int
) -> None:
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a fox")
    await fake.command(ana, "edit", {"instruction": "make it night"})
    night = await fake.sees("make it night", button="Edit", files=1)
    await fake.command(ana, f"easel {words}")
    found = await fake.sees("", user=ana, files=files, after=night)
    await fake.until(lambda: found.words)
    assert len(found.files) == files


async def test_a_member_who_may_not_post_pictures_gets_none_posted(
    place: Place,
) -> None:
    fake = place.fake
    muted = fake.person("Mo", permissions=ORDINARY & ~ATTACH_FILES)
    refused = await fake.command(muted, "draw", {"prompt": "a fox"})
    assert "may not post pictures" in (await fake.reply(refused)).words
    await fake.command(muted, "draw", {"prompt": "a fox", "private": True})
    await fake.sees("a fox", channel=fake.direct(muted), files=1)
    result = await place.draws(place.ana, "a hare")
    refused = await fake.presses(muted, result, "Again")
    assert "may not post pictures" in (await fake.reply(refused)).words
    opened = await fake.command(muted, "draw", {"private": True})
    refused = await fake.submits(
        muted, opened, {"prompt": "a bear", "private": False}
    )
    assert "may not post pictures" in (await fake.reply(refused)).words
    opened = await fake.command(muted, "draw", {"private": True})
    await fake.submits(muted, opened, {"prompt": "an owl", "private": True})
    await fake.sees("an owl", channel=fake.direct(muted), files=1)


async def test_a_button_pressed_twice_at_once_is_one_job_and_leaves_no_answer_open(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    fox = await place.draws(ana, "a fox")
    first, second = await asyncio.gather(
        fake.presses(ana, fox, "Again"), fake.presses(ana, fox, "Again")
    )
    await fake.sees("a fox", button="Edit", files=1, after=fox)
    await fake.until(
        lambda: (
            not [
                one
                for one in first.ephemeral + second.ephemeral
                if one.is_loading
            ]
        )
    )
    assert {first.error, second.error} == {""}
    assert len(await place.steps(ana)) == 2


async def test_where_a_person_brought_us_along_the_answer_is_the_one_voice(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    guild, elsewhere = fake.join("Elsewhere", installed=False)
    fake.world.join(ana, guild)
    asked = await fake.command(
        ana, "draw", {"prompt": "a fox"}, channel=elsewhere
    )
    await fake.until(
        lambda: (
            asked.original
            and asked.original.files
            and "a fox" in asked.original.words
        )
    )
    assert asked.original
    assert not asked.original.only_for
    edited = await fake.presses(ana, asked.original, "Edit")
    done = await fake.submits(ana, edited, {"prompt": "make it night"})
    await fake.until(lambda: done.original and done.original.files)
    refused = await fake.command(
        ana, "draw", {"prompt": "a fox", "n": 9}, channel=elsewhere
    )
    await fake.until(lambda: refused.ephemeral)
    secret = await fake.command(
        ana, "draw", {"prompt": "quiet", "private": True}, channel=elsewhere
    )
    await fake.until(lambda: secret.original and secret.original.files)
    assert secret.original
    assert secret.original.only_for == ana.id


async def test_where_we_are_no_member_what_is_made_of_a_secret_stays_one(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    guild, elsewhere = fake.join("Elsewhere", installed=False)
    fake.world.join(ana, guild)
    secret = await fake.command(
        ana, "draw", {"prompt": "quiet", "private": True}, channel=elsewhere
    )
    await fake.until(lambda: secret.original and secret.original.files)
    assert secret.original
    again = await fake.presses(ana, secret.original, "Again")
    edited = await fake.command(
        ana, "edit", {"instruction": "make it night"}, channel=elsewhere
    )
    for one in (again, edited):
        await fake.until(lambda: one.original and one.original.files)
        assert one.original
        assert one.original.only_for == ana.id
    open_to_all = await fake.command(
        ana, "draw", {"prompt": "a fox"}, channel=elsewhere
    )
    await fake.until(
        lambda: open_to_all.original and open_to_all.original.files
    )
    assert open_to_all.original
    assert not open_to_all.original.only_for


async def test_a_secret_that_comes_to_an_open_answer_goes_to_its_person(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, ana = place.fake, place.ana
    guild, elsewhere = fake.join("Elsewhere", installed=False)
    fake.world.join(ana, guild)
    secret = await fake.command(
        ana, "draw", {"prompt": "quiet", "private": True}, channel=elsewhere
    )
    await fake.until(lambda: secret.original and secret.original.files)
    assert secret.original

    async def not_yet(*_: object) -> bool:
        return False

    monkeypatch.setattr("core.flow.heads.is_secret", not_yet)
    again = await fake.presses(ana, secret.original, "Again")
    await fake.sees("quiet", channel=fake.direct(ana), files=1)
    assert again.original
    assert not again.original.files
    assert "quiet" not in again.original.words


async def test_without_the_content_intent_what_is_said_to_us_still_works(
    tmp_path: Path,
) -> None:
    async with (
        discord(World(content_granted=False)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana")
        place = Place(fake=fake, bot=bot, ana=ana, bo=fake.person("Bo"))
        result = await place.draws(ana, "a fox")
        fake.says(ana, "not seen", reply_to=result, ping=False)
        fake.says(ana, "make it night", reply_to=result)
        await fake.sees("make it night", button="Edit", files=1)
        fake.says(
            ana, f"{fake.mention} add snow", files=[PHOTOS / "coffee.png"]
        )
        await fake.sees("add snow", button="Edit", files=1)
        cat = fake.says(place.bo, "my cat", files=[PHOTOS / "chelsea.png"])
        opened = await fake.context_menu(ana, "Edit this image", cat)
        await fake.submits(ana, opened, {"prompt": "as a lion"})
        await fake.sees("as a lion", button="Edit", files=1)
        fake.reacts(ana, result, "⭐")
        await fake.until(lambda: "⭐" in result.words)
        assert len(await place.steps(ana)) == 4


async def test_commands_are_told_once_and_again_only_when_they_changed(
    tmp_path: Path,
) -> None:
    async with discord() as fake:
        for _ in range(2):
            async with easel_in(fake, tmp_path / "data"):
                await fake.until(lambda: fake.world.commands.get(""))
        assert sum(fake.world.syncs.values()) == 1
        names = {one["name"] for one in fake.world.commands[""]}
        assert names == {"draw", "edit", "wanx", "easel", "Edit this image"}
        # Somebody has removed one; and an activity's own command stays.
        launch = {"id": "4", "type": 4, "name": "launch", "handler": 2}
        fake.world.commands[""] = [*fake.world.commands[""][1:], launch]
        async with easel_in(fake, tmp_path / "data"):
            await fake.until(lambda: sum(fake.world.syncs.values()) == 2)
        told = {one["name"] for one in fake.world.commands[""]}
        assert told == names | {"launch"}


async def test_every_old_button_works_after_a_restart(tmp_path: Path) -> None:
    async with discord() as fake:
        ana = fake.person("Ana")
        async with easel_in(fake, tmp_path / "data") as bot:
            result = await Place(fake=fake, bot=bot, ana=ana, bo=ana).draws(
                ana, "a fox", n=2
            )
            opened = await fake.presses(ana, result, "Edit")
        fake.world.forward(365 * 86_400)
        async with easel_in(fake, tmp_path / "data"):
            await fake.presses(ana, result, "2")
            await fake.sees("picture 2")
            assert (await fake.presses(ana, result, "Edit")).modal
            await fake.submits(ana, opened, {"prompt": "make it night"})
            await fake.sees("make it night", button="Edit", files=1)


async def test_a_press_on_a_message_that_has_changed_meanwhile_is_answered(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a fox")
    what = result.buttons["🔄 Again"]
    result.components = []
    made = fake.interacting.press(ana, result, what, [], fake.general)
    await fake.until(lambda: made.ack_type == THINKING)
    await fake.until(
        lambda: len([one for one in place.ours() if one.files]) == 2
    )


async def test_words_that_may_be_either_are_asked_for_the_person_alone(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await place.draws(ana, "a heron")
    fake.says(ana, f"{fake.mention}, a red hat")
    offer = await fake.sees("change a picture", channel=fake.direct(ana))
    assert len(await place.steps(ana)) == 1
    await fake.presses(ana, offer, "Edit v1")
    await fake.sees("a red hat", files=1)
    heron, hat = await place.steps(ana)
    assert (hat.action, hat.parent) == (Action.EDIT, heron.id)


async def test_words_to_others_in_answer_to_a_result_cost_nothing(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    result = await place.draws(ana, "a heron")
    fake.says(ana, "@everyone look at this", reply_to=result)
    fake.says(ana, "thanks!", reply_to=result)
    fake.says(ana, "make it night", reply_to=result)
    await fake.sees("make it night", files=1)
    assert [step.prompt for step in await place.steps(ana)] == [
        "a heron",
        "make it night",
    ]
