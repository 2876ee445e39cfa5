"""``easel demo``.

The bot, its database, a simulator of the service and the web room, on this machine, until Ctrl-C.
"""

import asyncio
import signal
import socket
import webbrowser
from importlib.resources import files
from pathlib import Path

import click

from adapters.web import render
from adapters.web.chat import PLATFORM, TENANT, WebChat
from adapters.web.store import Room
from bot import logs, settings, web, wiring
from bot.memory import tune_garbage_collection
from bot.simulator.server import SimulatorConfig
from core.i18n import translate
from core.pictures import normalize
from core.post import Post, Tone

TIME_SCALE = 0.3
PHOTOS = ("coffee.png", "chelsea.png", "rocket.jpg")


def run(
    port: int | None, data: Path | None, time_scale: float | None, *, open_browser: bool
) -> int:
    """Run until told to stop. Raises ConfigurationError naming the setting."""
    chosen = settings.load(**({"EASEL_DATA_DIR": data} if data else {}))
    logs.set_up(
        chosen.log_format,
        "error" if chosen.log_level == "info" else chosen.log_level,
        settings.secrets(chosen),
    )
    scale = TIME_SCALE if time_scale is None else time_scale
    simulator = SimulatorConfig(time_scale=scale, folder=chosen.data_dir / "simulator")
    asyncio.run(
        _serve(chosen, web.listen(chosen, port), simulator, open_browser=open_browser)
    )
    return 0


async def _serve(
    chosen: settings.Settings,
    listening: socket.socket,
    simulator: SimulatorConfig,
    *,
    open_browser: bool,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    address = web.address_of(chosen, listening)
    chosen = chosen.model_copy(update={"public_url": address})
    room = Room.at(chosen.data_dir)
    async with wiring.open_easel(
        chosen,
        lambda blobs: {PLATFORM: WebChat(room, blobs, address)},
        simulator=simulator,
    ) as easel:
        if await room.prepare():
            await seed_demo_data(room, easel, chosen.locale)
        async with web.open_web(chosen, easel, listening, room):
            tune_garbage_collection()
            hello = "demo.simulated" if easel.simulated else "demo.real"
            click.echo(
                translate(hello, chosen.locale)
                + "\n\n    "
                + f"{address}/room"
                + "\n\n"
                + translate("demo.stop", chosen.locale)
            )
            if open_browser:
                await asyncio.to_thread(webbrowser.open, f"{address}/room")
            await stop.wait()
    click.echo(translate("demo.stopped", chosen.locale))


async def seed_demo_data(room: Room, easel: wiring.Easel, locale: str) -> None:
    """A word of welcome, three photos to play with, and a gallery that two stars lead to."""
    context = easel.context
    await context.store.save_settings(
        TENANT, {"channels": {"*": {"gallery": "gallery"}}}
    )
    hello = Post(
        tone=Tone.NOTE,
        title=translate("room.welcome_title", locale),
        text=translate("room.welcome", locale),
    )
    await room.say("general", "", render.body(hello, []))
    shown = []
    for name in PHOTOS:
        data = (files("bot") / "photos" / name).read_bytes()
        taken = await context.pool.run(normalize.normalize, data)
        ref = await context.blobs.keep(TENANT, taken.data)
        await room.keep_upload(ref, name, taken.width, taken.height, taken.media_type)
        shown.append(render.upload(await room.upload(ref)))
    body = {
        **render.body(Post(tone=Tone.NOTE, text=translate("room.photos", locale)), []),
        "pictures": shown,
    }
    await room.say("general", "", body)
