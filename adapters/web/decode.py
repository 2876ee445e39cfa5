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
COMMAS = re.compile("[,，、]")
MOST_PICTURES = 3
MOST_FILES = 10
MOST_FIELDS = 40
LONGEST_FIELD = 100
MOST_VALUE = 2000
"""Characters of an option's value: beyond every limit the grammar knows."""


def person(name: object) -> tuple[str, str]:
    """Id and name of a person who enters: a name in other letter case is the same person.

    Raises Rejected.
    """
    cleaned = " ".join(clean(name).split()) if isinstance(name, str) else ""
    id = _id(cleaned)
    if not id or len(cleaned) > LONGEST_NAME or not has_words(cleaned):
        raise Rejected("room.name", limit=LONGEST_NAME)
    if id == "easel":
        raise Rejected("room.name_taken")
    return id, cleaned


def _id(name: str) -> str:
    """Letters with their marks and digits of any script, in one letter case; dashes between."""
    return "-".join("".join(map(_letter_or_space, name.casefold())).split())


def _letter_or_space(letter: str) -> str:
    return letter if unicodedata.category(letter)[0] in "LMN" else " "


def channel(name: object) -> str:
    """The id of a new channel: small letters, digits and dashes of any script. Raises Rejected."""
    id = _id(clean(name)) if isinstance(name, str) else ""
    if not id or len(id) > LONGEST_NAME or id.startswith(DIRECT):
        raise Rejected("room.name", limit=LONGEST_NAME)
    return id


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
    pictures = message.body["pictures"]
    refs = [picture["ref"] for picture in pictures if picture.get("ref")]
    answered = Quoted(
        message=str(message.id),
        author=message.author,
        is_ours=not message.author,
        pictures=_attachments(refs[:MOST_PICTURES]),
    )
    return replace(incoming, answers=answered)


def button(member: Member, page: Mapping[str, Any]) -> Incoming:
    """A button of one of our messages."""
    return _incoming(
        Kind.BUTTON,
        member,
        page,
        button=str(page.get("button", "")),
    )


def form(member: Member, page: Mapping[str, Any]) -> Incoming:
    """A form sent back. Raises Rejected for anything that a page never sends."""
    text = page.get("text", "")
    target = page.get("target")
    is_well_formed = isinstance(text, str) and isinstance(target, str | None)
    if not is_well_formed or len(text) + len(target or "") > grammar.LONGEST:
        raise Rejected("room.bad_request")
    incoming = _incoming(
        Kind.FORM,
        member,
        page,
        operation=str(page.get("action")),
        words=text,
        target=target,
        index=index(page),
    )
    fields = dict(incoming.fields)
    if "people" in fields:
        fields["people"] = _ids(fields["people"])
    return replace(incoming, fields=fields)


def _ids(names: str) -> str:
    """The ids of people as their names are written: "@Ana, Bo Li" are "ana, bo-li"."""
    return ", ".join(listed(names))


def listed(names: str) -> list[str]:
    """The ids in a list of people with commas."""
    ids = [_id(name) for name in COMMAS.split(names)]
    return [id_ for id_ in ids if id_]


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
    kind: Kind,
    member: Member,
    page: Mapping[str, Any],
    **more: Any,
) -> Incoming:
    """What every request of a page holds. Raises Rejected for anything that a page never sends."""
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
        attachments=_attachments(_texts(page.get("pictures"))),
        mask=Attachment(ref=mask) if mask and isinstance(mask, str) else None,
        may_show_form=True,
        **more,
    )


def index(page: Mapping[str, Any]) -> int | None:
    """Read which of a step's pictures is meant."""
    number = page.get("index")
    if isinstance(number, int) and 0 <= number < MOST_FILES:
        return number
    return None


def _text(page: Mapping[str, Any], name: str) -> str:
    text = page.get(name, "")
    if not isinstance(text, str) or len(text) > LONGEST_FIELD:
        raise Rejected("room.bad_request")
    return text


def _mapping(fields: object) -> Mapping[str, Any]:
    if isinstance(fields, dict) and len(fields) <= MOST_FIELDS:
        return fields
    return {}


def _texts(refs: object) -> list[str]:
    if refs is None:
        return []
    if not isinstance(refs, list) or len(refs) > MOST_FILES:
        raise Rejected("room.bad_request")
    if not all(isinstance(ref, str) for ref in refs):
        raise Rejected("room.bad_request")
    return refs


def _attachments(refs: Sequence[str]) -> tuple[Attachment, ...]:
    return tuple(Attachment(ref=ref) for ref in refs)
