"""The recipe in a result's PNG metadata: model, prompt, seed, parents. No pixel is touched."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"easel"
HEADER, FRAME = 8, 12
"""Bytes of a chunk before its body; before and after it."""
MAX_RECIPE = 64 * 1024


def write_recipe(data: bytes, recipe: Mapping[str, str]) -> bytes:
    """Add the recipe to a PNG as an iTXt chunk. Any other format is returned as it is."""
    if not data.startswith(SIGNATURE):
        return data
    text = json.dumps(dict(recipe), ensure_ascii=False).encode()
    # Five zero bytes: end of the keyword, not compressed, no language, no translated keyword.
    body = KEYWORD + b"\0\0\0\0\0" + text
    length = struct.pack(">I", len(body))
    # It covers kind and body, not the length.
    checksum = struct.pack(">I", zlib.crc32(b"iTXt" + body))
    for position, kind, _ in _chunks(data):
        if kind == b"IEND":
            chunk = length + b"iTXt" + body + checksum
            return data[:position] + chunk + data[position:]
    return data


def read_recipe(data: bytes) -> dict[str, str] | None:
    """Read the recipe of a PNG that Easel made. None for any other file.

    Anyone can write such a chunk: what it says is a claim, not a fact.
    """
    if not data.startswith(SIGNATURE):
        return None
    for _, kind, body in _chunks(data):
        is_recipe = kind == b"iTXt" and body.startswith(KEYWORD + b"\0")
        if is_recipe and len(body) <= MAX_RECIPE:
            text = body.partition(b"\0")[2][4:]
            return _parse_recipe(text)
    return None


def _parse_recipe(text: bytes) -> dict[str, str] | None:
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(recipe, dict):
        return None
    return {str(name): str(field) for name, field in recipe.items()}


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Position, kind and body of each chunk."""
    position = len(SIGNATURE)
    while position + FRAME <= len(data):
        length, kind = struct.unpack_from(
            ">I4s",
            data,
            position,
        )
        start = position + HEADER
        end = start + length
        yield position, kind, data[start:end]
        position += FRAME + length
