"""What came from a page → Incoming; pure, facts only."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from adapters.web.chat import place
from adapters.web.records import Member, Message
from adapters.web.store import DIRECT
from core import grammar
from core.errors import Rejected
from core.i18n import negotiate
from core.incoming import Incoming, Kind, Mentions, Quoted
from core.text import clean, has_words
from core.types import Attachment, Person

LONGEST_NAME = 30
KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
OURS = re.compile("[@＠]easel", re.IGNORECASE)
SLASHES = ("/", "／")
MOST_PICTURES = 3
MOST_VALUE = 2000
"""Characters of an option's value: beyond every limit the grammar knows."""


def person(name: object) -> tuple[str, str]:
    """Id and name of a person who enters: a name in other letter case is the same person.

    Raises Rejected.
    """
    cleaned = " ".join(clean(name).split()) if isinstance(name, str) else ""
    known = _id(cleaned)
    if not known or len(cleaned) > LONGEST_NAME or not has_words(cleaned):
        raise Rejected("room.name", limit=LONGEST_NAME)
    if known == "easel":
        raise Rejected("room.name_taken")
    return known, cleaned


def _id(name: str) -> str:
    """Letters with their marks and digits of any script, in one letter case; dashes between."""
    kept = "".join(
        letter if unicodedata.category(letter)[0] in "LMN" else " "
        for letter in name.casefold()
    )
    return "-".join(kept.split())


def channel(name: object) -> str:
    """The id of a new channel: small letters, digits and dashes of any script. Raises Rejected."""
    known = _id(clean(name)) if isinstance(name, str) else ""
    if not known or len(known) > LONGEST_NAME or known.startswith("dm-"):
        raise Rejected("room.name", limit=LONGEST_NAME)
    return known


def file_name(text: str) -> str:
    """A file's name for showing, never for a path: cleaned, at most 80 characters."""
    return clean(unquote(text)).replace("\n", " ")[:80] or "picture"


def message(text: str, member: Member, page: Mapping[str, Any]) -> Incoming:
    """Words from the composer: a command behind a slash, else a message."""
    incoming = _incoming(Kind.MESSAGE, member, page, words=text)
    is_command = text.startswith(SLASHES)
    return replace(incoming, kind=Kind.COMMAND) if is_command else incoming


def with_mentions(incoming: Incoming, names: Sequence[str]) -> Incoming:
    """The message with whom it names; "@Easel" falls away. ``names``: all other members."""
    words = incoming.words
    named = OURS.search(words)
    if named is not None:
        words = f"{words[: named.start()]}{words[named.end() :]}".strip()
    folded = words.casefold()
    others = [name for name in names if f"@{name.casefold()}" in folded]
    mentions = Mentions(us=named is not None, people=bool(others))
    return replace(incoming, words=words, mentions=mentions)


def with_answered(incoming: Incoming, message: Message) -> Incoming:
    """The message with the one it answers, and the pictures there."""
    refs = [one["ref"] for one in message.body["pictures"] if one.get("ref")]
    answered = Quoted(
        message=str(message.id),
        author=message.author,
        is_ours=not message.author,
        pictures=tuple(Attachment(ref=ref) for ref in refs[:MOST_PICTURES]),
    )
    return replace(incoming, answers=answered)


def button(member: Member, page: Mapping[str, Any]) -> Incoming:
    """A button of one of our messages."""
    return _incoming(Kind.BUTTON, member, page, button=str(page.get("button", "")))


def form(member: Member, page: Mapping[str, Any]) -> Incoming:
    """A form sent back. Raises Rejected for anything a page of ours never sends."""
    text, target = page.get("text", ""), page.get("target")
    is_ours = isinstance(text, str) and isinstance(target, str | None)
    if not is_ours or len(text) + len(target or "") > grammar.LONGEST:
        raise Rejected("room.bad_request")
    return _incoming(
        Kind.FORM,
        member,
        page,
        operation=str(page.get("action")),
        words=text,
        target=target,
        index=index(page),
    )


def reaction(
    member: Member,
    page: Mapping[str, Any],
    message: Message,
    emoji: str,
    *,
    added: bool,
) -> Incoming:
    """A reaction added or taken away."""
    place_of = {**page, "channel": message.channel, "thread": message.thread}
    return _incoming(
        Kind.REACTION,
        member,
        place_of,
        answers=Quoted(message=str(message.id), is_ours=not message.author),
        emoji=emoji,
        is_added=added,
    )


def _incoming(
    kind: Kind, member: Member, page: Mapping[str, Any], **more: Any
) -> Incoming:
    """What every request of a page tells. Raises Rejected for anything a page never sends."""
    key = page.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise Rejected("room.bad_request")
    mask = page.get("mask")
    channel_name = _text(page, "channel")
    return Incoming(
        key=f"{member.id}:{key}",
        kind=kind,
        place=place(channel_name, _text(page, "thread")),
        person=Person(id=member.id, name=member.name),
        locale=negotiate(_text(page, "locale")),
        is_admin=member.admin,
        is_direct=channel_name.startswith(DIRECT),
        is_home=True,
        fields={
            name: str(value)[:MOST_VALUE]
            for name, value in _mapping(page.get("given")).items()
        },
        attachments=tuple(Attachment(ref=ref) for ref in _texts(page.get("pictures"))),
        mask=Attachment(ref=mask) if isinstance(mask, str) and mask else None,
        may_show_form=True,
        **more,
    )


def index(page: Mapping[str, Any]) -> int | None:
    """Which of a step's pictures."""
    value = page.get("index")
    return value if isinstance(value, int) and 0 <= value < 10 else None


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or len(value) > 100:
        raise Rejected("room.bad_request")
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) and len(value) <= 40 else {}


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if (
        not isinstance(value, list)
        or len(value) > 10
        or not all(isinstance(one, str) for one in value)
    ):
        raise Rejected("room.bad_request")
    return value
