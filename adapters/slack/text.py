"""Slack's escaped text as a person typed it. Pure."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.incoming import Mentions
from core.text import clean

# Slack escapes every other "<": were it let into a token, a row of them would be read again and
# again from each.
PERSON = re.compile(r"<@([A-Z0-9]{2,40})(?:\|[^<>]*)?>")
GROUP = re.compile(
    r"<!(?:here|channel|everyone|subteam\^[A-Z0-9]+)(?:\|[^<>]*)?>"
)
TOKEN = re.compile(
    r"<(?:[#!][^<>|]*\|([^<>]*)|[#!]([^<>|]*)|([^<>|]+)(?:\|([^<>]*))?)>"
)
"""A channel, a group or a link, with its label or without."""
EMOJI_NAME = re.compile(r":([a-z0-9_+'-]+)(?:::skin-tone-[2-6])?:")
EMOJI_CODES = re.compile(r"[0-9a-f]{2,6}(-[0-9a-f]{2,6})*")
LAST_CODE = 0x10FFFF
PERMALINK = re.compile(
    r"https://[a-z0-9.-]{1,100}/archives/([A-Z0-9]{2,40})/p([0-9]{10})([0-9]{6})"
    r"(?:\?thread_ts=([0-9]{10}\.[0-9]{6}))?[^\s<>]*"
)
NO_EMOJI: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Permalink:
    """A link to a message. ``thread`` is "" where it stands in the channel itself."""

    address: str
    channel: str
    ts: str
    thread: str


def permalink_in(words: str) -> Permalink | None:
    """The first link to a message in the words."""
    match = PERMALINK.search(words)
    if match is None:
        return None
    channel, seconds, rest, thread = match.groups()
    return Permalink(
        address=match[0],
        channel=channel,
        ts=f"{seconds}.{rest}",
        thread=thread or "",
    )


def plain(text: str, emoji: Mapping[str, str] = NO_EMOJI) -> str:
    """Take mentions out; write links, channels and emoji as they are shown."""
    without_people = PERSON.sub("", text)
    without_tokens = TOKEN.sub(_label, without_people)
    readable = with_emoji(without_tokens, emoji)
    # Most messages hold nothing to unescape, and unescaping costs as much as all else here.
    if "&" in readable:
        readable = html.unescape(readable)
    return clean(readable)


def _label(token: re.Match[str]) -> str:
    label, name, link, text = token.groups()
    return label or name or text or link or ""


def mentions(text: str, us: str, *, is_named: bool) -> Mentions:
    """Find who is named. ``is_named``: Slack itself says that the bot is."""
    people = set(PERSON.findall(text))
    others = people - {us}
    group = GROUP.search(text)
    return Mentions(
        us=is_named or us in people,
        people=bool(others),
        groups=group is not None,
    )


def with_emoji(text: str, known: Mapping[str, str] = NO_EMOJI) -> str:
    """Turn ":fox_face:" into 🦊, as Slack's payload names it, else by the usual short names.

    Others stay as they are.
    """

    def sign_of(name: re.Match[str]) -> str:
        return known.get(name[1]) or _sign_named(name[1]) or name[0]

    return EMOJI_NAME.sub(sign_of, text)


def _sign_named(name: str) -> str:
    """The emoji of a short name; "" where there is none."""
    import emoji  # noqa: PLC0415  # a long table that most texts do not need

    written = f":{name}:"
    sign = emoji.emojize(written, language="alias")
    return "" if sign == written else sign


def emoji_in(blocks: object) -> dict[str, str]:
    """The emoji in a message's blocks, by name; the workspace's own ones have no sign."""
    return dict(_emoji_pairs(blocks))


def _emoji_pairs(block: object) -> Iterator[tuple[str, str]]:
    if isinstance(block, list):
        for inner in block:
            yield from _emoji_pairs(inner)
    elif isinstance(block, dict):
        sign = ""
        if block.get("type") == "emoji":
            sign = _sign_of(block)
        if sign:
            name = str(block.get("name"))
            yield name, sign
        else:
            yield from _emoji_pairs(block.get("elements"))


def _sign_of(element: Mapping[str, Any]) -> str:
    written = str(element.get("unicode"))
    if not EMOJI_CODES.fullmatch(written):
        return ""
    codes = [int(code, 16) for code in written.split("-")]
    if max(codes) > LAST_CODE:
        return ""
    return "".join(map(chr, codes))
