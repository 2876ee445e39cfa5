"""Processor time and peak memory of histories and of before and after.

    .venv/bin/python tests/bench/history.py [STEPS SIDE]

A history is measured for each shape of its tree, first without thumbnails, then with those stored.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import WallClock
from core.answers import edit_tree
from core.catalog import Catalog
from core.flow.context import Context
from core.operations import Action
from core.pictures import diagrams, png_metadata
from core.pictures.pool import SameProcess
from core.providers.dashscope import catalog_text
from core.signed_links import Links
from core.storage import database, mapping, tables
from core.storage.blobs import open_blobs
from core.storage.drafts import DraftStore
from core.storage.people import PeopleStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.types import Person, Picture, Request, StepState
from tests.fakes.steps import PLACE, step
from tests.fakes.trees import SHAPES, Parents

PHOTOS = Path(__file__).parents[1] / "samples" / "photos"
SESSION = f"{PLACE.channel}/@ana"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of one history: seconds of processor, and megabytes of growth at the peak."""

    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, +{self.megabytes:.0f} MB"


@asynccontextmanager
async def open_context(folder: Path) -> AsyncIterator[Context]:
    """Open what an answer needs, on SQLite and a folder."""
    address = f"sqlite:///{folder / 'easel.db'}"
    await database.migrate(address)
    engine = database.open_async(address)
    pool = SameProcess()
    yield Context(
        store=Store(engine),
        reactions=ReactionStore(engine),
        drafts=DraftStore(engine),
        people=PeopleStore(engine),
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
    """Make a session of pictures ``side`` pixels square; the newest is the head."""
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
            data = png_metadata.write_recipe(
                pixels[at % len(pixels)], {"prompt": f"picture {at}"}
            )
            key = await blobs.keep(PLACE.tenant, data)
            await add(
                connection,
                at,
                parent,
                Picture(key=key, length=len(data), **square(side)),
            )
    await engine.dispose()


async def add(
    connection: AsyncConnection, at: int, parent: int | None, picture: Picture
) -> None:
    """A step that is done."""
    done = step(
        f"s{at}",
        session=SESSION,
        parent=None if parent is None else f"s{parent}",
        prompt=f"step {at}, a fox in the snow",
        state=StepState.DONE,
    )
    picture_row = mapping.picture_row(PLACE.tenant, picture)
    step_row = {**mapping.step_row(done), "number": at + 1, "priority": 1}
    held = {"tenant": PLACE.tenant, "step": done.id, "key": picture.key}
    output = {**held, "role": "output", "position": 0}
    await connection.execute(insert(tables.pictures).values(picture_row))
    await connection.execute(insert(tables.steps).values(step_row))
    await connection.execute(insert(tables.step_pictures).values(output))


def square(side: int) -> dict[str, Any]:
    """What a picture is besides its bytes."""
    return {"width": side, "height": side, "media_type": "image/png"}


def photographs(side: int) -> list[bytes]:
    """Make pictures as the service sends them."""
    files = []
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(PHOTOS / name) as photo:
            buffer = io.BytesIO()
            photo.convert("RGB").resize((side, side)).save(
                buffer, "PNG", compress_level=1
            )
            files.append(buffer.getvalue())
    return files


def request() -> Request:
    """/easel history"""
    ana = Person(id="ana", name="Ana")
    return Request(
        key="k", place=PLACE, person=ana, locale="en", action=Action.HISTORY
    )


async def draw(folder: Path) -> tuple[Cost, bytes]:
    """Draw the history once in this process; return what it cost."""
    async with open_context(folder) as context:
        await context.store.check()
        begin = Start()
        post = await edit_tree.history(context, request())
        picture = post.pictures[0].drawn
        assert picture
        return begin.cost(), picture


def compare(before: Path, after: Path) -> tuple[Cost, bytes]:
    """Compare once in this process; return what it cost."""
    pair = before.read_bytes(), after.read_bytes()
    begin = Start()
    side = diagrams.compare(*pair, ("v1", "v2"))
    diagrams.flicker(*pair)
    return begin.cost(), side


class Start:
    """The time and memory used until now."""

    def __init__(self) -> None:
        # Sets the peak back to what is held now.
        Path("/proc/self/clear_refs").write_text("5")
        self._megabytes = megabytes("VmRSS")
        self._seconds = time.process_time()

    def cost(self) -> Cost:
        """The time and memory used since."""
        seconds = time.process_time() - self._seconds
        return Cost(
            seconds=seconds, megabytes=megabytes("VmHWM") - self._megabytes
        )


def megabytes(name: str) -> float:
    """What this process holds, or held at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(
        int(line.split()[1]) / 1024
        for line in lines
        if line.startswith(f"{name}:")
    )


def in_its_own_process(*words: str | Path) -> Cost:
    """Draw in a process that has done nothing else."""
    command = [sys.executable, __file__, *map(str, words)]
    answer = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=300
    )
    return Cost(**json.loads(answer.stdout.splitlines()[-1]))


def measure_history(
    shape: Callable[[int], Parents],
    count: int,
    side: int,
    out: Path | None = None,
) -> tuple[Cost, Cost]:
    """Measure the first history of a session, which makes thumbnails, and the second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder, shape(count), side))
        picture = (out or folder) / f"{shape.__name__}-{count}.png"
        words = "draw", picture, folder
        return in_its_own_process(*words), in_its_own_process(*words)


def measure_comparison(side: int) -> Cost:
    """Measure before and after of two pictures, ``side`` pixels square."""
    with tempfile.TemporaryDirectory() as name:
        pair = [Path(name) / part for part in ("before.png", "after.png")]
        for path, photograph in zip(pair, photographs(side), strict=False):
            path.write_bytes(photograph)
        return in_its_own_process("compare", Path(name) / "side.png", *pair)


def main() -> None:
    """Print the figures, or those of one picture in a separate process."""
    if sys.argv[1:2] in (["draw"], ["compare"]):
        picture, *rest = map(Path, sys.argv[2:])
        cost, data = (
            asyncio.run(draw(*rest))
            if sys.argv[1] == "draw"
            else compare(*rest)
        )
        picture.write_bytes(data)
        print(json.dumps(asdict(cost)))
        return
    count, side = map(int, sys.argv[1:] or ("200", "1328"))
    for name, shape in SHAPES.items():
        cold, warm = measure_history(shape, count, side)
        print(f"{name} {count}, first: {cold}; then: {warm}")
    print(f"compare 4096: {measure_comparison(4096)}")


if __name__ == "__main__":
    main()
