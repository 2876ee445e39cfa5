"""What came from a page → Request; pure.

Names, commands, and which plain words are meant for Easel.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from adapters.web.chat import place
from adapters.web.store import Member
from core import grammar
from core.errors import Rejected
from core.i18n import negotiate
from core.text import clean, has_words
from core.types import Action, Attachment, Person, Request

LONGEST_NAME = 30
NAMES = ("draw", "edit", "wanx", "easel")
KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
OURS = "@easel"
MOST_VALUE = 2000
"""Characters of an option's value: beyond every limit the grammar knows."""


def person(name: object) -> tuple[str, str]:
    """Id and name of somebody who enters: a name in other letter case is the same person.

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


def command(text: str) -> tuple[Action, str] | None:
    """The action and the rest of a slash command, None for plain words.

    Raises Rejected for an unknown command.
    """
    if not text.startswith("/"):
        return None
    name, _, rest = text[1:].partition(" ")
    if name.lower() not in NAMES:
        raise Rejected(
            "grammar.no_command", word=name[:40], allowed=[f"/{one}" for one in NAMES]
        )
    return grammar.command(name.lower(), rest.strip())


def is_for_us(text: str, names: Sequence[str]) -> bool:
    """Do plain words in a thread of ours talk to Easel?

    Not when they are only emoji, or mention somebody else.
    """
    words = text.casefold()
    others = [name for name in names if f"@{name.casefold()}" in words]
    return has_words(text) and not others


def spoken_to(text: str) -> str | None:
    """The words after or around "@Easel", None when it is not mentioned."""
    at = text.casefold().find(OURS)
    return None if at < 0 else (text[:at] + text[at + len(OURS) :]).strip()


def request(
    action: Action,
    text: str,
    member: Member,
    given: Mapping[str, Any],
    *,
    target: str | None,
    index: int | None,
) -> Request:
    """The request of a page's message, press or form.

    Raises Rejected for anything a page of ours never sends.
    """
    key = given.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise Rejected("room.bad_request")
    mask = given.get("mask")
    return Request(
        key=f"{member.id}:{key}",
        place=place(_text(given, "channel"), _text(given, "thread")),
        person=Person(id=member.id, name=member.name),
        locale=negotiate(_text(given, "locale")),
        action=action,
        text=text,
        given={
            name: str(value)[:MOST_VALUE]
            for name, value in _mapping(given.get("given")).items()
        },
        attachments=tuple(Attachment(ref=ref) for ref in _texts(given.get("pictures"))),
        mask=Attachment(ref=mask) if isinstance(mask, str) and mask else None,
        target=target,
        index=index,
        is_admin=member.admin,
    )


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
