"""The recipe in a result's PNG metadata (model, prompt, seed, parents), written without touching a pixel."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"easel"
MAX_RECIPE = 64 * 1024


def write_recipe(data: bytes, recipe: Mapping[str, str]) -> bytes:
    """The PNG with the recipe in an iTXt chunk before its end; any other format as it is."""
    if not data.startswith(SIGNATURE):
        return data
    end = next(
        (position for position, kind, _ in _chunks(data) if kind == b"IEND"), None
    )
    if end is None:
        return data
    text = json.dumps(dict(recipe), ensure_ascii=False).encode()
    body = KEYWORD + b"\0\0\0\0\0" + text
    crc = zlib.crc32(b"iTXt" + body)
    return (
        data[:end]
        + struct.pack(">I", len(body))
        + b"iTXt"
        + body
        + struct.pack(">I", crc)
        + data[end:]
    )


def read_recipe(data: bytes) -> dict[str, str] | None:
    """The recipe of a PNG of ours, None for any other file.

    What it says is a stranger's word, not a fact.
    """
    if not data.startswith(SIGNATURE):
        return None
    for _, kind, body in _chunks(data):
        if (
            kind == b"iTXt"
            and body.startswith(KEYWORD + b"\0")
            and len(body) <= MAX_RECIPE
        ):
            return _parsed(body.partition(b"\0")[2][4:])
    return None


def _parsed(text: bytes) -> dict[str, str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return {str(name): str(one) for name, one in value.items()}


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Position, kind and body of each chunk."""
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        yield position, kind, data[position + 8 : position + 8 + length]
        position += 12 + length
