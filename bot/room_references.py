"""The blobs that the room refers to, whether a page is served or not."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.web.store import Room, room_url
from core.storage import database
from core.storage.blob_sweep import References

ReadKeys = Callable[[Room], Awaitable[set[str]]]


def room_references(folder: Path) -> References:
    """Read what uploads and messages refer to; nothing where there never was a room."""
    return _reader(folder, Room.blob_keys)


def room_uploads(folder: Path) -> References:
    """Read what people have dropped into the room."""
    return _reader(folder, Room.upload_keys)


def _reader(folder: Path, read_keys: ReadKeys) -> References:
    async def read() -> set[str]:
        if not (folder / "room.db").exists():
            return set()
        await database.migrate(room_url(folder), database.TableSet.ROOM)
        # Not ``Room.close``, which waits for every transaction, and so for the sweep that asks.
        engine = database.open_async(room_url(folder), pool=1)
        try:
            return await read_keys(Room(engine))
        finally:
            await engine.dispose()

    return read
