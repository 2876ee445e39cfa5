"""The blobs that the room refers to, whether a page is served or not."""

from pathlib import Path

from adapters.web.store import Room, room_url
from core.storage import database
from core.storage.blob_sweep import References


def room_references(folder: Path) -> References:
    """Read them from the room's file in a data folder; none where there never was a room."""

    async def read() -> set[str]:
        if not (folder / "room.db").exists():
            return set()
        await database.migrate(room_url(folder), database.TableSet.ROOM)
        # Not ``Room.close``, which waits for every transaction, and so for the sweep that asks.
        engine = database.open_async(room_url(folder), pool=1)
        try:
            return await Room(engine).blob_keys()
        finally:
            await engine.dispose()

    return read
