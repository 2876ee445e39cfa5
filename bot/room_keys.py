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
        room = Room.at(folder)
        try:
            return await room.blob_keys()
        finally:
            await room.close()

    return read
