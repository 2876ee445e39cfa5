"""An operator forgets a person, or hands over what is kept of them, at the prompt."""

import asyncio
import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from bot.simulator.server import SimulatorConfig
from tests.conftest import PHOTOS
from tests.fakes.forking import Prompt
from tests.fakes.house import open_house
from tests.fakes.search import places_with

NAME, ID, WORDS = "Ana Kanary", "ana-kanary", "quetzal"


async def live(folder: Path) -> None:
    """Ana and Ben have used the room."""
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with open_house(folder, config) as house:
        ana = await house.enters(NAME)
        ben = await house.enters("Ben")
        await ana.says(f"/draw a {WORDS} --size 512*512")
        drawn = await ana.waits_for("result", WORDS)
        await ben.says("/draw a heron --size 512*512")
        heron = await ben.waits_for("result", "heron")
        await ben.says("make it blue", reply_to=drawn["id"])
        await ben.waits_for("result", "make it blue")
        await ana.says("make it red", reply_to=heron["id"])
        await ana.waits_for("result", "make it red")
        upload = await ana.gives(PHOTOS / "coffee.png")
        await ana.says("/edit a hat", pictures=[upload])
        await ana.waits_for("result", "a hat")


def test_all_of_a_person_and_nothing_of_others_is_written_and_then_forgotten(
    prompt: Prompt, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    asyncio.run(live(folder))
    environment = {**os.environ, "EASEL_DATA_DIR": str(folder)}

    def run(*words: str) -> tuple[int, str]:
        done = prompt.runs(list(words), tmp_path, environment)
        return done.returncode, done.stdout + done.stderr

    file = tmp_path / "ana.zip"
    assert run("export", "Zoe", str(file)) == (
        1,
        "Nobody is known by the id or name “Zoe”.\n",
    )
    code, said = run("export", NAME, str(file))
    assert (code, said) == (0, f"Written: {file}\n")
    assert run("export", ID, str(file))[0] == 1
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        everything = b"".join(map(archive.read, names))
        requests = json.loads(archive.read("web-room/requests-1.json"))
        about = json.loads(archive.read("web-room/about.json"))
    assert [request["prompt"] for request in requests] == [
        "a hat",
        "make it red",
        f"a {WORDS}",
    ]
    assert about["platform"]["name"] == NAME
    assert f"/draw a {WORDS} --size 512*512" in str(about)
    # Three results, the upload twice; not Ben's heron, which one was made of.
    pictures = [name for name in names if "/pictures/" in name]
    assert len(pictures) == 4
    assert len([name for name in names if "/uploads/" in name]) == 1
    for foreign in (b"heron", b"Ben", b"make it blue"):
        assert foreign not in everything
    assert run("forget", NAME) == (
        0,
        "Forgotten. Nothing is kept of this person any more.\n",
    )
    assert not places_with(folder, [NAME, ID, WORDS])
    assert places_with(folder, ["make it blue"])
    assert run("forget", NAME)[0] == 1
    environment["EASEL_KEEP_DAYS"] = "30"
    with closing(sqlite3.connect(folder / "easel.db")) as database:
        database.execute("UPDATE steps SET created = '2020-01-01 00:00:00'")
        database.commit()
    # Ben's two, and the empty row of what one was made of.
    would = "Requests older than 30 days: 3. Nothing was removed.\n"
    assert run("prune", "--dry-run")[1].startswith(would)
    done = "Requests older than 30 days, with their pictures: 3 removed.\n"
    code, said = run("prune")
    assert (code, said.startswith(done)) == (0, True)
    with closing(sqlite3.connect(folder / "easel.db")) as database:
        assert database.execute("SELECT count(*) FROM steps").fetchone() == (
            0,
        )
    environment["EASEL_KEEP_DAYS"] = "-1"
    code, said = run("prune")
    assert (code, "EASEL_KEEP_DAYS" in said) == (78, True)
