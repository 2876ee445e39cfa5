"""The pictures that a message of Discord shows: its files, its embeds, what it forwards. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import discord

from core.types import Attachment

MOST_PICTURES = 10
LONGEST_NAME = 80
IMAGE = "image/"
IMAGE_NAMES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tiff",
    ".tif",
    ".heic",
    ".heif",
    ".avif",
)
Row = Mapping[str, Any]


def pictures_in(message: Row, channel: str) -> tuple[Attachment, ...]:
    """Pictures of a message as Discord's API describes it."""
    number = str(message.get("id", ""))
    files: list[Row] = []
    addresses: list[str] = []
    for part in _parts(message):
        files += part.get("attachments") or ()
        addresses += [
            _embed_address(embed) for embed in part.get("embeds") or ()
        ]
    return _pictures(files, addresses, channel, number)


def _parts(message: Row) -> Iterator[Row]:
    """The message itself, and those it forwards."""
    yield message
    for snapshot in message.get("message_snapshots") or ():
        yield snapshot.get("message") or {}


def _embed_address(embed: Row) -> str:
    image = embed.get("image") or embed.get("thumbnail") or {}
    return str(image.get("proxy_url") or "")


def pictures_of(message: discord.Message) -> tuple[Attachment, ...]:
    """Pictures of a message as discord.py hands it over."""
    parts: list[Any] = [message, *message.message_snapshots]
    files: list[Row] = []
    addresses: list[str] = []
    for part in parts:
        # The library's own dictionary leaves out the size.
        files += [
            {**file.to_dict(), "size": file.size} for file in part.attachments
        ]
        addresses += [_image_address(embed) for embed in part.embeds]
    return _pictures(
        files,
        addresses,
        str(message.channel.id),
        str(message.id),
    )


def _image_address(embed: discord.Embed) -> str:
    return embed.image.proxy_url or embed.thumbnail.proxy_url or ""


def _pictures(
    files: Sequence[Row],
    addresses: Sequence[str],
    channel: str,
    message: str,
) -> tuple[Attachment, ...]:
    """The pictures; where there are none, all files, to be refused with words."""
    images = [file for file in files if _is_image(file)]
    embedded = [url for url in addresses if url]
    if not images and not embedded:
        images = list(files)
    pictures = [attachment(file, channel, message) for file in images]
    pictures += [_embedded(url, channel, message) for url in embedded]
    return tuple(pictures[:MOST_PICTURES])


def attachment(file: Row, channel: str = "", message: str = "") -> Attachment:
    """A file, with what it takes to ask for a new address once this one has expired."""
    id_ = file.get("id", "")
    url = file.get("url", "")
    name = str(file.get("filename") or "")
    size = file.get("size")
    is_size = isinstance(size, int) and size >= 0
    return Attachment(
        ref=f"{channel} {message} {id_} {url}",
        name=name[:LONGEST_NAME],
        size=size if is_size else None,
    )


def _embedded(url: str, channel: str, message: str) -> Attachment:
    # An embed's picture has no id of its own.
    return Attachment(ref=f"{channel} {message}  {url}", name="embed")


def _is_image(file: Row) -> bool:
    kind = str(file.get("content_type") or "")
    if kind:
        return kind.startswith(IMAGE)
    name = str(file.get("filename", ""))
    return name.lower().endswith(IMAGE_NAMES)
