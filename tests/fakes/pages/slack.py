"""A message of the fake Slack as Slack would show it.

Blocks are interpreted; files stand below, the thread behind.
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.pages.seen import Framed, Pressable, Seen, Span
from tests.fakes.slack.world import File, Message, User, World

Json = dict[str, Any]
TOKEN = re.compile(r"<([@#!]?)([^>|]+)(?:\|([^>]*))?>")


def read_message(world: World, message: Message) -> Seen:
    """The message itself.

    An unknown block is an error: Slack would refuse it, or show what we cannot draw.
    """
    users: dict[str, User] = {}
    for workspace in world.workspaces.values():
        users |= workspace.users
    user = users[message.user]
    pictures_shown = [
        world.files[block["slack_file"]["id"]]
        for block in message.blocks
        if block["type"] == "image"
    ]
    alts = [
        block["alt_text"]
        for block in message.blocks
        if block["type"] == "image"
    ]
    files = [
        world.files[name]
        for name in message.files
        if not world.files[name].deleted
    ]
    return Seen(
        author=user.name.capitalize(),
        is_app=user.is_bot,
        spans=tuple(_blocks(message.blocks))
        if message.blocks
        else tuple(_mrkdwn(message.text)),
        rows=tuple(row for block in message.blocks if (row := _row(block))),
        menus=tuple(
            menu for block in message.blocks if (menu := _menu(block))
        ),
        pictures=(
            *(
                _frame(file, alt)
                for file, alt in zip(pictures_shown, alts, strict=True)
            ),
            *(_frame(f) for f in files),
        ),
        only_you=bool(message.only_for),
    )


def _frame(file: File, alt: str = "") -> Framed:
    return Framed(data=file.data, alt=alt or file.alt)


def _blocks(blocks: list[Json]) -> Iterator[Span]:
    for block in blocks:
        assert block["type"] in {"rich_text", "image", "actions"}, block
        for part in block["elements"] if block["type"] == "rich_text" else []:
            assert part["type"] == "rich_text_section", part
            yield from map(_element, part["elements"])


def _element(one: Json) -> Span:
    """In rich text only what says so is special; a text is shown as it is."""
    looks = {name for name, on in one.get("style", {}).items() if on}
    if one["type"] == "text":
        return Span(text=one["text"], looks=frozenset(looks))
    return Span(
        text=str(one.get("text") or one.get("url") or one),
        looks=frozenset({*looks, one["type"]}),
    )


def _mrkdwn(text: str) -> Iterator[Span]:
    """Read what a person typed.

    Slack has put their mentions and links into angle brackets, and escaped the rest.
    """
    at = 0
    for token in TOKEN.finditer(text):
        yield Span(text=html.unescape(text[at : token.start()]))
        name = "Easel" if token[2].startswith("UBOT") else token[2]
        yield Span(
            text=token[3] or f"{token[1]}{name}",
            looks=frozenset({"mention" if token[1] else "link"}),
        )
        at = token.end()
    if text[at:]:
        yield Span(text=html.unescape(text[at:]))


def _row(block: Json) -> tuple[Pressable, ...]:
    elements = [
        element
        for element in block.get("elements", [])
        if block["type"] == "actions" and element["type"] == "button"
    ]
    return tuple(
        Pressable(
            label=element["text"]["text"],
            look="link" if "url" in element else element.get("style", ""),
        )
        for element in elements
    )


def _menu(block: Json) -> tuple[str, ...]:
    menus = [
        element
        for element in block.get("elements", [])
        if element["type"] == "static_select"
    ]
    return tuple(
        option["text"]["text"] for menu in menus for option in menu["options"]
    )
