"""Post → what the room keeps of it, and a kept message → what a page is given. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.web.records import Message
from core.button_ids import encode_button
from core.forms import Form
from core.post import Button, ButtonKind, Post, PostImage
from core.types import to_json

QUOTED = 80
"""Characters of the message replied to that are repeated."""
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
PictureLink = Callable[[str, str, str], dict[str, str]]
"""Blob key, file name, media type → the addresses of the picture: src, view, download."""


def body(post: Post, drawn: Sequence[str]) -> dict[str, Any]:
    """Everything of a post but addresses, which are made anew for each reader.

    ``drawn``: keys of drawn pictures.
    """
    pictures = [
        _picture(shown, key) for shown, key in zip(post.pictures, drawn, strict=True)
    ]
    return {
        "tone": post.tone.value,
        "title": post.title,
        "text": post.text,
        "progress": post.progress,
        "pictures": pictures,
        "buttons": [_button(one) for one in post.buttons],
        "menu": [_button(one) for one in post.menu],
    }


def _picture(shown: PostImage, key: str) -> dict[str, Any]:
    found = shown.picture
    return {
        "key": found.key if found else key,
        "name": shown.name,
        "alt": shown.alt,
        "width": found.width if found else None,
        "height": found.height if found else None,
        "media_type": found.media_type
        if found
        else TYPES[shown.name.rpartition(".")[2]],
    }


def _button(button: Button) -> dict[str, Any]:
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


def upload(kept: Mapping[str, Any]) -> dict[str, Any]:
    """A person's picture as it stands in their message."""
    return {
        "key": kept["ref"],
        "name": kept["name"],
        "alt": kept["name"],
        "width": kept["width"],
        "height": kept["height"],
        "media_type": kept["media_type"],
        "ref": kept["ref"],
    }


def person_message(
    text: str, pictures: Sequence[Mapping[str, Any]], replied: Message | None
) -> dict[str, Any]:
    """What a person said, and to which message."""
    quoted = None
    if replied is not None:
        words = replied.body["title"] or replied.body["text"]
        quoted = {"id": replied.id, "author": replied.author, "text": words[:QUOTED]}
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


def message(one: Message, link: PictureLink) -> dict[str, Any]:
    """A message for a page, its pictures with addresses that work."""
    pictures = [
        {**picture, **link(picture["key"], picture["name"], picture["media_type"])}
        for picture in one.body["pictures"]
    ]
    return {
        "id": one.id,
        "change": one.change,
        "channel": one.channel,
        "thread": one.thread,
        "author": one.author,
        "private": bool(one.only_for),
        "created": one.created,
        "marks": {emoji: list(who) for emoji, who in one.marks.items()},
        **one.body,
        "pictures": pictures,
    }


def form(asked: Form) -> dict[str, Any]:
    """A form for a page."""
    found: dict[str, Any] = to_json(asked)
    return found
