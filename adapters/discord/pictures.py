"""The pictures that a message of Discord shows. Pure.

Its files, embeds and stickers, the media of its components, and all of those in what it forwards.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import discord

from core.types import Attachment

MOST_PICTURES = 10
LONGEST_NAME = 80
IMAGE = "image/"
SPOILER = "SPOILER_"
"""What the names of hidden files begin with."""
POSTED_FILE = re.compile(r"/attachments/([0-9]{1,20})/")
SPOILER_FLAG = 1 << 3
"""Among the flags of a file: it is hidden."""
UNKNOWN_KINDS = frozenset({"", "application/octet-stream"})
"""Types that say nothing about a file."""
STICKERS = {
    1: "https://cdn.discordapp.com/stickers/{id}.png",
    2: "https://cdn.discordapp.com/stickers/{id}.png",
    4: "https://media.discordapp.net/stickers/{id}.gif",
}
"""Where a sticker is, by its format; those of Lottie (3) are no pictures."""
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
    addressed: list[Row] = []
    for part in _parts(message):
        files += part.get("attachments") or ()
        embeds = part.get("embeds") or ()
        addressed += [{"url": _embed_address(embed)} for embed in embeds]
        addressed += _media(part.get("components") or ())
        stickers = part.get("sticker_items") or ()
        addressed += [
            _sticker(sticker.get("format_type"), sticker.get("id"))
            for sticker in stickers
        ]
    return _pictures(files, addressed, channel, number)


def _parts(message: Row) -> Iterator[Row]:
    """The message itself, and those it forwards."""
    yield message
    for snapshot in message.get("message_snapshots") or ():
        yield snapshot.get("message") or {}


def _embed_address(embed: Row) -> str:
    image = embed.get("image") or embed.get("thumbnail") or {}
    return str(image.get("proxy_url") or "")


def _media(components: Iterable[Any]) -> Iterator[Row]:
    """Galleries, thumbnails and files among the components, however deep."""
    for component in components:
        yield from _media_of(component)
        yield from _media(component.get("components") or ())
        accessory = component.get("accessory")
        if accessory:
            yield from _media([accessory])


def _media_of(component: Row) -> Iterator[Row]:
    for item in component.get("items") or ():
        yield _medium(item, item.get("media") or {})
    for name in ("media", "file"):
        if isinstance(component.get(name), Mapping):
            yield _medium(component, component[name])


def _medium(holder: Row, media: Row) -> Row:
    """What a component shows: its address, and whether it hides it."""
    spoiler = bool(holder.get("spoiler"))
    return {"url": _media_address(media), "spoiler": spoiler}


def _media_address(media: Row) -> str:
    kind = str(media.get("content_type") or IMAGE)
    if not kind.startswith(IMAGE):
        return ""
    return str(media.get("proxy_url") or media.get("url") or "")


def _sticker(kind: object, number: object) -> Row:
    address = STICKERS.get(kind) if isinstance(kind, int) else None
    return {"url": address.format(id=number) if address else ""}


def pictures_of(message: discord.Message) -> tuple[Attachment, ...]:
    """Pictures of a message as discord.py hands it over."""
    parts: list[Any] = [message, *message.message_snapshots]
    files: list[Row] = []
    addressed: list[Row] = []
    for part in parts:
        files += [file.to_dict() for file in part.attachments]
        addressed += [{"url": _image_address(embed)} for embed in part.embeds]
        addressed += _media(
            _row_of(component) for component in part.components
        )
        addressed += [
            _sticker(sticker.format.value, sticker.id)
            for sticker in part.stickers
        ]
    return _pictures(
        files,
        addressed,
        str(message.channel.id),
        str(message.id),
    )


def _row_of(component: Any) -> Row:
    """What has pictures in a component, as Discord's API describes it."""
    row: dict[str, Any] = {}
    if isinstance(component, discord.MediaGalleryComponent):
        row["items"] = [
            {"media": _media_row(item.media), "spoiler": item.spoiler}
            for item in component.items
        ]
    elif isinstance(
        component, discord.ThumbnailComponent | discord.FileComponent
    ):
        row["media"] = _media_row(component.media)
        row["spoiler"] = component.spoiler
    elif isinstance(component, discord.SectionComponent):
        row["accessory"] = _row_of(component.accessory)
    elif isinstance(component, discord.Container):
        row["components"] = [_row_of(child) for child in component.children]
    return row


def _media_row(media: discord.UnfurledMediaItem) -> Row:
    return {
        "url": media.url,
        "proxy_url": media.proxy_url,
        "content_type": media.content_type,
    }


def _image_address(embed: discord.Embed) -> str:
    return embed.image.proxy_url or embed.thumbnail.proxy_url or ""


def _pictures(
    files: Sequence[Row],
    shown: Sequence[Row],
    channel: str,
    message: str,
) -> tuple[Attachment, ...]:
    """The pictures; where there are none, all files, to be refused with words.

    ``shown`` are those that are no files of the message: their ``url``, and whether ``spoiler``.
    """
    images = [file for file in files if _is_image(file)]
    embedded = [row for row in shown if row["url"]]
    # Then every file, so that the refusal can name what is wrong with it.
    if not images and not embedded:
        images = list(files)
    pictures = [attachment(file, channel, message) for file in images]
    pictures += [
        _embedded(row["url"], channel, message, hidden=row.get("spoiler"))
        for row in embedded
    ]
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
        hidden=_is_spoiler(file),
    )


def _is_spoiler(file: Row) -> bool:
    """By its name, or by its flag, of which the library makes a field."""
    is_named_so = str(file.get("filename") or "").startswith(SPOILER)
    is_flagged = int(file.get("flags") or 0) & SPOILER_FLAG
    return is_named_so or bool(is_flagged or file.get("spoiler"))


def linked(url: str) -> Attachment:
    """A picture by its address alone."""
    return _embedded(url, "", "")


def channel_of(picture: Attachment) -> str:
    """The channel a file was posted in, as its address says; "" for what is no such file."""
    match = POSTED_FILE.search(picture.ref)
    return match[1] if match else ""


def _embedded(
    url: str,
    channel: str,
    message: str,
    *,
    hidden: bool | None = False,
) -> Attachment:
    # An embed's picture has neither id nor name.
    return Attachment(ref=f"{channel} {message}  {url}", hidden=bool(hidden))


def _is_image(file: Row) -> bool:
    kind = str(file.get("content_type") or "")
    if kind not in UNKNOWN_KINDS:
        return kind.startswith(IMAGE)
    name = str(file.get("filename", ""))
    return name.lower().endswith(IMAGE_NAMES)
