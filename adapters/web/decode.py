"""What came from a page → Incoming; pure, facts only."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from adapters.web.chat import place
from adapters.web.members import DIRECT
from adapters.web.names import are_alike
from adapters.web.records import Member, Message
from core import grammar
from core.channel_settings import PEOPLE
from core.errors import Rejected
from core.i18n import negotiate
from core.incoming import Incoming, Kind, Mentions, Quoted
from core.operations import Action
from core.text import clean, has_words
from core.types import Attachment, Person

LONGEST_NAME = 30
LONGEST_FILE_NAME = 80
Page = Mapping[str, Any]
"""What a page sent: the JSON object of its request."""
KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
OURS = re.compile("[@＠]easel", re.IGNORECASE)
SLASHES = ("/", "／")
MODES = frozenset({Action.DRAW.value, Action.EDIT.value})
"""What the composer may say that plain words do."""
TALK = "talk"
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
    text = clean(name) if isinstance(name, str) else ""
    cleaned = " ".join(text.split())
    id = _id(cleaned)
    if not id or len(cleaned) > LONGEST_NAME or not has_words(cleaned):
        raise Rejected("room.name", limit=LONGEST_NAME)
    if are_alike(cleaned, "Easel"):
        raise Rejected("room.name_taken")
    return id, cleaned


def _id(name: str) -> str:
    """Letters with their marks and digits of any script, in one letter case; dashes between."""
    letters = map(_letter_or_space, name.casefold())
    words = "".join(letters).split()
    return "-".join(words)


def _letter_or_space(letter: str) -> str:
    category = unicodedata.category(letter)
    return letter if category[0] in "LMN" else " "


def channel(name: object) -> str:
    """The id of a new channel: small letters, digits and dashes of any script. Raises Rejected."""
    id = _id(clean(name)) if isinstance(name, str) else ""
    if not id or len(id) > LONGEST_NAME or id.startswith(DIRECT):
        raise Rejected("room.name", limit=LONGEST_NAME)
    return id


def file_name(text: str) -> str:
    """A file's name for showing, never for a path: cleaned, at most 80 characters."""
    name = clean(unquote(text)).replace("\n", " ")
    return name[:LONGEST_FILE_NAME] or "picture"


def message(text: str, member: Member, page: Page) -> Incoming:
    """Words from the composer: a command behind a slash, else a message.

    Raises Rejected for anything that a page never sends.
    """
    incoming = _incoming(Kind.MESSAGE, member, page, words=text)
    if text.startswith(SLASHES):
        return replace(incoming, kind=Kind.COMMAND)
    mode = _text(page, "mode")
    if mode not in MODES:
        return incoming
    return replace(incoming, operation=mode)


def is_talk(page: Page) -> bool:
    """Whether the composer showed that the words are for the others alone."""
    return page.get("mode") == TALK


def place_of(member: Member, page: Page) -> Incoming:
    """Where a page is, and who looks at it."""
    return _incoming(Kind.MESSAGE, member, page)


def with_mentions(incoming: Incoming, names: Sequence[str]) -> Incoming:
    """The message with whom it names; "@Easel" falls away. ``names``: all other members."""
    words = incoming.words
    named = OURS.search(words)
    if named is not None:
        before = words[: named.start()]
        behind = words[named.end() :]
        words = f"{before}{behind}".strip()
    folded = words.casefold()
    others = [name for name in names if f"@{name.casefold()}" in folded]
    mentions = Mentions(us=named is not None, people=bool(others))
    if incoming.operation and incoming.attachments:
        # A picture that was dropped with words, where the composer says that it is edited.
        mentions = replace(mentions, us=True)
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


def button(member: Member, page: Page) -> Incoming:
    """A button of one of our messages."""
    return _incoming(
        Kind.BUTTON,
        member,
        page,
        button=str(page.get("button", "")),
    )


def form(member: Member, page: Page) -> Incoming:
    """A form sent back. Raises Rejected for anything that a page never sends."""
    text = page.get("text", "")
    target = page.get("target")
    is_well_formed = isinstance(text, str) and isinstance(target, str | None)
    if not is_well_formed:
        raise Rejected("room.bad_request")
    length = len(text) + len(target or "")
    if length > grammar.LONGEST:
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
    for name in PEOPLE & fields.keys():
        fields[name] = _ids(fields[name])
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
    page: Page,
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
    page: Page,
    **more: Any,
) -> Incoming:
    """What every request of a page holds. Raises Rejected for anything that a page never sends."""
    key = page.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise Rejected("room.bad_request")
    pictures = _texts(page.get("pictures"))
    mask = None
    mask_ref = page.get("mask")
    if mask_ref and isinstance(mask_ref, str):
        mask = Attachment(ref=mask_ref)
    channel_name = _text(page, "channel")
    return Incoming(
        # With its member: no page can repeat what another has sent.
        key=f"{member.id}:{key}",
        kind=kind,
        place=place(channel_name, _text(page, "thread")),
        person=Person(id=member.id, name=member.name),
        locale=negotiate(_text(page, "locale")),
        is_admin=member.admin,
        is_direct=channel_name.startswith(DIRECT),
        is_home=True,
        fields=_fields(page.get("given")),
        attachments=_attachments(pictures),
        mask=mask,
        may_show_form=True,
        **more,
    )


def index(page: Page) -> int | None:
    """Read which of a step's pictures is meant."""
    number = page.get("index")
    if isinstance(number, int) and 0 <= number < MOST_FILES:
        return number
    return None


def _text(page: Page, name: str) -> str:
    text = page.get(name, "")
    if not isinstance(text, str) or len(text) > LONGEST_FIELD:
        raise Rejected("room.bad_request")
    return text


def _fields(fields: object) -> dict[str, str]:
    if not isinstance(fields, dict) or len(fields) > MOST_FIELDS:
        return {}
    return {name: str(value)[:MOST_VALUE] for name, value in fields.items()}


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
