"""How soon Discord is answered, and how much memory events take.

    .venv/bin/python tests/bench/discord_ack.py [passes]

In each pass a fresh Easel edits six photos, and the same commands go first to a bare discord.py
client in a separate process, which makes one durable SQLite commit for each, then to Easel; each
is durably stored before it is acknowledged. The figure is the time from the event's sending to the
acknowledgement's arrival, as the Discord on loopback sees it (goals: p99 at most 1.5 × the bare
client's; 20 ms on an idle machine). Then follow ten thousand messages, reactions and presses, and
Easel's resident memory before and after.
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.children import (
    EASEL,
    ROOT,
    Child,
    OneCommit,
    percentile,
    summary,
    tell_ready,
    until,
)

COUNT, PACE = 300, 0.02
PHOTOS = 6
"""Pictures being edited when the interactions come."""
PASSES = 3
EVENTS, BATCH = 10_000, 100
SETTLE = 1.0


@dataclass(kw_only=True)
class Acknowledged:
    """Milliseconds until each command was acknowledged.

    Also Easel's full garbage collections and its memory meanwhile.
    """

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    collections: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def ratio(self, percent: int) -> float:
        """Ours by the bare client's."""
        return percentile(self.ours, percent) / percentile(self.bare, percent)

    def __str__(self) -> str:
        grown = ", ".join(f"{size:.0f}" for size in self.memory)
        lines = [
            f"  Easel {summary(self.ours)}",
            f"  bare  {summary(self.bare)}",
            f"  ratio p50 x{self.ratio(50):.2f}, p99 x{self.ratio(99):.2f}; "
            f"{len(self.collections)} full collections",
        ]
        return "\n".join(
            [*lines, f"  resident while events came: {grown} MiB"]
            if self.memory
            else lines
        )


async def measure(
    count: int = COUNT,
    photos: int = PHOTOS,
    passes: int = PASSES,
    events: int = EVENTS,
) -> Acknowledged:
    """Start everything, edit photos, send commands; in the last pass also events."""
    measured = Acknowledged()
    for at in range(passes):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            is_last = at == passes - 1
            await _one_pass(
                Path(folder), measured, count, photos, events if is_last else 0
            )
    return measured


async def _one_pass(
    folder: Path, measured: Acknowledged, count: int, photos: int, events: int
) -> None:
    from bot.simulator.server import SimulatorConfig, serve  # noqa: PLC0415
    from tests.fakes.discord.driver import discord  # noqa: PLC0415
    from tests.fakes.discord.world import World  # noqa: PLC0415

    service = serve(SimulatorConfig(time_scale=0.4, seed=1))
    ours, theirs = (
        discord(World(content_granted=True)),
        discord(World(content_granted=True)),
    )
    async with service as simulator, ours as fake, theirs as other:
        settings = {
            **fake.settings(),
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": simulator.url,
            "EASEL_RESULT_HOSTS": simulator.host,
        }
        easel = Child(
            EASEL,
            str(folder / "easel"),
            json.dumps(settings),
            folder=folder / "easel",
        )
        place = folder / "bare"
        bare = Child(
            __file__,
            "bare",
            str(place),
            json.dumps(_way_to(other)),
            folder=place,
        )
        try:
            await asyncio.gather(easel.ready(), bare.ready())
            await until(lambda: fake.world.commands.get(""))
            await asyncio.gather(fake.connected(), other.connected())
            other.world.commands = fake.world.commands
            await asyncio.sleep(SETTLE)
            _edit(fake, photos)
            measured.bare += await _time_acknowledgements(other, count)
            _edit(fake, photos)
            began = time.monotonic()
            measured.ours += await _time_acknowledgements(fake, count)
            measured.collections += easel.collections(began)
            if events:
                measured.memory = await _measure_memory(fake, easel, events)
        finally:
            easel.kill()
            bare.kill()


def _way_to(fake: Any) -> dict[str, str]:
    return {
        "api": fake.settings()["EASEL_DISCORD_API_URL"],
        "gateway": fake.app.gateway_url,
        "token": fake.world.token,
    }


def _edit(fake: Any, photos: int) -> None:
    photo = (ROOT / "tests/samples/photos/rocket.jpg").read_bytes()
    for at in range(photos):
        painter = fake.person(f"painter {at}")
        fake.says(
            painter,
            f"{fake.mention} make it night {at}",
            files={"rocket.jpg": photo},
        )


async def _time_acknowledgements(fake: Any, count: int) -> list[float]:
    """Milliseconds until each command was acknowledged."""
    people = [fake.person(f"p{at}") for at in range(20)]

    async def command(at: int) -> float:
        await asyncio.sleep(at * PACE)
        asked = await fake.command(people[at % 20], "easel info")
        assert not asked.refused
        return float(asked.ack_seconds * 1000)

    return await asyncio.gather(*(command(at) for at in range(count)))


async def _measure_memory(fake: Any, easel: Child, events: int) -> list[float]:
    """Resident memory before events of every kind, and at each quarter of them."""
    ana, bo = fake.person("Ana"), fake.person("Bo")
    picture = await fake.sees(
        "make it night", button="Edit", files=1, seconds=120
    )
    press = next(
        button
        for label, button in picture.buttons.items()
        if "2" in label or "Edit" in label
    )
    chat = fake.says(bo, "look at my cat")
    memory = [easel.memory()]
    batches = max(1, events // BATCH)
    for at in range(batches):
        for number in range(BATCH // 20):
            for word in range(13):
                fake.says(ana, f"good morning {at} {number} {word}")
            for shown in (picture, chat):
                fake.reacts(ana, shown, "🎉")
                fake.reacts(ana, shown, "🎉", added=False)
            fake.says(ana, "what a picture", kind=7)
            fake.says(ana, "see you")
            pressed = fake.interacting.press(
                ana, picture, press, [], fake.general
            )
            await fake.until(
                lambda pressed=pressed: pressed.ack_type is not None, 30
            )
        fake.world.messages[:] = [
            message
            for message in fake.world.messages
            if message.author != ana.id
        ]
        if (at + 1) % max(1, batches // 4) == 0:
            memory.append(easel.memory())
    return memory


async def bare(folder: Path, way: dict[str, str]) -> None:
    """Run the smallest client that is as safe.

    It is discord.py with one durable commit before the acknowledgement.
    """
    import discord  # noqa: PLC0415
    from discord.gateway import DiscordWebSocket  # noqa: PLC0415
    from discord.http import Route  # noqa: PLC0415
    from yarl import URL  # noqa: PLC0415

    commits = OneCommit(folder / "kept.db")
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = (
        way["api"],
        URL(way["gateway"]),
    )

    class Client(discord.Client):
        async def on_ready(self) -> None:
            tell_ready(folder)

        async def on_interaction(
            self, interaction: discord.Interaction
        ) -> None:
            await commits.keep(str(interaction.id), interaction.data)
            await interaction.response.defer(ephemeral=True, thinking=True)

    intents = discord.Intents(guilds=True, guild_messages=True)
    client = Client(
        intents=intents, max_messages=None, chunk_guilds_at_startup=False
    )
    await client.start(way["token"])


async def main(passes: int) -> None:
    """Print it."""
    measured = await measure(passes=passes)
    pace = f"one each {PACE * 1000:.0f} ms"
    commands = (
        f"{COUNT} commands, {pace}, beside {PHOTOS} edits, {passes} passes"
    )
    print(f"{commands}; then {EVENTS} events:\n{measured}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", place, way]:
            asyncio.run(bare(Path(place), json.loads(way)))
        case arguments:
            asyncio.run(main(int(arguments[0]) if arguments else PASSES))
