"""What a team does with its results: threads, votes, favourites, deleting, masks, settings."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from bot.simulator.server import SimulatorConfig
from core.errors import NotFound, Rejected
from core.incoming import Incoming
from core.operations import Action, ButtonKind
from core.pictures import png_metadata
from core.post import Post, Tone
from core.service import Answer
from core.signed_links import Purpose
from core.types import Attachment, Person, Request, Step
from tests.conftest import PHOTOS
from tests.fakes import events
from tests.integration.test_flow import PLACE, Team, kinds, numbers, team_on


@pytest_asyncio.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(
        config, tmp_path / "team", EASEL_PUBLIC_URL="https://easel.example"
    ) as started:
        yield started


def press(
    kind: ButtonKind,
    step: str,
    person: str = "bo",
    index: int = 0,
    **facts: Any,
) -> Incoming:
    place = facts.pop("place", PLACE)
    key = f"p{next(numbers)}"
    return events.press(
        kind, step, index, key=key, place=place, person=person, **facts
    )


async def reacts(
    team: Team,
    step: Step,
    emoji: str,
    person: str,
    *,
    added: bool = True,
    **facts: Any,
) -> Answer:
    message = await team.easel.context.store.message_of(step)
    assert message
    key = f"r{next(numbers)}"
    return await team.sends(
        events.reaction(
            emoji, message, key=key, person=person, added=added, **facts
        )
    )


def status_of(team: Team, step: Step) -> Post:
    """What the step's message says now."""
    found = [
        one.posts[-1]
        for one in team.chat.messages.values()
        if one.posts[0].job == step.id
    ]
    assert len(found) == 1
    return found[0]


async def test_a_thread_under_a_result_works_on_that_result_and_then_on_its_own_head(
    team: Team,
) -> None:
    root, _ = await team.gets(Action.DRAW, "a fox", "ana")
    await team.gets(Action.DRAW, "a heron", "ana")
    sent = await team.easel.context.store.message_of(root)
    assert sent
    thread = replace(PLACE, thread=sent.message)
    first, _ = await team.gets(
        Action.EDIT, "make it night", "bo", place=thread
    )
    assert first.parent == root.id
    second, _ = await team.gets(Action.EDIT, "add snow", "cy", place=thread)
    assert second.parent == first.id
    back = await team.says(Action.UNDO, person="ana", place=thread)
    assert back.job == first.id


async def test_a_channel_may_keep_threads_personal(team: Team) -> None:
    root, _ = await team.gets(Action.DRAW, "a fox", "ana")
    sent = await team.easel.context.store.message_of(root)
    assert sent
    thread = replace(PLACE, thread=sent.message)
    await team.says(
        Action.SETTINGS, given={"personal_threads": "yes"}, is_admin=True
    )
    assert "no picture to edit" in await team.is_refused(
        Action.EDIT, "make it night", person="bo", place=thread
    )


async def test_votes_are_counted_once_a_person_and_a_quorum_settles(
    team: Team,
) -> None:
    two, _ = await team.gets(Action.DRAW, "two foxes --n 2 --size 512*512")
    for person in ("ana", "bo", "bo", "cy"):
        await reacts(team, two, "2️⃣", person)
    text = status_of(team, two).text
    assert "Votes: picture 2 has 3" in text
    assert "Chosen: picture 2" in text
    edited, _ = await team.gets(Action.EDIT, "make it night")
    assert (edited.parent, edited.parent_index) == (two.id, 1)
    await reacts(team, two, "2️⃣", "bo", added=False)
    assert "Votes: picture 2 has 2" in status_of(team, two).text


async def test_only_its_person_or_an_admin_may_choose(team: Team) -> None:
    two, _ = await team.gets(Action.DRAW, "two foxes --n 2 --size 512*512")
    await reacts(team, two, "two", "cy")
    with pytest.raises(Rejected, match="not_yours"):
        await reacts(team, two, "✅", "bo")
    await reacts(team, two, "✅", "ana")
    assert "Chosen: picture 2" in status_of(team, two).text
    with pytest.raises(Rejected, match="no_such_picture"):
        await reacts(team, two, "3️⃣", "bo")


async def test_favourites_copy_a_picture_to_the_gallery_once(
    team: Team,
) -> None:
    await team.says(
        Action.SETTINGS,
        given={"gallery": "gallery", "favourites": "2"},
        is_admin=True,
    )
    fox, _ = await team.gets(Action.DRAW, "a fox")
    await reacts(team, fox, "⭐", "bo")
    copies = [
        one
        for one in team.chat.messages.values()
        if one.posts[0].job == f"{fox.id}g"
    ]
    assert not copies
    await asyncio.gather(
        *(reacts(team, fox, "❤️", person) for person in ("cy", "ana", "di"))
    )
    copies = [
        one
        for one in team.chat.messages.values()
        if one.posts[0].job == f"{fox.id}g"
    ]
    assert len(copies) == 1
    post = copies[0].posts[0]
    assert post.pictures[0].picture == fox.outputs[0]
    assert "Ana" in post.text
    assert [one.url for one in post.buttons] == [f"chat:c/{'m1'}"]
    assert "⭐ 4" in status_of(team, fox).text
    await reacts(team, fox, "❤️", "bo")
    assert "⭐ 4" in status_of(team, fox).text
    await reacts(team, fox, "❤️", "bo", added=False)
    assert "⭐ 4" in status_of(team, fox).text
    await reacts(team, fox, "⭐", "bo", added=False)
    assert "⭐ 3" in status_of(team, fox).text


async def test_reactions_ask_for_the_same_as_buttons(team: Team) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox --size 512*512")
    for emoji, action in (("🔁", Action.DRAW), ("⬆️", Action.UPSCALE)):
        answer = await reacts(team, fox, emoji, "bo")
        assert answer.accepted
        await team.chat.end_of(answer.accepted)
        assert (await team.step(answer.accepted)).action is action
    told = await reacts(team, fox, "ℹ️", "bo")
    assert told.post
    assert "qwen" in told.post.text
    assert (await reacts(team, fox, "🍕", "bo")) == Answer()
    sent = await reacts(team, fox, "✉️", "bo")
    assert sent.post
    assert "Sent v1" in sent.post.text
    assert list(team.chat.messages.values())[-1].posts[0].title == "a fox"
    alone = replace(PLACE, channel="dm-bo")
    assert (await team.gets(Action.EDIT, "make it night", "bo", place=alone))[
        0
    ].parent == fox.id


async def test_deleting_takes_the_picture_away_and_leaves_what_was_made_from_it(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    night, _ = await team.gets(Action.EDIT, "make it night")
    with pytest.raises(Rejected, match="not_yours"):
        await reacts(team, night, "❌", "bo")
    await reacts(team, night, "🗑️", "ana")
    assert status_of(team, night).text == "v2 was deleted."
    with pytest.raises(NotFound):
        await team.easel.context.blobs.read(PLACE.tenant, night.outputs[0].key)
    with pytest.raises(Rejected, match="picture_gone"):
        await reacts(team, night, "1️⃣", "bo")
    again, _ = await team.gets(Action.EDIT, "make it snow")
    assert again.parent == fox.id
    await reacts(team, fox, "❌", "bo", is_admin=True)
    with pytest.raises(NotFound):
        await team.easel.context.blobs.read(PLACE.tenant, again.inputs[0].key)
    tree = await team.says(Action.HISTORY)
    removed, *lines = tree.text.split("\n")
    assert removed.startswith("v1 · removed")
    assert [line.split(" · ")[0] for line in lines] == ["v3"]


async def test_a_copy_is_sent_each_time_it_is_asked_and_once_each_time(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    pressed = press(ButtonKind.SEND_ME, fox.id)
    for same in (pressed, pressed, replace(pressed, key="another")):
        await team.sends(same)
    copies = [
        one
        for one in team.chat.messages.values()
        if one.posts[0].pictures and one.posts[0].job != fox.id
    ]
    assert len(copies) == 2


async def test_a_private_result_is_private_from_first_word_to_last(
    team: Team,
) -> None:
    fox, post = await team.gets(Action.DRAW, "a fox --private")
    assert post.private
    said = next(
        one
        for one in team.chat.messages.values()
        if one.posts[0].job == fox.id
    )
    assert all(one.private for one in said.posts)
    await team.says(
        Action.SETTINGS,
        given={"gallery": "gallery", "favourites": "1"},
        is_admin=True,
    )
    await reacts(team, fox, "⭐", "ana")
    assert len(team.chat.messages) == 1


async def test_what_was_said_elsewhere_or_in_private_is_not_found_by_others(
    team: Team,
) -> None:
    elsewhere = replace(PLACE, channel="board-room")
    secret, _ = await team.gets(Action.DRAW, "a fox --private", "ana")
    away, _ = await team.gets(Action.DRAW, "a heron", "ana", place=elsewhere)
    for step in (secret, away):
        for action in (
            Action.SHOW,
            Action.INFO,
            Action.SEND_ME,
            Action.MORE,
            Action.DELETE,
            Action.COMPARE,
        ):
            with pytest.raises(NotFound, match="not_found"):
                await team.asks(action, person="bo", target=step.id)
            favourite = Request(
                key=f"f{next(numbers)}",
                place=PLACE,
                person=Person(id="bo", name="Bo"),
                locale="en",
                action=Action.FAVOURITE,
                target=step.id,
            )
            with pytest.raises(NotFound, match="not_found"):
                await team.easel.service.answer(favourite)
        assert "There is no picture or job" in await team.is_refused(
            Action.EDIT, "night", person="bo", target=step.id
        )
        assert (await team.says(Action.SHOW, step.id, "ana")).title
    assert (
        await team.gets(
            Action.EDIT, "night", "bo", target=away.id, place=elsewhere
        )
    )[0].parent == away.id


async def test_a_private_result_never_enters_what_a_thread_shares(
    team: Team,
) -> None:
    barn, _ = await team.gets(Action.DRAW, "a barn", "ana")
    sent = await team.easel.context.store.message_of(barn)
    assert sent
    thread = replace(PLACE, thread=sent.message)
    secret, _ = await team.gets(
        Action.EDIT, "my tattoo --private", "bo", place=thread
    )
    assert secret.parent == barn.id
    night, _ = await team.gets(
        Action.EDIT, "make it night", "ana", place=thread
    )
    assert night.parent == barn.id
    assert (
        "tattoo"
        not in (
            await team.says(Action.HISTORY, person="ana", place=thread)
        ).text
    )


async def test_buttons_that_need_words_ask_for_them_with_the_picture_settled(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    night, _ = await team.gets(Action.EDIT, "make it night")
    form = (await team.sends(press(ButtonKind.EXPAND, night.id))).form
    assert form
    assert (form.action, form.target, form.index) == (
        Action.EXPAND,
        night.id,
        0,
    )
    assert {"prompt", "ar", "left"} <= {one.name for one in form.fields}
    rerun = (await team.sends(press(ButtonKind.RERUN, night.id))).form
    assert rerun
    assert rerun.fields[0].value == "make it night"
    more = (await team.sends(press(ButtonKind.MORE, night.id))).post
    assert more
    assert more.private
    assert {ButtonKind.MASK, ButtonKind.COMPARE, ButtonKind.RERUN} <= set(
        kinds(more)
    )
    first = (await team.sends(press(ButtonKind.MORE, fox.id))).post
    assert first
    assert ButtonKind.COMPARE not in kinds(first)
    with pytest.raises(Rejected, match=r"button\.unknown"):
        await team.sends(press(ButtonKind.LINK, fox.id))


def mask_png(size: tuple[int, int], box: tuple[int, int, int, int]) -> bytes:
    mask = Image.new("RGB", size)
    mask.paste((255, 255, 255), box)
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def draft_of(team: Team, post: Post) -> str:
    link = next(one for one in post.buttons if one.kind is ButtonKind.LINK)
    token = link.url.removeprefix("https://easel.example/mask/")
    claims = team.easel.context.links.read(
        Purpose.MASK, token, team.easel.context.clock.now()
    )
    assert claims["t"] == PLACE.tenant
    return claims["d"]


async def test_inpaint_without_a_mask_offers_the_painter_and_goes_on_with_what_was_painted_once(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox --size 512*512")
    offer = await team.says(Action.INPAINT, "a red hat", target=fox.id)
    draft = draft_of(team, offer)
    mask = mask_png((512, 512), (0, 0, 200, 200))
    answer = await team.easel.service.paint(
        PLACE.tenant, draft, mask, "a blue hat"
    )
    assert answer.accepted
    await team.chat.end_of(answer.accepted)
    step = await team.step(answer.accepted)
    assert (step.prompt, step.parent, step.person.id) == (
        "a blue hat",
        fox.id,
        "ana",
    )
    assert step.mask
    assert step.mask.size == fox.outputs[0].size
    with pytest.raises(Rejected, match=r"link\.used"):
        await team.easel.service.paint(PLACE.tenant, draft, mask, "once more")


async def test_inpaint_of_an_attached_picture_keeps_it_until_the_region_is_known(
    team: Team,
) -> None:
    answer = await team.asks(
        Action.INPAINT, "a green meadow", photos=("coffee.png",)
    )
    assert answer.accepted
    offer = await team.chat.end_of(answer.accepted)
    assert offer.private
    region = next(
        one
        for one in offer.buttons
        if one.kind is ButtonKind.REGION and one.label == "Top half"
    )
    with pytest.raises(Rejected, match="not_yours"):
        await team.sends(
            press(ButtonKind.REGION, region.step, "bo", region.index)
        )
    presses = [
        press(ButtonKind.REGION, region.step, "ana", region.index)
        for _ in range(6)
    ]
    tried = await asyncio.gather(
        *(team.sends(one) for one in presses),
        return_exceptions=True,
    )
    (going,) = [one for one in tried if isinstance(one, Answer)]
    assert going.accepted
    await team.chat.end_of(going.accepted)
    step = await team.step(going.accepted)
    assert (step.prompt, step.options.mask) == ("a green meadow", "top")
    with pytest.raises(Rejected, match=r"link\.used"):
        await team.sends(press(ButtonKind.REGION, region.step, "ana", 0))


async def test_settings_change_defaults_and_who_may_ask(team: Team) -> None:
    with pytest.raises(Rejected, match="admins_only"):
        await team.asks(Action.SETTINGS)
    form = (await team.asks(Action.SETTINGS, is_admin=True)).form
    assert form
    assert {"style", "gallery", "quorum"} <= {one.name for one in form.fields}
    given = {"style": "flat colours", "n": "2", "shape": "512*512"}
    await team.says(Action.SETTINGS, given=given, is_admin=True)
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert (step.prompt, step.n, str(step.size)) == (
        "a fox, flat colours",
        2,
        "512*512",
    )
    for name, value in (
        ("quorum", "0"),
        ("model", "midjourney"),
        ("functions", "sing"),
        ("colour", "red"),
    ):
        with pytest.raises(Rejected):
            await team.says(
                Action.SETTINGS, given={name: value}, is_admin=True
            )
    await team.says(
        Action.SETTINGS,
        given={"people": "bo", "functions": "draw"},
        is_admin=True,
    )
    assert "not_these_people" in await team.is_refused(Action.DRAW, "a fox")
    assert "not_this_function" in await team.is_refused(
        Action.EDIT, "a fox", person="bo", target=step.id
    )


async def test_refused_words_and_functions_switched_off_stop_every_way_to_them(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox with a gun")
    big, _ = await team.gets(Action.UPSCALE, target=fox.id)
    spent = await team.says(Action.USAGE)
    refused = {"refused_words": "gun, 血腥", "functions_off": "wanx.upscale"}
    await team.says(Action.SETTINGS, given=refused, is_admin=True)
    for place in (PLACE, replace(PLACE, channel="d")):
        assert "refused_word" in await team.is_refused(
            Action.DRAW, "一张血腥的图", place=place, is_admin=True
        )
    assert "refused_word" in await team.is_refused(
        Action.EDIT, "add a GUN", target=fox.id
    )
    assert "not allowed" in await team.is_refused(Action.AGAIN, target=fox.id)
    assert "not_this_function" in await team.is_refused(
        Action.UPSCALE, target=fox.id
    )
    assert "“Upscale” is switched off" in await team.is_refused(
        Action.AGAIN, target=big.id
    )
    more = await team.sends(press(ButtonKind.MORE, fox.id))
    assert more.post
    offered = {button.kind for button in more.post.buttons}
    assert ButtonKind.EXPAND in offered
    assert ButtonKind.UPSCALE not in offered
    assert await team.says(Action.USAGE) == spent


async def test_a_refused_person_can_do_nothing_and_an_admin_is_never_shut_out(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    given = {"refused_people": "bo"}
    with pytest.raises(Rejected, match="not_yourself"):
        await team.says(
            Action.SETTINGS, given=given, person="bo", is_admin=True
        )
    await team.says(Action.SETTINGS, given=given, is_admin=True)
    for action in (Action.DRAW, Action.UNDO, Action.HISTORY):
        key = await team.is_refused(action, "a fox", person="bo")
        assert key == "refuse.refused_person"
    with pytest.raises(Rejected, match="refused_person"):
        await reacts(team, fox, "⭐", "bo")
    helped = await team.says(Action.HELP, person="bo")
    assert "/draw" in helped.text
    limited = {"people": "cy", "refused_people": "", "functions_off": "draw"}
    await team.says(Action.SETTINGS, given=limited, is_admin=True)
    assert "not_these_people" in await team.is_refused(Action.DRAW, "a fox")
    edited = await team.asks(Action.EDIT, "night", is_admin=True)
    assert edited.accepted
    form = (await team.asks(Action.SETTINGS, is_admin=True)).form
    assert form


async def test_a_file_tells_its_own_recipe(team: Team, tmp_path: Path) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    data = await team.easel.context.blobs.read(
        PLACE.tenant, fox.outputs[0].key
    )
    assert png_metadata.read_recipe(data)
    (tmp_path / "fox.png").write_bytes(data)
    request = events.command(
        Action.INFO,
        key="info",
        place=PLACE,
        person="bo",
        attachments=(Attachment(ref=str(tmp_path / "fox.png")),),
    )
    answer = await team.sends(request)
    assert answer.post
    assert "a fox" in answer.post.text
    plain = replace(
        request, attachments=(Attachment(ref=str(PHOTOS / "coffee.png")),)
    )
    answer = await team.sends(plain)
    assert answer.post
    assert "no recipe" in answer.post.text


async def test_usage_is_plotted(team: Team) -> None:
    await team.gets(Action.DRAW, "a fox")
    told = await team.says(Action.USAGE)
    assert told.tone is Tone.NOTE
    assert told.pictures[0].drawn
    with Image.open(io.BytesIO(told.pictures[0].drawn)) as plot:
        assert plot.size == (960, 420)
