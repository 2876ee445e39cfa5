"""Post → what the room keeps of it, and a kept message → what a page is given. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.web.records import Message
from core.button_ids import encode_button
from core.forms import Form
from core.operations import ButtonKind
from core.post import Button, Post, PostImage
from core.types import to_json

Json = dict[str, Any]
"""A JSON object, as a page takes it."""

QUOTED = 80
"""Characters of the message replied to that are repeated."""
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "csv": "text/csv",
}
PictureLink = Callable[[str, str, str], dict[str, str]]
"""Blob key, file name, media type → the addresses of the picture: src, view, download."""


def body(post: Post, drawn: Sequence[str]) -> Json:
    """Everything of a post but addresses, which are made for each reader.

    ``drawn``: keys of drawn pictures.
    """
    pairs = zip(post.pictures, drawn, strict=True)
    return {
        "tone": post.tone.value,
        "title": post.title,
        "text": post.text,
        "progress": post.progress,
        "awaited": [list(size) for size in post.awaited],
        "pictures": [_picture(image, key) for image, key in pairs],
        "buttons": [_button(button) for button in post.buttons],
        "menu": [_button(entry) for entry in post.menu],
    }


def _picture(image: PostImage, key: str) -> Json:
    picture = image.picture
    if picture is None:
        # Drawn for this post: its size is known only to the file itself.
        extension = image.name.rpartition(".")[2]
        return {
            "key": key,
            "name": image.name,
            "alt": image.alt,
            "width": None,
            "height": None,
            "media_type": TYPES[extension],
        }
    return {
        "key": picture.key,
        "name": image.name,
        "alt": image.alt,
        "width": picture.width,
        "height": picture.height,
        "media_type": picture.media_type,
    }


def drawn_keys(body: Mapping[str, Any]) -> set[str]:
    """Blobs of the pictures that were drawn for this message alone."""
    pictures = body["pictures"]
    return {
        picture["key"]
        for picture in pictures
        # Its size is known only to the file itself.
        if picture["width"] is None
    }


def _button(button: Button) -> Json:
    if button.kind is ButtonKind.LINK:
        return {
            "id": "",
            "kind": button.kind.value,
            "label": button.label,
            "url": button.url,
        }
    return {
        "id": encode_button(button.kind, button.step, button.index),
        "kind": button.kind.value,
        "label": button.label,
    }


def upload(picture: Mapping[str, Any]) -> Json:
    """A person's picture as it stands in their message."""
    same = ("name", "width", "height", "media_type", "ref")
    return {
        "key": picture["key"],
        "alt": picture["name"],
        **{name: picture[name] for name in same},
    }


def person_message(
    text: str,
    pictures: Sequence[Mapping[str, Any]],
    replied: Message | None,
) -> Json:
    """What a person said, and to which message."""
    quoted = None
    if replied is not None:
        quoted = {
            "id": replied.id,
            "author": replied.author,
            "text": quote(replied.body),
        }
    return {
        "tone": "said",
        "title": "",
        "text": text,
        "progress": None,
        "pictures": list(pictures),
        "buttons": [],
        "menu": [],
        "quoted": quoted,
    }


def quote(body: Mapping[str, Any]) -> str:
    """What is repeated of a message where it is replied to."""
    words: str = body["title"] or body["text"]
    return words[:QUOTED]


def message(row: Message, link: PictureLink) -> Json:
    """A message for a page, its pictures with addresses that work."""
    pictures = [
        {
            **picture,
            **link(picture["key"], picture["name"], picture["media_type"]),
        }
        for picture in row.body["pictures"]
    ]
    return {
        "id": row.id,
        "change": row.change,
        "channel": row.channel,
        "thread": row.thread,
        "author": row.author,
        "private": bool(row.only_for),
        "created": row.created,
        "marks": {emoji: list(people) for emoji, people in row.marks.items()},
        **row.body,
        # The addresses are signed and die: they come last, over those without.
        "pictures": pictures,
    }


def form(fields: Form) -> Json:
    """A form for a page."""
    payload: Json = to_json(fields)
    return payload
