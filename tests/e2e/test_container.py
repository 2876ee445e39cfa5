"""The image of deploy/Dockerfile, built and run: a story in the browser, and its limits."""

import asyncio
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.fakes.browser import NEEDS_CHROMIUM, chromium, window
from tests.fakes.container import (
    PACKAGES,
    Image,
    built_image,
    enclosed,
    missing_programs,
    running,
)

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"needs root, and on Debian: apt-get install {PACKAGES}",
    ),
]
MOST_MEGABYTES = 350
ADDRESS = re.compile(r"(http://[\d.:]+)/room")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built_image(tmp_path_factory.mktemp("image")) as built:
        yield built


@pytest.fixture
def data(tmp_path: Path, image: Image) -> Path:
    """A volume that belongs to the image's user, and nobody else."""
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    user, _, group = image.config["User"].partition(":")
    subprocess.run(["chown", f"{user}:{group}", str(folder)], check=True)
    return folder


def run(image: Image, data: Path, *words: str) -> tuple[int, str]:
    """A command in the image that ends by itself: how, and what it printed."""
    done = subprocess.run(
        enclosed(image, data, list(words), {}),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


async def ends_with(command: list[str]) -> int:
    """How a command ends."""
    process = await asyncio.create_subprocess_exec(*command)
    return await asyncio.wait_for(process.wait(), 60)


async def address(data: Path, lives: int) -> str:
    """Where the demo of this life can be reached, once it has printed it."""
    log = data.parent / "container.log"
    async with asyncio.timeout(120):
        while len(printed := ADDRESS.findall(log.read_text())) < lives:
            await asyncio.sleep(0.2)
    return str(printed[-1])


async def enter(page: Page, place: str) -> None:
    await page.goto(f"{place}/room")
    await page.fill("#name", "Ana")
    await page.click("#enter button.primary")


def test_it_is_small_and_says_what_it_is(image: Image) -> None:
    assert image.megabytes < MOST_MEGABYTES
    assert image.config["User"] == "10001:10001"
    assert image.config["Healthcheck"]["Test"][0] == "CMD"
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == "Easel"


def test_it_holds_no_tool_that_only_the_build_needs(image: Image) -> None:
    packages = image.files / "opt/easel/lib/python3.11/site-packages"
    assert (packages / "bot" / "cli.py").is_file()
    assert not (packages / "pip").exists()
    assert not (image.files / "source").exists()
    assert not list(image.files.rglob(".env"))


def test_a_picture_is_drawn_with_nothing_to_write_but_the_volume(
    image: Image, data: Path
) -> None:
    code, printed = run(image, data, "draw", "a red fox", "--time-scale", "0")
    assert code == 0, printed
    assert list(data.glob("*.png"))
    code, printed = run(image, data, "doctor")
    assert code == 0, printed
    assert "there is one for Chinese" in printed
    user = image.config["User"].split(":")[0]
    assert {path.stat().st_uid for path in data.rglob("*")} == {int(user)}


@NEEDS_CHROMIUM
async def test_the_demo_tells_its_story_and_continues_it_after_a_restart(
    image: Image, data: Path
) -> None:
    variables = {"EASEL_HTTP_PORT": "0"}
    words = ["demo", "--time-scale", "0.05"]
    async with running(image, data, words, variables) as container:
        place = await address(data, lives=1)
        async with chromium() as browser, window(browser, place) as watched:
            page = watched.page
            await enter(page, place)
            await page.fill("#composer textarea", "/draw a red fox")
            await page.keyboard.press("Escape")
            await page.press("#composer textarea", "Enter")
            result = page.locator("#messages [data-tone=result]")
            await expect(result.last).to_contain_text("a red fox")
        assert await container.stop(signal.SIGTERM) == 0
    async with running(image, data, words, variables) as container:
        place = await address(data, lives=2)
        async with chromium() as browser, window(browser, place) as watched:
            await enter(watched.page, place)
            result = watched.page.locator("#messages [data-tone=result]")
            await expect(result.last).to_contain_text("a red fox")
        assert await container.stop(signal.SIGTERM) == 0


async def test_its_health_check_tells_a_bot_that_lives_from_one_that_does_not(
    image: Image, data: Path, unused_tcp_port: int
) -> None:
    variables = {"EASEL_HTTP_PORT": str(unused_tcp_port)}
    _, *check = image.config["Healthcheck"]["Test"]
    command = enclosed(image, data, [], variables)
    command[-len(image.config["Entrypoint"]) :] = check
    assert await ends_with(command) == 1
    async with running(image, data, ["demo"], variables) as container:
        place = await address(data, lives=1)
        opening = urllib.request.urlopen
        answer = await asyncio.to_thread(opening, f"{place}/healthz")
        assert answer.status == 200
        assert await ends_with(command) == 0
        assert await container.stop(signal.SIGTERM) == 0
