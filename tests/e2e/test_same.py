"""The same request is the same on Slack, Discord and in the room.

What people read is compared; what they see is saved in out/same/: one picture for each language,
every row one moment of the story on the three, and three.png, which shows one on all three.
"""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont
from playwright.async_api import Browser, Locator, Page, expect

from core.i18n import translate
from tests.conftest import PHOTOS
from tests.fakes.browser import CHROMIUM, NEEDS_CHROMIUM, chromium, window
from tests.fakes.forking import ROOT
from tests.fakes.pages import discord as discord_page
from tests.fakes.pages import draw
from tests.fakes.pages import slack as slack_page
from tests.fakes.pages.seen import Read, Seen
from tests.fakes.stages import NAME, InRoom, Stage, stages

KEPT = ROOT / "out" / "same"
MARKUP = (
    "**bold** <@U123> [bank](https://evil.tld) & <tag> @everyone ||x|| "
    "`y` ~~z~~ :our_logo: *i* https://evil.tld"
)
PROMPTS = {
    "en": (f"a red fox {MARKUP}", f"make it night {MARKUP}", "a secret"),
    "zh-CN": (f"一只红狐狸在雪中 {MARKUP}", f"改成夜晚 {MARKUP}", "一个秘密"),
}
MOMENTS = ("drawn", "history", "edited", "chosen", "more", "failed", "secret")
PRIVATE = {"more", "refused", "secret"}
BUSY, AT_SERVICE = "qwen-image", 4
VERSION = re.compile(r"\bv\d+")
WIDTH, GAP, HIGH, TALL = 460, 10, 1030, 6000
GREY = "#8a8f98"
ALONE = dict.fromkeys(
    [("slack", "secret"), ("discord", "secret")], ", in the direct message"
)
PLACES = ("slack", "discord", "room")


in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser | None]:
    """None where there is no Chromium."""
    if not CHROMIUM:
        yield None
        return
    async with chromium() as opened:
        yield opened


class Moment(NamedTuple):
    """What is read in a message, and the message as it looks at that moment."""

    read: Read
    shown: Any


Told = dict[str, Moment]


async def look(stage: Stage, message: Any) -> Moment:
    return Moment(await stage.reads(message), stage.shows(message))


async def story(stage: Stage, locale: str) -> Told:
    """Draw, look back, edit by answering, choose, ask for more, fail, keep a secret, be refused."""
    prompt, edit, _ = PROMPTS[locale]
    found: dict[str, Any] = {}
    await stage.types(f"/draw {prompt} --n 2 --seed 5 --size 512*512")
    found["drawn"] = await stage.finds(prompt, button="🔄")
    await stage.types("/easel history")
    found["history"] = await stage.finds(
        translate("history.title", locale), button="v1"
    )
    await stage.answers(found["drawn"], f"{edit} --seed 6 --size 512*512")
    found["edited"] = await stage.finds(edit, button="🔄")
    await asyncio.gather(
        goes_on(stage, locale, found),
        fails(stage, locale, found),
        hides(stage, locale, found),
    )
    message, read = await stage.refused("/draw a cat --n 9")
    refused = Moment(read, stage.shows(message) if message else None)
    return {
        **{name: await look(stage, found[name]) for name in MOMENTS},
        "refused": refused,
    }


async def goes_on(stage: Stage, locale: str, found: dict[str, Any]) -> None:
    await stage.presses(found["drawn"], "2")
    found["chosen"] = await stage.finds(_begin("session.moved", locale))
    await stage.presses(found["edited"], translate("button.more", locale))
    found["more"] = await stage.finds(_begin("more.text", locale, version=2))


async def fails(stage: Stage, locale: str, found: dict[str, Any]) -> None:
    await stage.types(f"/draw [moderation] {PROMPTS[locale][0]}")
    found["failed"] = await stage.finds(
        "[moderation]", button=translate("button.retry", locale)
    )


async def hides(stage: Stage, locale: str, found: dict[str, Any]) -> None:
    secret = PROMPTS[locale][2]
    await stage.types(f"/draw {secret} --private --seed 7 --size 512*512")
    found["secret"] = await stage.finds(secret, button="🔄")


async def waits(stage: Stage, locale: str) -> tuple[Any, Moment]:
    """A job in line."""
    await stage.types(f"/draw {PROMPTS[locale][0]} --model {BUSY}")
    found = await stage.finds(
        PROMPTS[locale][0], BUSY, button=translate("button.cancel", locale)
    )
    return found, await look(stage, found)


async def gives_up(stage: Stage, waiting: Any, locale: str) -> Moment:
    """It is cancelled."""
    await stage.presses(waiting, translate("button.cancel", locale))
    return await look(
        stage,
        await stage.finds(
            PROMPTS[locale][0], translate("status.cancelled", locale)
        ),
    )


def _begin(key: str, locale: str, version: int = 1) -> str:
    return translate(
        key, locale, version=version, name="#", picture=2, person=""
    ).partition("#")[0]


@in_one_loop
@pytest.mark.parametrize("locale", PROMPTS)
async def test_the_same_request_is_the_same_everywhere(
    tmp_path: Path, browser: Browser | None, locale: str, is_nightly: bool
) -> None:
    # By day one language is looked at in a browser; what is read is compared in each.
    is_seen = is_nightly or locale == "en"
    async with stages(tmp_path / "data", locale) as there:
        # First, and not meanwhile: what somebody else's jobs say may come between a picture and its
        # words in Slack.
        await there.fill_the_line(BUSY, AT_SERVICE)
        all_told = await asyncio.gather(
            *(story(stage, locale) for stage in there)
        )
        shots: dict[str, Image.Image] = {}
        for stage, told in zip(there, all_told, strict=True):
            message, told["waiting"] = await waits(stage, locale)
            if stage is there.room and browser and is_seen:
                shots = await photograph(browser, all_told, there.room)
            told["cancelled"] = await gives_up(stage, message, locale)
        for moment in all_told[0]:
            same(moment, [told[moment].read for told in all_told])
        as_it_should_be(
            {name: one.read for name, one in all_told[0].items()}, locale
        )
        only_where_it_is_shown_differs(
            *(told["edited"].shown for told in all_told[:2])
        )
    if not browser:
        pytest.skip(
            "they read the same; to see them it "
            + NEEDS_CHROMIUM.kwargs["reason"]
        )
    if not is_seen:
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    join_pictures(shots, [*MOMENTS, "refused", "waiting"]).save(
        KEPT / f"{locale}.png"
    )


def test_markup_that_is_not_escaped_would_be_seen() -> None:
    """The interpreters do interpret; else all of this would prove nothing."""
    looks = {
        look
        for one in discord_page.spans(
            f"# head\n{MARKUP} <@123> __u__ <t:1>\n> quote"
        )
        for look in one.looks
    }
    blocks = {"line #", "line >", "time", "underline"}
    inline = {
        "bold",
        "masked link",
        "mention",
        "spoiler",
        "code",
        "strike",
        "emoji",
        "italic",
        "link",
    }
    assert looks == blocks | inline
    assert [
        one.text for one in discord_page.spans(r"\*\*a\*\* 1\. \:smile:")
    ] == ["**a** 1. :smile:"]


def same(moment: str, reads: Sequence[Read]) -> None:
    """Nothing differs but what ``_general`` takes away."""
    slack, discord, room = (_general(moment, one) for one in reads)
    assert slack == room, moment
    assert discord == room, moment


def _general(moment: str, read: Read) -> Read:
    """The text without what differs: the name of a history's picture, versions after an edit.

    In Slack an answer stands in a thread, which counts its own versions and redoes its own edits.
    A refused command still stands in the room's composer; Discord, which has thrown it away,
    offers it back with a button.
    """
    if moment == "refused":
        return read._replace(buttons=())
    if moment == "chosen":
        kept = [one for one in read.buttons if not one.startswith("↪️")]
        return read._replace(buttons=tuple(kept))
    if moment == "history":
        return read._replace(
            pictures=tuple(
                ((size, ""), alt) for (size, _), alt in read.pictures
            ),
        )
    if moment == "secret":
        lines = tuple(VERSION.sub("v", one) for one in read.lines)
        return read._replace(
            lines=lines,
            pictures=tuple(
                (seen, VERSION.sub("v", alt)) for seen, alt in read.pictures
            ),
        )
    return read


def as_it_should_be(reads: Mapping[str, Read], locale: str) -> None:
    """Check that it is not only the same everywhere, but right."""
    prompt, edit, _ = PROMPTS[locale]
    names = [
        translate(f"button.{one}", locale)
        for one in ("edit", "undo", "again", "more", "delete")
    ]
    drawn, edited, more = reads["drawn"], reads["edited"], reads["more"]
    assert (drawn.title, edited.title) == (prompt, edit)
    assert drawn.buttons == (*names, "1", "2")
    assert edited.buttons == tuple(names)
    assert drawn.dangerous == (names[-1],)
    assert [
        len(one.lines)
        for one in (drawn, edited, more, reads["failed"], reads["refused"])
    ] == [1] * 5
    assert all(part in drawn.lines[0] for part in (NAME, "512×512", "v1", "¥"))
    assert len({pixels for pixels, _ in drawn.pictures}) == 2
    assert all(prompt in alt and "v1" in alt for _, alt in drawn.pictures)
    assert reads["chosen"].pictures == drawn.pictures[1:]
    assert len(more.buttons) == 11
    assert reads["waiting"].progress == "0%"
    assert reads["waiting"].buttons == (translate("button.cancel", locale),)
    assert (
        translate("status.in_line", locale, position=5, seconds=60)
        in reads["waiting"].lines
    )
    assert reads["cancelled"].buttons == ()
    uncharged = [
        reads[one].lines[-1] for one in ("refused", "failed", "cancelled")
    ]
    assert all(
        line.endswith(translate("status.charged.no", locale))
        for line in uncharged
    )
    assert {name for name, one in reads.items() if one.private} == PRIVATE


def only_where_it_is_shown_differs(slack: Seen, discord: Seen) -> None:
    """Check that Slack and Discord differ only in where a result is posted.

    Slack's pictures stand in the thread, Discord's in the reply itself.
    """
    assert slack.pictures == ()
    assert [len(one.pictures) for one in slack.thread] == [1]
    assert len(discord.pictures) == 1
    assert discord.quoted
    assert discord.quoted[0] == NAME


# How it looks


@asynccontextmanager
async def room_page(
    browser: Browser, room: InRoom, height: int
) -> AsyncIterator[Page]:
    """Ana comes back to her window."""
    address = room.house.address
    async with window(
        browser, address, viewport={"width": WIDTH, "height": height}
    ) as watched:
        watched.expected = {422}
        await watched.context.add_init_script(
            f"sessionStorage.setItem('easel.key', '{room.ana.key}')"
        )
        await watched.page.goto(f"{address}/room?lang={room.locale}")
        await expect(
            watched.page.locator("#messages .message").first
        ).to_be_visible()
        yield watched.page


async def photograph(
    browser: Browser, all_told: Sequence[Told], room: InRoom
) -> dict[str, Image.Image]:
    """Every moment on every platform, by "platform moment".

    The room's page must show what its server told.
    """
    shots: dict[str, Image.Image] = {}
    async with window(
        browser, "about://", viewport={"width": WIDTH, "height": TALL}
    ) as watched:
        for platform, told in zip(PLACES[:2], all_told, strict=False):
            shown = {name: one.shown for name, one in told.items()}
            await watched.page.set_content(draw.page(platform, shown))
            found = await cut(
                watched.page, {name: f"[data-moment={name}]" for name in shown}
            )
            shots |= {f"{platform} {name}": one for name, one in found.items()}
    told = all_told[2]
    async with room_page(browser, room, TALL) as page:
        await page.fill("#composer textarea", "/draw a cat --n 9")
        await page.keyboard.press("Escape")
        await page.press("#composer textarea", "Enter")
        await expect(page.locator("#composer [role=alert]")).to_have_text(
            told["refused"].read.lines[0]
        )
        await loaded(page.locator("#messages"))
        for one in (one for one in told.values() if one.shown):
            await check_page(page, one)
        spots = {
            name: f"#messages [data-message='{one.shown}']"
            for name, one in told.items()
        }
        found = await cut(page, {**spots, "refused": "#composer"})
    return shots | {f"room {name}": one for name, one in found.items()}


SHOWN = """one => {
  const right = (found) => found.getBoundingClientRect().right;
  const texts = (which) => [...one.querySelectorAll(which)].map((found) => found.innerText);
  return {
    title: texts(".title").join(), text: texts(".text").join(),
    only_you: texts(".only-you").length > 0,
    progress: [...one.querySelectorAll("progress")]
      .map((bar) => `${Math.round(bar.value * 100)}%`).join(),
    buttons: texts(".row:not(.marks) > button, .row > a.button"), dangerous: texts("button.danger"),
    menu: [...one.querySelectorAll("option")].slice(1).map((found) => found.innerText),
    pictures: [...one.querySelectorAll(".shot")].map((found) => {
      const image = found.querySelector("img");
      return [found.getAttribute("aria-label"), image.naturalWidth, image.naturalHeight];
    }),
    // On a phone the row of actions scrolls sideways; it stands inside, what it holds need not.
    outside: [...one.querySelectorAll(":not(.actions *)")]
      .filter((found) => right(found) > right(one) + 1).length,
  };
}"""


async def check_page(page: Page, moment: Moment) -> None:
    """The page of the room, read as it stands."""
    shown = await page.locator(
        f"#messages [data-message='{moment.shown}']"
    ).evaluate(SHOWN)
    read = moment.read
    assert shown["title"] == read.title
    assert shown["text"].split("\n") == list(read.lines)
    assert (shown["only_you"], shown["progress"]) == (
        read.private,
        read.progress,
    )
    assert (tuple(shown["buttons"]), tuple(shown["dangerous"])) == (
        read.buttons,
        read.dangerous,
    )
    assert tuple(shown["menu"]) == read.menu
    assert [tuple(one[1:]) for one in shown["pictures"]] == [
        size for (size, _), _ in read.pictures
    ]
    assert all(
        alt in one[0]
        for one, (_, alt) in zip(shown["pictures"], read.pictures, strict=True)
    )
    assert shown["outside"] == 0


async def cut(page: Page, spots: Mapping[str, str]) -> dict[str, Image.Image]:
    """Elements out of one picture of the page. Everything must stand inside it."""
    await loaded(page.locator("body"))
    whole = await picture_of(page)
    shots = {}
    for name, spot in spots.items():
        box = await page.locator(spot).bounding_box()
        assert box, name
        left, top = round(box["x"]), round(box["y"])
        right, low = left + round(box["width"]), top + round(box["height"])
        assert 0 <= left < right <= whole.width, name
        assert 0 <= top < low <= whole.height, name
        shots[name] = whole.crop((left, top, right, low))
    return shots


async def picture_of(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(await page.screenshot())).convert("RGB")


async def loaded(inside: Locator) -> None:
    await inside.evaluate(
        "one => Promise.all([...one.querySelectorAll('img')].map((image) => image.decode()))"
    )


def join_pictures(
    shots: Mapping[str, Image.Image], moments: Sequence[str]
) -> Image.Image:
    """A row for each moment, a column for each platform."""
    head = 34
    rows = [
        [shots[f"{platform} {moment}"] for platform in PLACES]
        for moment in moments
    ]
    heights = [max(one.height for one in row) + head + GAP for row in rows]
    whole = Image.new(
        "RGB", (3 * (WIDTH + GAP) + GAP, sum(heights) + GAP), GREY
    )
    pen, font, top = ImageDraw.Draw(whole), ImageFont.load_default(18), GAP
    for moment, row, height in zip(moments, rows, heights, strict=True):
        for at, (platform, one) in enumerate(zip(PLACES, row, strict=True)):
            left = GAP + at * (WIDTH + GAP)
            pen.text(
                (left, top + 4),
                f"{platform}: {moment}{ALONE.get((platform, moment), '')}",
                fill="#ffffff",
                font=font,
            )
            whole.paste(one, (left, top + head))
        top += height
    return whole


@pytest.mark.nightly
@in_one_loop
@NEEDS_CHROMIUM
async def test_one_photo_edited_on_all_three_side_by_side(
    tmp_path: Path, browser: Browser
) -> None:
    """Draw one edit on the three platforms side by side, as out/same/three.png."""
    words = "make it snow"
    async with stages(tmp_path / "data", "en") as there:
        said = await asyncio.gather(
            *(
                stage.gives(PHOTOS / "chelsea.png", f"{words} --seed 3")
                for stage in there
            )
        )
        results = await asyncio.gather(
            *(stage.finds(words, button="🔄") for stage in there)
        )
        reads = [
            await stage.reads(one)
            for stage, one in zip(there, results, strict=True)
        ]
        same("edited", reads)
        caption = there.slack.shows(results[0])
        in_thread = (replace(caption, thread=()), *caption.thread)
        in_slack = {
            "said": replace(
                slack_page.read_message(there.slack.fake.world, said[0]),
                thread=in_thread,
            )
        }
        in_discord = {
            "said": discord_page.read_message(
                there.discord.fake.world, said[1]
            ),
            "result": there.discord.shows(results[1]),
        }
        shots = []
        async with window(
            browser, "about://", viewport={"width": WIDTH, "height": HIGH}
        ) as watched:
            for platform, shown in (
                ("slack", in_slack),
                ("discord", in_discord),
            ):
                await watched.page.set_content(
                    draw.page(platform, shown, "# general")
                )
                shots.append(await picture_of(watched.page))
        async with room_page(browser, there.room, HIGH) as page:
            await loaded(page.locator("#messages"))
            await page.locator(
                "#messages [data-tone=said]"
            ).scroll_into_view_if_needed()
            shots.append(await picture_of(page))
    whole = Image.new("RGB", (3 * WIDTH + 2 * GAP, HIGH), GREY)
    for at, one in enumerate(shots):
        whole.paste(one, (at * (WIDTH + GAP), 0))
    KEPT.mkdir(parents=True, exist_ok=True)
    whole.quantize(256, dither=Image.Dither.NONE).save(
        KEPT / "three.png", optimize=True
    )
