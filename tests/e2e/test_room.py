"""The web room and the painter in a real browser, from an empty room to all a team does in it."""

import asyncio
import io
import os
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageChops
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from bot.simulator.server import SimulatorConfig, serve
from core.languages import languages
from tests.conftest import PHOTOS
from tests.fakes.browser import NEEDS_CHROMIUM, Watched, chromium, window
from tests.fakes.demo import Demo
from tests.fakes.lives import ROOT, Parent, forking_parent

pytestmark = [NEEDS_CHROMIUM, pytest.mark.asyncio(loop_scope="module")]
SHOTS = ROOT / "out" / "screenshots"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def demo(parent: Parent, tmp_path: Path) -> AsyncIterator[Demo]:
    started = Demo(parent=parent, data=tmp_path / "demo")
    await started.start()
    yield started
    if started.is_running:
        assert await started.stop() == 0


async def enter(
    page: Page, demo: Demo, name: str, language: str = "en"
) -> None:
    await page.goto(f"{demo.address}/room?lang={language}")
    await page.fill("#name", name)
    await page.click("#enter button.primary")
    await expect(page.locator("#messages .message").first).to_be_visible()


async def say(page: Page, text: str, *, form: str = "#composer") -> None:
    await page.fill(f"{form} textarea", text)
    await page.press(f"{form} textarea", "Enter")


def message(
    page: Page, tone: str, text: str, *, within: str = "#messages"
) -> Locator:
    return page.locator(f"{within} [data-tone={tone}]", has_text=text).last


async def result(
    page: Page, text: str, *, within: str = "#messages"
) -> Locator:
    found = message(page, "result", text, within=within)
    await expect(found).to_be_visible(timeout=30_000)
    return found


async def reply(page: Page, to: Locator, text: str) -> None:
    await to.locator("[data-tool=reply]").click()
    await say(page, text)


async def react(to: Locator, emoji: str) -> None:
    await to.locator("[data-tool=react]").click()
    await to.locator(f"[data-emoji='{emoji}']").click()


async def shot(watched: Watched, name: str, page: Page | None = None) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    await (page or watched.page).screenshot(path=SHOTS / f"{name}.png")


async def picture(page: Page, of: Locator, at: int = 0) -> Image.Image:
    """The picture itself, as the server gives it."""
    src = await of.locator(".shot img").nth(at).get_attribute("src")
    answer = await page.request.get(f"{page.url.partition('/room')[0]}{src}")
    assert answer.status == 200
    return Image.open(io.BytesIO(await answer.body())).convert("RGB")


async def test_the_newcomers_story(browser: Browser, demo: Demo) -> None:
    async with window(browser, demo.address) as watched:
        page = watched.page
        await page.goto(f"{demo.address}/room")
        await shot(watched, "1-door")
        await enter(page, demo, "Ana")
        await expect(page.locator("#messages")).to_contain_text(
            "Welcome to Easel"
        )
        await page.fill("#text", "/dr")
        await expect(page.locator("[role=option]").first).to_contain_text(
            "/draw"
        )
        await shot(watched, "2-completion")
        await say(page, "/draw two red foxes in the snow --n 2 --size 512*512")
        two = await result(page, "two red foxes")
        assert await two.locator(".shot").count() == 2
        await react(two, "2️⃣")
        await expect(two).to_contain_text("Votes: picture 2 has 1")
        await expect(two.locator("[data-mark='2️⃣']")).to_have_attribute(
            "aria-pressed", "true"
        )
        await two.locator("[data-kind=pick]").nth(1).click()
        await expect(message(page, "note", "Now at v1")).to_be_visible()
        await reply(page, two, "make it night")
        night = await result(page, "make it night")
        await expect(night).to_contain_text("v2")
        await night.locator("[data-kind=edit]").click()
        await page.fill("#form textarea", "add a golden moon")
        await shot(watched, "3-form")
        await page.click("#form button.primary")
        await result(page, "add a golden moon")
        await say(page, "/edit make it warmer")
        third = await result(page, "make it warmer")
        await expect(third).to_contain_text("v4")
        await shot(watched, "4-third-edit")
        await third.locator("[data-kind=undo]").click()
        await expect(message(page, "note", "Now at v3")).to_be_visible()
        await react(third, "🔁")
        await expect(
            page.locator(
                "#messages [data-tone=result]", has_text="make it warmer"
            )
        ).to_have_count(2)
        await third.locator("[data-kind=more]").click()
        more = message(page, "note", "What would you like to do")
        await expect(more).to_contain_text("Only you can see this")
        await more.locator("[data-kind=info]").click()
        await expect(message(page, "note", "Seed:")).to_be_visible()
        await more.locator("[data-tool=dismiss]").click()
        await expect(
            page.locator("#messages", has_text="What would you like to do")
        ).to_have_count(0)
        await _look_around(watched)


async def _look_around(watched: Watched) -> None:
    """History, compare, usage, full size, download."""
    page = watched.page
    await say(page, "/easel history")
    history = message(page, "note", "History")
    await expect(history.locator(".shot img")).to_be_visible()
    await shot(watched, "5-history")
    async with watched.context.expect_page() as opened:
        await history.locator("a.button").click()
    tree = await opened.value
    await expect(tree.locator(".tree .head")).to_have_count(1)
    assert await tree.locator(".tree .step").count() == 5
    assert await watched.violations(tree) == []
    await history.locator("select").select_option(index=1)
    # The first was told when the second picture was chosen.
    moved = page.locator("#messages [data-tone=note]", has_text="Now at v1")
    await expect(moved).to_have_count(2)
    await say(page, "/easel redo")
    # The page sends what is typed at once: a comparison asked for before the head has moved finds
    # no "before".
    await expect(message(page, "note", "Now at v2")).to_be_visible()
    await say(page, "/easel compare")
    compare = message(page, "note", "Before and after")
    await expect(compare.locator(".shot img").first).to_be_visible()
    async with watched.context.expect_page() as opened:
        await compare.locator("a.button").click()
    slider = await opened.value
    await expect(slider.locator("#after")).to_be_visible()
    pair = slider.locator("#pair")
    await expect(pair).to_have_attribute(
        "style", re.compile("--at")
    )  # its script is there
    await slider.wait_for_function(
        "document.querySelector('#after').naturalWidth > 0"
    )
    await slider.locator("#slider").fill("20")
    box = await pair.bounding_box()
    assert box
    await slider.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + 40)
    assert await slider.locator("#slider").input_value() in {"69", "70", "71"}
    assert await watched.violations(slider) == []
    await shot(watched, "6-compare", slider)
    await say(page, "/easel usage")
    await expect(
        message(page, "note", "Usage in").locator(".shot img")
    ).to_be_visible()
    async with page.expect_download() as saved:
        await page.locator("#messages a[download$='.csv']").click()
    assert "qwen" in Path(await (await saved.value).path()).read_text()
    await page.locator("#messages [data-tone=result] .shot").first.click()
    await expect(page.locator("#picture img")).to_be_visible()
    async with page.expect_download() as saved:
        await page.locator("#picture a[download]").click()
    assert (await saved.value).suggested_filename.endswith(".png")
    async with watched.context.expect_page() as opened:
        await page.locator("#picture a[target]").click()
    full = await opened.value
    await full.wait_for_load_state()
    await full.click("#fit")
    await expect(full.locator("#fit")).to_have_attribute(
        "aria-pressed", "true"
    )
    assert await watched.violations(full) == []
    await page.keyboard.press("Escape")


async def test_a_first_session_needs_no_slash_and_no_help(
    browser: Browser, demo: Demo
) -> None:
    async with window(browser, demo.address, locale="zh-TW") as watched:
        page = watched.page
        await page.goto(f"{demo.address}/room")
        await page.fill("#name", "Ana")
        await page.click("#enter button.primary")
        await expect(page.locator("#messages")).to_contain_text(
            "歡迎來到 Easel"
        )
        # In another language the same message says it in that language.
        await page.goto(f"{demo.address}/room?lang=en")
        await expect(page.locator("#messages")).to_contain_text(
            "Welcome to Easel"
        )
        await expect(page.locator("#demo")).to_contain_text("stand-in")
        modes = page.locator("#composer .modes")
        chosen = modes.locator("label:has(:checked)")
        await expect(chosen).to_have_text("Draw")
        await say(page, "a red fox in the snow")
        fox = await result(page, "a red fox")
        await expect(fox.locator(".frame.head")).to_be_visible()
        await expect(chosen).to_have_text("Edit v1")
        await say(page, "make it night")
        night = await result(page, "make it night")
        await expect(night).to_contain_text("v2")
        await expect(fox.locator(".frame.head")).to_have_count(0)
        await night.locator("[data-kind=undo]").click()
        back = message(page, "note", "Now at v1")
        await back.locator("[data-kind=redo]").click()
        await expect(message(page, "note", "Now at v2")).to_be_visible()
        await modes.locator("[data-mode=talk]").click()
        await say(page, "a lighthouse would be nice, too")
        await expect(
            page.locator("#messages [data-tone=said]:last-child")
        ).to_contain_text("a lighthouse")
        await modes.locator("[data-mode=draw]").click()
        # A draft stays where it was begun.
        await page.fill("#text", "a house by the sea")
        await page.locator("[data-channel=gallery]").click()
        await expect(page.locator("#text")).to_have_value("")
        await page.locator("[data-channel=general]").click()
        await expect(page.locator("#text")).to_have_value("a house by the sea")
        await page.fill("#text", "")
        await page.locator("#composer input[type=file]").set_input_files(
            [PHOTOS / "coffee.png"]
        )
        await expect(modes).to_contain_text("Edit the photo")
        assert await watched.violations() == []
        await say(page, "put a croissant next to it")
        croissant = await result(page, "put a croissant")
        await expect(croissant).to_contain_text("v3")
        await expect(chosen).to_have_text("Edit v3")
        await say(page, "make it night")
        await expect(message(page, "result", "make it night")).to_contain_text(
            "v4"
        )
        # A link to a message leads to it in this window.
        first = await fox.get_attribute("data-message")
        await page.evaluate(f"location.hash = 'general/{first}'")
        await expect(fox).to_be_in_viewport()
        await shot(watched, "first-session")


async def test_two_people_work_in_one_thread_and_fill_the_gallery(
    browser: Browser, demo: Demo
) -> None:
    async with (
        window(browser, demo.address) as ana,
        window(browser, demo.address) as bo,
    ):
        await enter(ana.page, demo, "Ana")
        await enter(bo.page, demo, "Bo")
        await say(ana.page, "/draw a blue bicycle --size 512*512")
        await (
            (await result(ana.page, "a blue bicycle"))
            .locator("[data-tool=thread]")
            .click()
        )
        await (
            (await result(bo.page, "a blue bicycle"))
            .locator("[data-tool=thread]")
            .click()
        )
        await say(bo.page, "make it night", form="#thread-composer")
        await result(ana.page, "make it night", within="#thread-messages")
        await say(ana.page, "@Bo lovely!", form="#thread-composer")
        await expect(
            message(bo.page, "said", "lovely", within="#thread-messages")
        ).to_be_visible()
        await say(ana.page, "add snow", form="#thread-composer")
        snow = await result(bo.page, "add snow", within="#thread-messages")
        await expect(snow).to_contain_text("v3")
        await shot(bo, "7-thread")
        await react(snow, "⭐")
        await react(
            await result(ana.page, "add snow", within="#thread-messages"), "❤️"
        )
        await expect(
            bo.page.locator("[data-channel=gallery] .count")
        ).to_have_text("1")
        await bo.page.click("[data-channel=gallery]")
        copy = await result(bo.page, "add snow")
        await expect(copy).to_contain_text("Ana")
        await copy.locator("a.button", has_text="Original").wait_for()
        await say(bo.page, "/draw a secret --private --size 512*512")
        await result(bo.page, "a secret")
        await ana.page.click("[data-channel=gallery]")
        await result(ana.page, "add snow")
        await expect(ana.page.locator("#messages")).not_to_contain_text(
            "a secret"
        )
        assert (
            await ana.page.locator(
                "#messages [data-tone=result]", has_text="a secret"
            ).count()
            == 0
        )
        await refuse_in_settings(ana, "Bo")
        bo.expected = {422}
        await say(bo.page, "/draw a hill")
        notice = bo.page.locator("#composer .notice")
        await expect(notice).to_contain_text("switched Easel off for you")
        assert await bo.violations() == []


async def refuse_in_settings(watched: Watched, name: str) -> None:
    """Pick a person from the list of those who may not use Easel."""
    await say(watched.page, "/easel settings")
    dialog = watched.page.locator("dialog[open]")
    people = dialog.get_by_role("group", name="People who may not use Easel")
    await people.get_by_label(name).check()
    assert await watched.violations() == []
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()


async def paint_page(watched: Watched, drawn: Locator) -> Page:
    await drawn.locator("[data-kind=more]").click()
    await watched.page.locator("[data-kind=mask]").last.click()
    link = watched.page.locator("a.button[href*='/mask/']").last
    async with watched.context.expect_page() as opened:
        await link.click()
    painter = await opened.value
    await expect(painter.locator("#status")).to_contain_text("Paint the part")
    assert painter.url.endswith("/mask/")
    return painter


async def canvas_to_picture(
    painter: Page, size: tuple[int, int]
) -> tuple[float, float, float]:
    """Left and top of the fitted picture on the page, and its scale.

    The scale is how many page pixels one of its pixels is.
    """
    box = await painter.locator("#canvas").bounding_box()
    assert box
    scale = min(
        (box["width"] - 24) / size[0], (box["height"] - 24) / size[1], 8
    )
    return (
        box["x"] + (box["width"] - size[0] * scale) / 2,
        box["y"] + (box["height"] - size[1] * scale) / 2,
        scale,
    )


def kept_mask(data: Path) -> Image.Image:
    """The newest mask the bot keeps."""
    connection = sqlite3.connect(data / "easel.db")
    query = (
        "SELECT key FROM step_pictures JOIN steps ON id = step "
        "WHERE role = 'mask' ORDER BY created DESC"
    )
    key = connection.execute(query).fetchone()[0]
    connection.close()
    return Image.open(next((data / "blobs").rglob(key))).convert("L")


def changed(before: Image.Image, after: Image.Image) -> Image.Image:
    return (
        ImageChops.difference(before, after)
        .convert("L")
        .point(lambda value: 255 if value else 0)
    )


async def test_what_is_painted_by_mouse_is_what_changes(
    browser: Browser, demo: Demo
) -> None:
    async with window(browser, demo.address) as watched:
        page = watched.page
        await enter(page, demo, "Ana")
        await say(page, "/draw a meadow --size 1024*768")
        meadow = await result(page, "a meadow")
        painter = await paint_page(watched, meadow)
        assert await watched.violations(painter) == []
        left, top, scale = await canvas_to_picture(painter, (1024, 768))
        await painter.click("#tool-rectangle")
        await painter.mouse.move(left + 200 * scale, top + 150 * scale)
        await painter.mouse.down()
        await painter.mouse.move(
            left + 400 * scale, top + 350 * scale, steps=5
        )
        await painter.mouse.up()
        await painter.click("[data-region=bottom]")
        await painter.click("#undo")
        for _ in range(2):
            await painter.click("#invert")
        await painter.mouse.move(left + 300 * scale, top + 250 * scale)
        await painter.mouse.wheel(0, -240)
        await painter.fill("#prompt", "a red barn")
        await shot(watched, "8-painter", painter)
        await painter.keyboard.press("Control+Enter")
        await expect(painter.locator("#status")).to_contain_text("Done.")
        barn = await result(page, "a red barn")
        mask = kept_mask(demo.data)
        assert mask.size == (1024, 768)
        assert sum(mask.histogram()[1:255]) == 0
        box = mask.getbbox()
        assert box
        assert all(
            abs(is_ - wanted) <= 1
            for is_, wanted in zip(box, (200, 150, 400, 350), strict=True)
        )
        assert mask.crop(box).getextrema() == (255, 255)
        difference = changed(
            await picture(page, meadow), await picture(page, barn)
        )
        assert ImageChops.subtract(difference, mask).getbbox() is None
        area = difference.getbbox()
        assert area
        assert all(
            abs(is_ - wanted) <= 12
            for is_, wanted in zip(area, box, strict=True)
        )


async def test_what_is_painted_by_touch_is_what_changes_and_two_fingers_only_move(
    browser: Browser, demo: Demo
) -> None:
    phone = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 3,
    }
    async with window(browser, demo.address, **phone) as watched:
        page = watched.page
        await enter(page, demo, "Ana")
        await say(page, "/draw a meadow --size 512*512")
        meadow = await result(page, "a meadow")
        painter = await paint_page(watched, meadow)
        assert await watched.violations(painter) == []
        left, top, scale = await canvas_to_picture(painter, (512, 512))
        session = await watched.context.new_cdp_session(painter)

        async def touch(kind: str, *spots: tuple[float, float]) -> None:
            points = [
                {"x": left + x * scale, "y": top + y * scale, "id": at}
                for at, (x, y) in enumerate(spots)
            ]
            await session.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": points},
            )

        await touch("touchStart", (50, 50))
        await touch("touchStart", (50, 50), (400, 400))
        await touch("touchMove", (60, 60), (390, 390))
        await touch("touchMove", (50, 50), (400, 400))
        await touch("touchEnd")
        await expect(painter.locator("#undo")).to_be_disabled()
        await painter.click("#zoom-fit")
        await painter.locator("#size").fill("64")
        await touch("touchStart", (128, 256))
        for x in range(144, 385, 16):
            await touch("touchMove", (x, 256))
        await touch("touchEnd")
        await expect(painter.locator("#undo")).to_be_enabled()
        await painter.fill("#prompt", "a blue pond")
        await shot(watched, "9-painter-phone", painter)
        await painter.click("#submit")
        await expect(painter.locator("#status")).to_contain_text("Done.")
        pond = await result(page, "a blue pond")
        mask = kept_mask(demo.data)
        assert mask.size == (512, 512)
        box = mask.getbbox()
        assert box
        assert all(
            abs(is_ - wanted) <= 3
            for is_, wanted in zip(box, (96, 224, 416, 288), strict=True)
        )
        difference = changed(
            await picture(page, meadow), await picture(page, pond)
        )
        assert ImageChops.subtract(difference, mask).getbbox() is None
        assert difference.getbbox()


async def test_a_job_goes_on_when_the_page_is_reloaded_in_its_middle(
    browser: Browser, parent: Parent, tmp_path: Path
) -> None:
    demo = Demo(parent=parent, data=tmp_path / "demo", time_scale=0.4)
    await demo.start()
    async with window(browser, demo.address) as watched:
        page = watched.page
        await enter(page, demo, "Ana")
        await say(page, "/draw a slow fox --size 512*512")
        await expect(message(page, "status", "a slow fox")).to_be_visible()
        await page.reload()
        await expect(page.locator("#channel-title")).to_have_text("# general")
        await result(page, "a slow fox")
        assert await page.locator("#messages [data-tone=result]").count() == 1
    assert await demo.stop() == 0


async def test_a_server_killed_in_the_middle_of_a_job_comes_back_with_its_result(
    browser: Browser, parent: Parent, tmp_path: Path
) -> None:
    async with serve(SimulatorConfig(time_scale=0.4, seed=5)) as simulator:
        service = {
            "EASEL_DASHSCOPE_URL": simulator.url,
            "EASEL_RESULT_HOSTS": simulator.host,
        }
        demo = Demo(
            parent=parent,
            data=tmp_path / "demo",
            settings={"DASHSCOPE_API_KEY": "sk-simulator", **service},
        )
        await demo.start()
        async with window(browser, demo.address) as watched:
            watched.may_lose_server = True
            page = watched.page
            await enter(page, demo, "Ana")
            await say(page, "/draw a steadfast fox --size 1328*1328")
            await expect(message(page, "status", "left")).to_be_visible()
            assert await demo.stop(signal.SIGKILL) == -signal.SIGKILL
            await expect(page.locator("#link-state")).to_have_text(
                "Reconnecting …"
            )
            await page.fill("#text", "/draw another fox")
            await page.press("#text", "Enter")
            await expect(page.locator("#composer .notice")).to_contain_text(
                "can’t be reached"
            )
            await expect(page.locator("#text")).to_have_value(
                "/draw another fox"
            )
            await demo.start()
            await expect(page.locator("#link-state")).to_have_text("")
            await result(page, "a steadfast fox")
            await page.press("#text", "Enter")
            await result(page, "another fox")
            assert (
                await page.locator("#messages [data-tone=result]").count() == 2
            )
        assert len(simulator.account.tasks) == 2
        assert await demo.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_the_demo_stopped_or_killed_in_the_middle_of_a_job_finishes_it_at_the_next_start(
    browser: Browser, parent: Parent, tmp_path: Path, number: int
) -> None:
    demo = Demo(parent=parent, data=tmp_path / "demo", time_scale=0.4)
    await demo.start()
    async with window(browser, demo.address) as watched:
        watched.may_lose_server = True
        page = watched.page
        await enter(page, demo, "Ana")
        await say(page, "/draw a patient fox --size 1328*1328")
        await expect(message(page, "status", "left")).to_be_visible()
        assert await demo.stop(number) == (
            0 if number == signal.SIGINT else -number
        )
        await demo.start()
        await result(page, "a patient fox")
    assert await demo.stop() == 0


async def test_the_next_start_shows_the_same_room_and_old_buttons_work(
    browser: Browser, demo: Demo
) -> None:
    async with window(browser, demo.address) as watched:
        watched.may_lose_server = True
        await enter(watched.page, demo, "Ana")
        await say(watched.page, "/draw a fox --size 512*512")
        await result(watched.page, "a fox")
        await asyncio.sleep(0.3)
        assert await demo.stop() == 0
        await demo.start()
        await expect(watched.page.locator("#link-state")).to_have_text("")
        await (
            (await result(watched.page, "a fox"))
            .locator("[data-kind=again]")
            .click()
        )
        await expect(
            watched.page.locator("#messages [data-tone=result]")
        ).to_have_count(2)


async def test_what_is_wrong_is_said_kindly_where_one_looks_and_nothing_is_lost(
    browser: Browser, demo: Demo, tmp_path: Path
) -> None:
    async with (
        window(browser, demo.address) as watched,
        window(browser, demo.address) as other,
    ):
        watched.expected = {403, 410, 413, 415, 422}
        page = watched.page
        await enter(page, demo, "Ana")
        notice = page.locator("#composer .notice")
        await say(page, "/draw a fox --n 99")
        await expect(notice).to_contain_text("1–6")
        await expect(page.locator("#text")).to_have_value("/draw a fox --n 99")
        assert await page.locator("#messages [data-tone=said]").count() == 0
        give = page.locator("#composer input[type=file]")
        await give.set_input_files(
            FilePayload(
                name="letter.pdf",
                mimeType="application/pdf",
                buffer=b"%PDF-1.7",
            )
        )
        await expect(notice).to_contain_text(
            "letter.pdf: That file is not a picture"
        )
        huge = tmp_path / "big.png"
        huge.touch()
        os.truncate(huge, 31 << 20)
        await give.set_input_files(huge)
        await expect(notice).to_contain_text("big.png: That file is too large")
        await say(page, "/sing a song")
        await expect(notice).to_contain_text("/draw, /edit, /wanx, /easel")
        await say(page, "/easel undo")
        await expect(notice).to_contain_text("There is nothing here yet")
        await say(page, "/draw a fox --size 512*512")
        await result(page, "a fox")
        await expect(notice).to_be_empty()
        other.expected = {422}
        await enter(other.page, demo, "Bo")
        other.page.on(
            "dialog", lambda dialog: asyncio.ensure_future(dialog.accept())
        )
        await (
            (await result(other.page, "a fox"))
            .locator("[data-kind=delete]")
            .click()
        )
        await expect(other.page.locator("#composer .notice")).to_contain_text(
            "Only Ana can do that"
        )
        await page.goto(f"{demo.address}/mask/not-a-link")
        await expect(page.locator("main")).to_contain_text("not valid")
        assert await watched.violations() == []


async def test_pictures_come_by_drop_paste_and_picker_and_a_photo_can_be_edited(
    browser: Browser, demo: Demo
) -> None:
    async with window(browser, demo.address) as watched:
        page = watched.page
        await enter(page, demo, "Ana")
        await page.locator("#composer input[type=file]").set_input_files(
            [PHOTOS / "coffee.png", PHOTOS / "rocket.jpg"]
        )
        await expect(page.locator("#composer .chip")).to_have_count(2)
        await page.locator("#composer .chip button").first.click()
        await expect(page.locator("#composer .chip")).to_have_count(1)
        data = (PHOTOS / "chelsea.png").read_bytes()
        for kind in ("drop", "paste"):
            await _hand_over(page, kind, data)
        await expect(page.locator("#composer .chip")).to_have_count(3)
        await say(page, "/edit put them side by side")
        edited = await result(page, "put them side by side")
        assert (await picture(page, edited)).width > 100
        photos = page.locator("#messages .message", has_text="Three photos")
        await photos.locator("[data-tool=edit-one]").nth(1).click()
        await expect(page.locator("#composer .chip")).to_have_count(1)
        await expect(page.locator("#composer .modes")).to_contain_text(
            "Edit the photo"
        )
        await say(page, "give it a hat")
        cat = await picture(page, await result(page, "give it a hat"))
        # The second of the three, not all of them: it is wider than tall.
        assert cat.width > cat.height


async def _hand_over(page: Page, kind: str, data: bytes) -> None:
    """A file dropped on the messages or pasted into the text, as the browser would tell it."""
    transfer = await page.evaluate_handle(
        """(numbers) => {
            const transfer = new DataTransfer();
            const bytes = new Uint8Array(numbers);
            transfer.items.add(new File([bytes], "cat.png", { type: "image/png" }));
            return transfer;
        }""",
        list(data),
    )
    if kind == "drop":
        await page.dispatch_event(
            "#scroll", "drop", {"dataTransfer": transfer}
        )
        return
    await page.locator("#text").evaluate(
        """(field, transfer) => field.dispatchEvent(
            new ClipboardEvent("paste", {
              clipboardData: transfer, bubbles: true, cancelable: true,
            }))""",
        transfer,
    )


async def test_everything_can_be_done_by_keyboard(
    browser: Browser, demo: Demo
) -> None:
    async with window(browser, demo.address) as watched:
        page = watched.page
        await page.goto(f"{demo.address}/room")
        await page.keyboard.type("Ana")
        await page.keyboard.press("Enter")
        await expect(page.locator("#messages .message").first).to_be_visible()
        await page.locator("#text").focus()
        await page.keyboard.type("/wanx ex")
        await page.keyboard.press("Tab")
        await expect(page.locator("#text")).to_have_value("/wanx expand ")
        await page.keyboard.press("Escape")
        await page.fill("#text", "")
        await page.keyboard.type("/draw a heron --m")
        await page.keyboard.press("Enter")
        await expect(page.locator("#text")).to_have_value(
            "/draw a heron --model "
        )
        await page.keyboard.press("Tab")
        assert re.fullmatch(
            r"/draw a heron --model [\w.-]+ ",
            await page.locator("#text").input_value(),
        )
        await page.fill("#text", "")
        await page.keyboard.type("/draw")
        await page.keyboard.press("Enter")
        await expect(page.locator("#form")).to_be_visible()
        assert await watched.violations() == []
        await page.keyboard.type("a heron")
        await page.locator("#form button.primary").focus()
        await page.keyboard.press("Enter")
        heron = await result(page, "a heron")
        await heron.locator("[data-tool=react]").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(heron.locator("[data-mark]")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_is_legible_and_fits_at_every_width(
    browser: Browser, demo: Demo, scheme: str, width: int
) -> None:
    async with window(
        browser,
        demo.address,
        viewport={"width": width, "height": 780},
        color_scheme=scheme,
    ) as watched:
        page = watched.page
        await page.goto(f"{demo.address}/room")
        assert await watched.violations() == []
        await enter(page, demo, "Ana")
        await say(page, "/draw two foxes --n 2 --size 512*512")
        two = await result(page, "two foxes")
        await react(two, "⭐")
        await two.locator("[data-tool=react]").click()
        assert await watched.violations() == []
        await two.locator("[data-tool=thread]").click()
        await expect(page.locator("#thread")).to_be_visible()
        assert await watched.violations() == []
        wide = await page.locator("html").evaluate(
            "(root) => root.scrollWidth - root.clientWidth"
        )
        assert wide <= 0
        await shot(watched, f"room-{scheme}-{width}")


@pytest.mark.parametrize("language", languages())
async def test_the_room_speaks_every_language(
    browser: Browser, demo: Demo, language: str
) -> None:
    async with window(browser, demo.address) as watched:
        page = watched.page
        await enter(page, demo, "Ana", language)
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await say(page, "/draw 一只狐狸 --size 512*512")
        await page.locator("[data-tone=result]").wait_for()
        text = await page.locator("body").inner_text()
        assert not re.search(
            r"\b(room|painter|status|option|command)\.[a-z_]+", text
        )
        assert "{" not in text
        await shot(watched, f"language-{language}")
        # The pages it leads to keep to the language chosen here, whatever the browser prefers.
        await page.locator("[data-tone=result] .shot").first.click()
        async with watched.context.expect_page() as opened:
            await page.locator("#picture a[target]").click()
        full = await opened.value
        await expect(full.locator("html")).to_have_attribute("lang", language)
        await page.keyboard.press("Escape")
        await say(page, "/easel history")
        async with watched.context.expect_page() as opened:
            await page.locator("[data-tone=note] a.button").last.click()
        tree = await opened.value
        await expect(tree.locator("html")).to_have_attribute("lang", language)


@pytest.mark.nightly
async def test_a_session_moves_for_the_readme(
    browser: Browser, demo: Demo
) -> None:
    """Copy out/screenshots/session.png to deploy/images/ when it shall be the README's."""
    frames: list[Image.Image] = []
    viewport = {"width": 900, "height": 680}
    async with window(browser, demo.address, viewport=viewport) as watched:
        page = watched.page

        async def record(text: str = "") -> None:
            if text:
                await page.fill("#composer textarea", text)
            taken = Image.open(io.BytesIO(await page.screenshot()))
            frames.append(taken.convert("RGB"))

        await enter(page, demo, "Ana")
        await record("/draw a red fox in the snow, watercolour")
        await page.keyboard.press("Escape")
        await page.press("#composer textarea", "Enter")
        drawn = await result(page, "a red fox in the snow")
        await record()
        await reply(page, drawn, "make it night")
        await result(page, "make it night")
        await record()
        content = (PHOTOS / "chelsea.png").read_bytes()
        photo = FilePayload(
            name="chelsea.png", mimeType="image/png", buffer=content
        )
        await page.set_input_files("#composer input[type=file]", files=[photo])
        await record("/edit give it a wizard's hat")
        await page.keyboard.press("Escape")
        await page.press("#composer textarea", "Enter")
        await result(page, "a wizard's hat")
        await record()
        await say(page, "/easel history")
        history = message(page, "note", "History")
        await expect(history.locator(".shot img")).to_be_visible()
        await record()
    save_moving(frames, SHOTS / "session.png")


def save_moving(frames: list[Image.Image], path: Path) -> None:
    """Save an animated PNG that shows each frame for two seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [frame.quantize(128) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=2000, loop=0)
