"""``easel demo``: bot, database, a simulator of the service and the web room, on this machine."""

import asyncio
import signal
import socket
import webbrowser
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from adapters.web import render
from adapters.web.chat import PLATFORM, TENANT, WebChat
from adapters.web.store import Room
from bot import logs, settings, web, wiring
from bot.memory import tune_garbage_collection
from bot.simulator.server import SimulatorConfig
from core.flow import attachments
from core.i18n import translate
from core.pictures import tasks
from core.post import Post, Tone

TIME_SCALE = 0.3
PHOTOS = ("coffee.png", "chelsea.png", "rocket.jpg")


def run(
    port: int | None,
    data: Path | None,
    time_scale: float | None,
    *,
    open_browser: bool,
) -> int:
    """Run until told to stop. Raises ConfigurationError naming the setting."""
    overrides = {"EASEL_DATA_DIR": data} if data else {}
    config = settings.load(**overrides)
    # Progress belongs in the room; on the terminal it would hide the address.
    level = "error" if config.log_level == "info" else config.log_level
    logs.set_up(config.log_format, level, settings.secrets(config))
    if time_scale is None:
        time_scale = TIME_SCALE
    folder = config.data_dir / "simulator"
    simulator = SimulatorConfig(time_scale=time_scale, folder=folder)
    listening = web.listen(config, port)
    asyncio.run(
        _serve(config, listening, simulator, open_browser=open_browser)
    )
    return 0


async def _serve(
    config: settings.Settings,
    listening: socket.socket,
    simulator: SimulatorConfig,
    *,
    open_browser: bool,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    address = web.address_of(config, listening)
    # Links to the mask painter and to pictures lead to this very server.
    config = config.model_copy(update={"public_url": address})
    async with AsyncExitStack() as stack:
        room = Room.at(config.data_dir)
        # Last of all: jobs speak in the room until they have stopped.
        stack.push_async_callback(room.close)
        easel = await stack.enter_async_context(
            wiring.open_easel(
                config,
                lambda blobs: {PLATFORM: WebChat(room, blobs, address)},
                simulator=simulator,
            )
        )
        # True only for a new room: what people did with the photos stays.
        if await room.prepare():
            await seed_demo_data(room, easel, config.locale)
        async with web.open_web(config, easel, listening, room):
            tune_garbage_collection()
            greeting = "demo.simulated" if easel.simulated else "demo.real"
            click.echo(translate(greeting, config.locale))
            click.echo(f"\n    {address}/room\n")
            click.echo(translate("demo.stop", config.locale))
            if open_browser:
                await asyncio.to_thread(webbrowser.open, f"{address}/room")
            await stop.wait()
    click.echo(translate("demo.stopped", config.locale))


async def seed_demo_data(room: Room, easel: wiring.Easel, locale: str) -> None:
    """Post a word of welcome and three photos to play with, and open a gallery."""
    context = easel.context
    defaults = {"channels": {"*": {"gallery": "gallery"}}}
    await context.store.save_settings(TENANT, defaults)
    welcome = _greeting(locale, title="welcome_title", text="welcome")
    await room.add_message("general", "", welcome)
    pictures = []
    for name in PHOTOS:
        content = (files("bot") / "photos" / name).read_bytes()
        photo = await context.pool.run(tasks.normalize, content)
        picture = await attachments.store_image(context, TENANT, photo)
        ref = await room.add_upload("", name, picture)
        pictures.append(render.upload(await room.upload(ref)))
    body = {**_greeting(locale, text="photos"), "pictures": pictures}
    await room.add_message("general", "", body)


def _greeting(locale: str, **keys: str) -> dict[str, Any]:
    """A note that each page says in its reader's language, and others in the operator's."""
    note = render.body(Post(tone=Tone.NOTE, text=""), [])
    for name, key in keys.items():
        note[name] = translate(f"room.{key}", locale)
    return {**note, "said": keys}
