"""The picture of a history: processor time and peak memory, by the shape of its tree, with thumbnails and without.

.venv/bin/python tests/bench/history.py [STEPS SIDE]
"""

import asyncio
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.wiring import WallClock
from core.answers import looking
from core.catalog import Catalog
from core.flow.tools import Tools
from core.pictures import recipes
from core.pictures.pool import Pool
from core.providers.dashscope import catalog_text
from core.signed_links import Links
from core.storage import database, rows, tables
from core.storage.blobs import open_blobs
from core.storage.store import Store
from core.storage.together import Together
from core.types import Action, Person, Picture, Request, StepState
from tests.fakes.steps import PLACE, step
from tests.fakes.trees import SHAPES, Parents

PHOTOS = Path(__file__).parents[1] / "samples" / "photos"
SESSION = f"{PLACE.channel}/@ana"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one history: seconds of processor, megabytes the process grew at its peak."""

    seconds: float
    megabytes: float


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Tools]:
    """What an answer needs, on SQLite and a folder."""
    address = f"sqlite:///{folder / 'easel.db'}"
    await database.migrate(address)
    engine = database.open_async(address)
    pool = Pool(workers=2)
    yield Tools(
        store=Store(engine),
        together=Together(engine),
        blobs=open_blobs((folder / "blobs").as_uri()),
        catalog=Catalog.load(catalog_text()),
        links=Links(["x" * 32], "https://easel.example"),
        providers={},
        chats={},
        clock=WallClock(),
        pool=pool,
    )
    pool.close()
    await engine.dispose()


async def fill(folder: Path, parents: Parents, side: int) -> None:
    """A session of pictures of their own, ``side`` pixels square; the newest is the head."""
    address = f"sqlite:///{folder / 'easel.db'}"
    await database.migrate(address)
    engine = database.open_async(address)
    blobs = open_blobs((folder / "blobs").as_uri())
    pixels = photographs(side)
    async with engine.begin() as connection:
        newest = f"s{len(parents) - 1}"
        session = {"tenant": PLACE.tenant, "id": SESSION, "head_step": newest}
        await connection.execute(insert(tables.sessions).values(session))
        for at, parent in enumerate(parents):
            data = recipes.write_recipe(pixels[at % len(pixels)], {"prompt": f"picture {at}"})
            key = await blobs.keep(PLACE.tenant, data)
            picture = Picture(key=key, width=side, height=side, media_type="image/png", length=len(data))
            await add(connection, at, parent, picture)
    await engine.dispose()


async def add(connection: AsyncConnection, at: int, parent: int | None, picture: Picture) -> None:
    """A step that is done."""
    drawn = step(
        f"s{at}",
        session=SESSION,
        parent=None if parent is None else f"s{parent}",
        prompt=f"step {at}, a fox in the snow",
        state=StepState.DONE,
    )
    held = {"tenant": PLACE.tenant, "step": drawn.id, "role": "output", "position": 0, "key": picture.key}
    picture_row = rows.picture_row(PLACE.tenant, picture)
    await connection.execute(insert(tables.pictures).values(picture_row))
    step_row = {**rows.step_row(drawn), "number": at + 1, "priority": 1}
    await connection.execute(insert(tables.steps).values(step_row))
    await connection.execute(insert(tables.step_pictures).values(held))


def photographs(side: int) -> list[bytes]:
    """Some pictures as the service sends them."""
    files = []
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(PHOTOS / name) as photo:
            buffer = io.BytesIO()
            photo.convert("RGB").resize((side, side)).save(buffer, "PNG", compress_level=1)
            files.append(buffer.getvalue())
    return files


def request() -> Request:
    """/easel history"""
    ana = Person(id="ana", name="Ana")
    return Request(key="k", place=PLACE, person=ana, locale="en", action=Action.HISTORY)


async def draw(folder: Path) -> tuple[Cost, bytes]:
    """The history, once, in this process, and what it cost."""
    async with opened(folder) as tools:
        await tools.store.check()
        Path("/proc/self/clear_refs").write_text("5")
        before, started = megabytes("VmRSS"), time.process_time()
        post = await looking.history(tools, request())
        seconds = time.process_time() - started
        picture = post.pictures[0].drawn
        assert picture
        return Cost(seconds=seconds, megabytes=megabytes("VmHWM") - before), picture


def megabytes(name: str) -> float:
    """A figure of this process; 5 in clear_refs sets its peak back to what it has now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def in_its_own_process(folder: Path, picture: Path) -> Cost:
    """Draw it where nothing else has been done yet."""
    command = [sys.executable, __file__, "draw", str(folder), str(picture)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return Cost(**json.loads(answer.stdout.splitlines()[-1]))


def measured(shape: Callable[[int], Parents], count: int, side: int, out: Path | None = None) -> tuple[Cost, Cost]:
    """The first history of a session, whose thumbnails are still to be made, and the second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder, shape(count), side))
        picture = (out or folder) / f"{shape.__name__}-{count}.png"
        return in_its_own_process(folder, picture), in_its_own_process(folder, picture)


def main() -> None:
    """Print the figures, or those of one history in a process of its own."""
    if sys.argv[1:2] == ["draw"]:
        cost, picture = asyncio.run(draw(Path(sys.argv[2])))
        Path(sys.argv[3]).write_bytes(picture)
        print(json.dumps({"seconds": cost.seconds, "megabytes": cost.megabytes}))  # noqa: T201
        return
    count, side = map(int, sys.argv[1:] or ("200", "1328"))
    for name, shape in SHAPES.items():
        for state, cost in zip(("cold", "warm"), measured(shape, count, side), strict=True):
            print(f"{name} {count}, {state}: {cost.seconds:.2f} s, +{cost.megabytes:.0f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
