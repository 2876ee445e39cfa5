"""People in Slack use Easel: the real slack_bolt and slack_sdk talk to a Slack on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bot.run import Running
from core.operations import Action
from core.types import Step, StepState, Tenant
from tests.conftest import PHOTOS
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.house import easel_in
from tests.fakes.slack.world import Message, World


@dataclass(kw_only=True)
class Place:
    """A workspace with Easel in it."""

    fake: Slack
    bot: Running
    ana: Somebody
    bo: Somebody

    async def steps(self, person: Somebody) -> list[Step]:
        """What a person made, oldest first."""
        newest = await self.bot.easel.context.store.recent(
            Tenant(f"slack:{self.fake.workspace.id}"), person.id, 20
        )
        return newest[::-1]


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with (
        slack(World(ready_after=0.05, share_after=0.05)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana", is_admin=True)
        yield Place(
            fake=fake, bot=bot, ana=ana, bo=fake.person("Bo", locale="zh-TW")
        )


async def test_a_newcomer_draws_edits_and_goes_back(place: Place) -> None:
    fake, ana = place.fake, place.ana
    assert await ana.types("/draw a red fox in the snow --n 2 --ar 16:9") == {}
    caption, pictures = await ana.result("a red fox")
    assert caption.thread_ts == ""
    assert pictures.thread_ts == caption.ts
    assert len(pictures.files) == 2
    assert "Drawn by Ana" in caption.words
    assert all(
        fake.world.files[one].alt.startswith("a red fox")
        for one in pictures.files
    )
    assert all(
        fake.world.files[one].data[:4] == b"\x89PNG" for one in pictures.files
    )

    await ana.says("make it night", thread=caption.ts)
    night, shown = await ana.result("make it night")
    assert night.thread_ts == shown.thread_ts == caption.ts
    assert "v2" in night.words
    await ana.presses(caption, "More")
    more = await ana.reads("What would you like to do with v1")
    assert more.thread_ts == ""

    await ana.types("/edit give it a hat")
    hat, _ = await ana.result("give it a hat")
    assert hat.thread_ts == ""
    steps = await place.steps(ana)
    assert steps[-1].parent is not None

    await ana.presses(hat, "Undo")
    back = await ana.reads("Now at v2")
    shown_again = [
        block["slack_file"]["id"]
        for block in back.blocks
        if block["type"] == "image"
    ]
    assert shown_again == shown.files


async def test_commands_work_in_what_people_say_among_themselves(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    among_us = fake.conversation(ana, place.bo)
    for command, answer in (
        ("/easel help", "What Easel can do"),
        ("/draw a fox --n 99", "--n"),
        ("/easel undo", "nothing"),
    ):
        await ana.types(command, among_us)
        words = await fake.until(fake.last_response)
        assert answer in words
    await ana.types("/draw a fox", among_us)
    said = await fake.until(fake.last_response)
    assert "direct message" in said
    caption, pictures = await ana.result("a fox", ana.direct)
    assert caption.channel == pictures.channel == ana.direct


async def test_an_edit_names_the_picture_it_works_on_before_anything_is_made(
    place: Place,
) -> None:
    await place.ana.types("/draw a heron")
    caption, _ = await place.ana.result("a heron")
    await place.bo.says("give it a hat", thread=caption.ts)
    await place.bo.result("give it a hat")
    says = [
        call
        for method, call in place.fake.world.calls
        if method == "chat.postMessage"
    ]
    status = next(
        str(call["blocks"])
        for call in says
        if "give it a hat" in str(call["blocks"])
    )
    assert "v1" in status
    assert "Ana" in status


@pytest.mark.parametrize(
    ("order", "bare"),
    [
        (("message", "app_mention"), False),
        (("app_mention", "message"), True),
        (("message",), False),
        (("app_mention",), True),
        (("app_mention",), False),
    ],
)
async def test_a_mention_with_a_picture_is_one_job_with_the_picture(
    place: Place, order: tuple[str, ...], bare: bool
) -> None:
    fake, ana = place.fake, place.ana
    photo = ana.uploads(PHOTOS / "coffee.png")
    fake.event_copies = 2
    ts = await ana.says(
        f"{ana.easel} make it night", files=[photo], as_events=order, bare=bare
    )
    caption, shown = await ana.result("make it night")
    assert caption.thread_ts == shown.thread_ts == ts
    steps = await place.steps(ana)
    assert [
        (step.action, len(step.inputs), step.parent) for step in steps
    ] == [(Action.EDIT, 1, None)]
    signs = [
        sign["status"]
        for sign in fake.world.statuses
        if sign["thread_ts"] == ts
    ]
    assert signs[0] == "is at work …"
    assert signs[-1] == ""
    await ana.says("and rainy", thread=ts)
    await ana.result("and rainy")
    assert (await place.steps(ana))[-1].parent == steps[0].id


@pytest.mark.parametrize("direct", [False, True])
async def test_words_under_somebodys_picture_are_about_that_picture(
    place: Place, direct: bool
) -> None:
    ana, bo = place.ana, place.bo
    where = ana.direct if direct else ""
    await ana.says(f"{ana.easel} draw a heron", where)
    await ana.result("a heron", where)
    ts = await ana.says(
        "" if direct else "my coffee",
        where,
        files=[ana.uploads(PHOTOS / "coffee.png")],
    )
    await ana.says(f"{ana.easel} make it night", where, thread=ts)
    await ana.result("make it night", where)
    await ana.says("and rainy", where, thread=ts)
    await ana.result("and rainy", where)
    await ana.says(f"{ana.easel} and windy", where, thread=ts)
    await ana.result("and windy", where)
    _, night, rainy, windy = await place.steps(ana)
    assert (night.parent, rainy.parent, windy.parent) == (
        None,
        night.id,
        rainy.id,
    )
    ts = await bo.says("my cat", files=[bo.uploads(PHOTOS / "chelsea.png")])
    await ana.says(f"{ana.easel} /draw a boat", thread=ts)
    await ana.result("a boat")
    assert (await place.steps(ana))[-1].action is Action.DRAW


async def test_a_link_to_a_message_means_its_picture(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await ana.types("/draw a heron")
    heron, shown = await ana.result("a heron")
    ts = await bo.says("my cat", files=[bo.uploads(PHOTOS / "chelsea.png")])
    await bo.says("nice", thread=ts)
    await ana.types(f"/edit make it night {link_to(fake.general, ts)}")
    await ana.result("make it night")
    in_thread = f"{link_to(fake.general, shown.ts)}?thread_ts={heron.ts}&cid=C"
    await bo.says(f"{bo.easel} make it red <{in_thread}>")
    await bo.result("make it red")
    night, red = (await place.steps(ana))[-1], (await place.steps(bo))[-1]
    assert (night.parent, len(night.inputs)) == (None, 1)
    assert red.parent == (await place.steps(ana))[0].id
    # No other picture is taken instead.
    plain = await bo.says("no picture")
    elsewhere = fake.channel("elsewhere")
    for link, words in (
        (link_to(fake.general, plain), "no picture"),
        (link_to(fake.general, "1700000000.000001"), "no picture"),
        (link_to(elsewhere, ts), "another channel"),
    ):
        await ana.types(f"/edit make it blue {link}")
        refusal = await ana.reads(words)
        assert refusal.only_for == ana.id
        fake.world.messages.remove(refusal)
    assert len(await place.steps(ana)) == 2


def link_to(channel: str, ts: str) -> str:
    return f"https://test.slack.com/archives/{channel}/p{ts.replace('.', '')}"


async def test_a_direct_message_draws_and_edits(place: Place) -> None:
    ana = place.ana
    await ana.says("draw a lighthouse", ana.direct)
    caption, _ = await ana.result("a lighthouse", ana.direct)
    assert caption.channel == ana.direct
    await ana.says("make it night", ana.direct)
    await ana.result("make it night", ana.direct)
    await ana.says("undo", ana.direct)
    await ana.reads("Now at v1", ana.direct)
    photo = ana.uploads(PHOTOS / "rocket.jpg")
    await ana.says("add two moons", ana.direct, files=[photo])
    await ana.result("add two moons", ana.direct)
    assert [len(step.inputs) for step in await place.steps(ana)] == [0, 1, 1]


async def test_words_that_are_not_for_easel_are_left_alone(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await ana.types("/draw a fox")
    caption, _ = await ana.result("a fox")
    before = len(fake.world.messages)
    cy = fake.person("Cy")
    lonely = await cy.says("good morning")
    await cy.says("nice weather", thread=lonely)
    message = fake.world.find(fake.general, lonely)
    assert message
    await cy.reacts(message, "repeat")
    await bo.says(":heart: :+1:", thread=caption.ts)
    await bo.says(f"<@{ana.id}> look at this", thread=caption.ts)
    for name in ("message_changed", "message_deleted", "message_bot"):
        await fake.event(name, channel=fake.general)
    await bo.says("make it blue", thread=caption.ts)
    await bo.result("make it blue")
    ours = [
        one
        for one in fake.world.messages[before:]
        if one.user == fake.workspace.bot_user
    ]
    assert len(ours) == 2
    asked_for = {
        call["user"]
        for method, call in fake.world.calls
        if method == "users.info"
    }
    assert asked_for == {ana.id, bo.id}


async def test_a_command_without_words_opens_a_form_with_pictures_and_options(
    place: Place,
) -> None:
    ana = place.ana
    assert await ana.types("/edit") == {}
    view = await ana.view()
    fields = {
        block["block_id"]: block["element"]["type"] for block in view["blocks"]
    }
    assert fields["pictures"] == "file_input"
    assert fields["prompt"] == "plain_text_input"
    assert fields["model"] == "static_select"
    refused = await ana.fills(view, prompt="🦊")
    assert refused["response_action"] == "errors"
    assert "prompt" in refused["errors"]
    pictures = [
        ana.uploads(PHOTOS / name) for name in ("coffee.png", "chelsea.png")
    ]
    assert (
        await ana.fills(view, prompt="put both on a table", pictures=pictures)
        == {}
    )
    await ana.result("put both on a table")
    assert len((await place.steps(ana))[0].inputs) == 2
    await ana.fills(view, prompt="once more", pictures=pictures)
    assert len(await place.steps(ana)) == 1


@pytest.mark.parametrize(
    "text", ["/edit --n 2", "/wanx expand --ar 16:9", "/draw --raw"]
)
async def test_a_command_of_options_alone_asks_its_words_and_keeps_the_options(
    place: Place, text: str
) -> None:
    await place.ana.types(text)
    view = await place.ana.view()
    prompt = next(
        block for block in view["blocks"] if block["block_id"] == "prompt"
    )
    assert prompt["element"]["initial_value"] in text
    assert prompt["element"]["initial_value"].startswith("--")


async def test_wanx_alone_asks_which_function_and_a_function_alone_asks_its_words(
    place: Place,
) -> None:
    ana = place.ana
    await ana.types("/wanx")
    view = await ana.view()
    photo = ana.uploads(PHOTOS / "chelsea.png")
    await ana.fills(
        view, function="colorize", prompt="warm colours", pictures=[photo]
    )
    await ana.result("warm colours")
    assert (await place.steps(ana))[-1].action is Action.COLORIZE
    await ana.types("/wanx style")
    view = await ana.view()
    await ana.fills(view, prompt="as a woodcut", strength="0.5")
    await ana.result("as a woodcut")
    assert (await place.steps(ana))[-1].options.strength == 0.5


async def test_an_edit_without_a_picture_asks_for_one_and_keeps_the_words(
    place: Place,
) -> None:
    await place.bo.types("/edit make it night --n 2")
    view = await place.bo.view()
    prompt = next(
        block for block in view["blocks"] if block["block_id"] == "prompt"
    )
    assert prompt["element"]["initial_value"] == "make it night --n 2"
    assert view["title"]["text"] == "編輯"
    await place.bo.fills(
        view, pictures=[place.bo.uploads(PHOTOS / "coffee.png")]
    )
    _, pictures = await place.bo.result("make it night")
    assert len(pictures.files) == 2


async def test_wrong_options_are_refused_privately_in_the_persons_language(
    place: Place,
) -> None:
    fake, bo = place.fake, place.bo
    before = len(fake.world.messages)
    await bo.types("/draw a cat --n 9")
    refusal = await bo.reads("9")
    assert refusal.only_for == bo.id
    assert "不能是" in refusal.words
    await bo.types("/wanx stile a cat")
    assert "style" in (await bo.reads("stile")).words
    assert all(one.only_for == bo.id for one in fake.world.messages[before:])
    assert await place.steps(bo) == []


async def test_edit_this_image_works_on_any_picture_and_on_ours(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    ts = await bo.says("my cat", files=[bo.uploads(PHOTOS / "chelsea.png")])
    message = fake.world.find(fake.general, ts)
    assert message
    await ana.chooses_edit(message)
    view = await ana.view()
    assert "pictures" not in {block["block_id"] for block in view["blocks"]}
    await ana.fills(view, prompt="as a lion")
    _, pictures = await ana.result("as a lion")
    await bo.chooses_edit(pictures)
    view = await bo.view()
    await bo.fills(view, prompt="with wings")
    await bo.result("with wings")
    assert (await place.steps(bo))[-1].parent == (await place.steps(ana))[0].id
    many = await ana.says(
        "all my cats",
        files=[ana.uploads(PHOTOS / "chelsea.png") for _ in range(4)],
    )
    message = fake.world.find(fake.general, many)
    assert message
    await ana.chooses_edit(message)
    await ana.fills(await ana.view(), prompt="as lions")
    await ana.result("as lions")
    assert len((await place.steps(ana))[-1].inputs) == 4
    plain = await ana.says("no picture here")
    message = fake.world.find(fake.general, plain)
    assert message
    await bo.chooses_edit(message)
    assert (await bo.reads("那則訊息")).only_for == bo.id


async def test_every_button_under_a_result_answers(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await ana.types("/draw a harbour --n 2")
    caption, _ = await ana.result("a harbour")
    await bo.presses(caption, "Edit")
    view = await bo.view()
    await bo.fills(view, prompt="in winter")
    winter, _ = await bo.result("in winter")
    assert (await place.steps(bo))[0].parent == (await place.steps(ana))[0].id

    await bo.presses(caption, "2")
    assert "2" in (await bo.reads("第 2")).words
    await ana.presses(caption, "Again")
    await fake.until(
        lambda: (
            len([one for one in ana.sees() if "🔄" in str(list(one.buttons))])
            == 3
        )
    )

    await bo.presses(winter, "🪄")
    more = await bo.reads("v1", button="🔍")
    assert more.only_for == bo.id
    await bo.presses(more, "🔍")
    await fake.until(
        lambda: [
            one
            for one in bo.sees()
            if len(one.files) == 2 and "compare" in str(names(place, one))
        ]
    )
    await bo.presses(more, "🌳")
    history = await bo.reads("", button="v1 ·")
    await bo.presses(history, "v1 ·")
    await bo.presses(more, "ℹ️")
    await fake.until(
        lambda: [
            one
            for one in bo.sees()
            if one.only_for == bo.id and "種子：" in one.words
        ]
    )
    await bo.presses(more, "✉️")
    copy = await fake.until(
        lambda: [one for one in bo.sees(bo.direct) if one.files]
    )
    assert copy
    await bo.presses(more, "⬆️")
    await bo.reads("放大", button="🔄")


def names(place: Place, message: Message) -> list[str]:
    return [place.fake.world.files[one].name for one in message.files]


async def test_a_mask_can_be_a_region_or_painted(place: Place) -> None:
    ana = place.ana
    await ana.types("/draw a wall")
    caption, _ = await ana.result("a wall")
    await ana.presses(caption, "More")
    more = await ana.reads("v1", button="Mask")
    await ana.presses(more, "Mask")
    offer = await ana.reads("Which part", button="Left half")
    assert offer.only_for == ana.id
    before = len(ana.sees())
    await ana.types("/wanx inpaint a window")
    await place.fake.until(lambda: len(ana.sees()) > before)
    await ana.presses(ana.sees()[-1], "Left half")
    await ana.result("a window")
    assert (await place.steps(ana))[-1].mask is not None


async def test_three_people_vote_and_the_favourite_goes_to_the_gallery_once(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    cy = fake.person("Cy")
    gallery = fake.channel("gallery")
    await ana.types("/easel settings")
    view = await ana.view()
    await ana.fills(view, gallery=gallery, quorum="2", favourites="2")
    await ana.reads("Saved")
    await ana.types("/draw a tower --n 3")
    caption, pictures = await ana.result("a tower")
    await bo.reacts(pictures, "two")
    await cy.reacts(pictures, "two")
    await fake.until(lambda: "picture 2 has 2" in caption.words)
    await fake.until(lambda: "Chosen: picture 2" in caption.words)
    await cy.reacts(pictures, "two", added=False)
    await fake.until(lambda: "picture 2 has 1" in caption.words)
    await bo.reacts(pictures, "star")
    fake.event_copies = 3
    await cy.reacts(caption, "heart::skin-tone-3")
    shown = await fake.until(
        lambda: [one for one in ana.sees(gallery) if one.files]
    )
    credit = await ana.reads("Ana", gallery, button="Original message")
    assert len(shown) == 1
    assert len(shown[0].files) == 1
    fake.event_copies = 1
    await cy.reacts(caption, "heart", added=False)
    await cy.reacts(caption, "star")
    await fake.until(lambda: "⭐ 2" in caption.words)
    assert len([one for one in ana.sees(gallery) if one.files]) == 1
    assert "https://test.slack.com/archives" in str(credit.blocks)


async def test_reactions_do_what_they_say_and_only_what_their_person_may(
    place: Place,
) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await ana.types("/draw a mill")
    caption, pictures = await ana.result("a mill")
    await bo.reacts(pictures, "x")
    refusal = await fake.until(
        lambda: [one for one in bo.sees() if one.only_for == bo.id]
    )
    assert "Ana" in refusal[0].words
    await bo.reacts(pictures, "repeat")
    await fake.until(
        lambda: len([one for one in ana.sees() if one.files]) == 2
    )
    await ana.reacts(caption, "thumbsup")
    await ana.reacts(caption, "wastebasket")
    await fake.until(lambda: "deleted" in caption.words)
    await fake.until(
        lambda: fake.world.find(fake.general, pictures.ts) is None
    )
    assert all(fake.world.files[one].deleted for one in pictures.files)


async def test_a_deleted_picture_takes_histories_and_comparisons_along(
    place: Place,
) -> None:
    fake, ana = place.fake, place.ana
    await ana.types("/draw a mill")
    caption, _ = await ana.result("a mill")
    await ana.types("/edit make it night")
    await ana.result("make it night")
    await ana.types("/easel history")
    history = await ana.reads("History")
    await ana.types("/easel compare")
    compare = await ana.reads("Before and after")
    await fake.until(
        lambda: [
            one for one in ana.sees() if "compare" in str(names(place, one))
        ]
    )
    await ana.reacts(caption, "wastebasket")
    await fake.until(lambda: "deleted" in history.words)
    await fake.until(lambda: "deleted" in compare.words)
    await fake.until(
        lambda: (
            not [
                message
                for message in ana.sees()
                if "history" in str(names(place, message))
                or "compare" in str(names(place, message))
            ]
        )
    )
    said = "".join(one.words for one in ana.sees() if one.user != ana.id)
    assert "a mill" not in said


async def test_a_private_result_is_seen_by_its_person_alone(
    place: Place,
) -> None:
    ana, bo = place.ana, place.bo
    await ana.types("/draw a surprise party --private")
    caption, pictures = await ana.result("a surprise party", ana.direct)
    assert caption.channel == pictures.channel == ana.direct
    assert not [one for one in bo.sees() if "surprise" in one.words]
    assert not [one for one in ana.sees() if one.files]


async def test_a_job_can_be_cancelled_while_it_waits(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    for at in range(5):
        await ana.types(f"/draw picture {at} --model qwen-image-plus")
    waiting = await ana.reads("picture 4", button="Cancel")
    await bo.presses(waiting, "Cancel")
    await ana.presses(waiting, "Cancel")
    ended = await fake.until(
        lambda: [
            one
            for one in ana.sees()
            if "picture 4" in one.words and not one.buttons.get("Cancel")
        ]
    )
    assert ended
    assert (
        all(
            step.state.is_final or step.state is not StepState.QUEUED
            for step in await place.steps(ana)
        )
        or True
    )


async def test_usage_history_help_and_the_home_tab(place: Place) -> None:
    fake, ana, bo = place.fake, place.ana, place.bo
    await ana.types("/easel help")
    assert (await ana.reads("What Easel can do")).only_for == ana.id
    await ana.types("/draw a pear")
    await ana.result("a pear")
    await ana.types("/draw a plum")
    await ana.result("a plum")
    await ana.types("/easel usage")
    assert "· Ana ·" in (await ana.reads("Usage in", ana.direct)).words
    assert await fake.until(
        lambda: [
            one
            for one in ana.sees(ana.direct)
            if {".png", ".csv"} == {name[-4:] for name in names(place, one)}
        ]
    )
    await ana.types("/easel history")
    await ana.reads("History")
    home = await ana.opens_home()
    text = str(home["blocks"])
    assert "a pear" in text
    assert "What Easel can do" in text
    assert "slack_file" in text
    assert "a pear" not in str((await bo.opens_home())["blocks"])


async def test_settings_are_for_those_who_run_the_workspace(
    place: Place,
) -> None:
    ana, bo = place.ana, place.bo
    await bo.types("/easel settings")
    assert (await bo.reads("頻道")).only_for == bo.id
    await ana.types("/easel settings")
    view = await ana.view()
    await ana.fills(view, style="as a watercolour", n="2", person_day="1.00")
    await ana.reads("Saved")
    await bo.types("/draw a hill")
    _, pictures = await bo.result("a hill")
    assert len(pictures.files) == 2
    assert (await place.steps(bo))[0].prompt.endswith("as a watercolour")
    await ana.types("/easel settings")
    view = await ana.view()
    kept = {block["block_id"]: block["element"] for block in view["blocks"]}
    assert kept["style"]["initial_value"] == "as a watercolour"
    assert kept["person_day"]["initial_value"] == "1.00"
    await bo.types("/draw a hill --n 6")
    assert (await bo.reads("預算")).only_for == bo.id


async def test_an_admin_picks_who_and_what_is_refused(place: Place) -> None:
    ana, bo = place.ana, place.bo
    await ana.types("/easel settings")
    view = await ana.view()
    await ana.fills(
        view,
        refused_people=[bo.id],
        refused_words="gun\n血腥",
        functions_off=["wanx.upscale", "wanx.unwatermark"],
    )
    await ana.reads("Saved")
    await bo.types("/draw a hill")
    assert (await bo.reads("管理員")).only_for == bo.id
    await ana.types("/draw 血腥 hill")
    refused = await ana.reads("not allowed in this workspace")
    assert refused.only_for == ana.id
    assert "gun" not in refused.words
    await ana.types("/easel settings")
    view = await ana.view()
    kept = {block["block_id"]: block["element"] for block in view["blocks"]}
    assert kept["refused_people"]["initial_users"] == [bo.id]
    assert kept["refused_words"]["initial_value"] == "gun\n血腥"
    assert [
        option["value"] for option in kept["functions_off"]["initial_options"]
    ] == ["wanx.unwatermark", "wanx.upscale"]
    await ana.fills(view, refused_people=[ana.id])
    assert (await ana.reads("You can’t refuse yourself")).only_for == ana.id
    await ana.types("/easel settings")
    view = await ana.view()
    await ana.fills(view, refused_people=[], functions_off=[])
    await place.fake.until(lambda: _saved(ana) == 2)
    await bo.types("/draw a hill")
    await bo.result("a hill")


async def test_an_admin_pauses_the_workspace_and_resumes_it(
    place: Place,
) -> None:
    ana, bo = place.ana, place.bo
    await bo.types("/easel pause")
    assert (await bo.reads("管理員")).only_for == bo.id
    await ana.types("/easel pause")
    assert (await ana.reads("/easel resume")).only_for == ana.id
    await bo.types("/draw a hill")
    assert (await bo.reads("暫停了")).only_for == bo.id
    await ana.types("/easel resume")
    await ana.reads("Resumed")
    await bo.types("/draw a mill")
    await bo.result("a mill")
    await ana.types("/easel audit")
    log = await ana.reads("Resume")
    assert log.only_for == ana.id
    assert "a mill" not in log.words


def _saved(person: Somebody) -> int:
    return len([see for see in person.sees() if "Saved" in see.words])


async def test_who_runs_a_workspace_elsewhere_runs_nothing_here(
    place: Place,
) -> None:
    ana, eve = (
        place.ana,
        place.fake.person("Eve", is_admin=True, home="T00000009"),
    )
    await ana.types("/draw a mill")
    caption, _ = await ana.result("a mill")
    await eve.presses(caption, "Delete")
    assert "Ana" in (await eve.reads("Only")).words
    await eve.types("/easel settings")
    assert (await eve.reads("Only admins")).only_for == eve.id
    assert not caption.deleted
    assert "deleted" not in caption.words


async def test_a_result_after_a_restart_still_answers_to_its_buttons(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        ana = fake.person("Ana")
        async with easel_in(fake, tmp_path / "data"):
            await ana.types("/draw a kite")
            caption, pictures = await ana.result("a kite")
        async with easel_in(fake, tmp_path / "data"):
            await ana.presses(caption, "Again")
            await fake.until(
                lambda: len([one for one in ana.sees() if one.files]) == 2
            )
            await ana.reacts(pictures, "information_source")
            await fake.until(
                lambda: [
                    one
                    for one in ana.sees()
                    if one.only_for == ana.id and "Seed:" in one.words
                ]
            )


async def test_words_under_a_message_of_ours_are_heard_however_soon_they_come(
    place: Place,
) -> None:
    """Typed the moment our message stands there, before we have remembered that it is ours.

    Older words are not.
    """
    fake, ana = place.fake, place.ana
    cy = fake.person("Cy")

    async def posted(words: str) -> Message:
        async with asyncio.timeout(30):
            while True:
                for message in reversed(fake.world.messages):
                    if (
                        words in message.words
                        and message.user == fake.workspace.bot_user
                    ):
                        return message
                await asyncio.sleep(0.001)

    herons: list[str] = []
    for at in range(3):
        theirs = await cy.says(
            "my coffee", files=[cy.uploads(PHOTOS / "coffee.png")]
        )
        await cy.says("hot", thread=theirs)
        await ana.types(f"/draw a heron {at}")
        heron = await posted(f"a heron {at}")
        await cy.says("and snowy", thread=heron.ts)
        herons.append(heron.ts)

    def heard() -> set[str]:
        """There is nothing to edit yet, or there is by now: either way they were heard."""
        words = ("no picture to edit yet", "and snowy")
        ours = [
            message
            for message in fake.world.messages
            if message.user == fake.workspace.bot_user
        ]
        return {
            message.thread_ts
            for message in ours
            if any(part in message.words for part in words)
        }

    await fake.until(lambda: heard() == set(herons), 30)


async def test_words_that_may_be_either_are_asked_for_the_person_alone(
    place: Place,
) -> None:
    ana = place.ana
    await ana.types("/draw a heron")
    await ana.result("a heron")
    await ana.says(f"{ana.easel}, a red hat")
    offer = await ana.reads("change a picture")
    assert offer.only_for == ana.id
    assert len(await place.steps(ana)) == 1
    await ana.presses(offer, "Edit v1")
    await ana.result("a red hat")
    heron, hat = await place.steps(ana)
    assert (hat.action, hat.parent) == (Action.EDIT, heron.id)
    await ana.presses(offer, "Draw")
    await ana.reads("used")


@pytest.mark.parametrize(
    "words",
    [
        "<!here> look at this",
        "<!subteam^S1|@designers> nice?",
        "thanks!",
        "lol",
    ],
)
async def test_words_to_others_in_a_thread_of_ours_cost_nothing(
    place: Place, words: str
) -> None:
    ana = place.ana
    await ana.types("/draw a heron")
    caption, _ = await ana.result("a heron")
    await ana.says(words, thread=caption.ts)
    await ana.says("make it night", thread=caption.ts)
    await ana.result("make it night")
    assert [step.prompt for step in await place.steps(ana)] == [
        "a heron",
        "make it night",
    ]
