"""What a platform delivered: facts only.

What they mean is decided in one place for all platforms, ``core.interpret``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.types import Attachment, Person, Place, Request, StepId


class Kind(StrEnum):
    """What happened; the words reach the inbox."""

    COMMAND = "command"
    MESSAGE = "message"
    REACTION = "reaction"
    BUTTON = "button"
    FORM = "form"
    SHORTCUT = "shortcut"
    HOME = "home"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """Who is named in a message.

    ``us``: the bot, or its own role. ``groups``: a group, a role, @here, @channel or @everyone.
    """

    us: bool = False
    people: bool = False
    groups: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A message that another one answers, hangs from or points at.

    ``author`` is a person's id, "" when the platform did not say; ``is_ours`` None likewise.
    ``refusal`` is the message key by which a platform says that it shows no picture.
    """

    message: str
    author: str = ""
    is_ours: bool | None = None
    pictures: tuple[Attachment, ...] = ()
    refusal: str = "refuse.no_picture_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One event of a platform.

    ``key`` is the platform's own id of it, so that a redelivery changes nothing. ``is_home``: the
    place was made for talking with the bot (the room). ``words`` are as typed, without mentions.
    ``answers`` is the message replied to, reacted to or pointed at; ``root`` the one whose thread
    it stands in. ``operation`` (the value of an Action) names a registered command, the form sent
    back, or what a composer showed that plain words would do: draw or edit. ``fields`` are its
    typed options or filled fields: ticks are "true" or "false". ``button`` is the id of what was
    pressed. ``may_show_form``: the platform can open a form in answer to this. ``is_place_known``
    False: a thread the platform did not describe. ``closed`` is the message key by which the
    platform says why no picture may be posted there for this person, "" where it may. ``reply`` is
    the adapter's own handle for answering, as JSON.
    """

    key: str
    kind: Kind
    place: Place
    person: Person
    locale: str = ""
    is_admin: bool = False
    is_direct: bool = False
    is_home: bool = False
    words: str = ""
    mentions: Mentions = field(default_factory=Mentions)
    attachments: tuple[Attachment, ...] = ()
    mask: Attachment | None = None
    answers: Quoted | None = None
    root: Quoted | None = None
    operation: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    target: StepId | None = None
    index: int | None = None
    button: str = ""
    emoji: str = ""
    is_added: bool = True
    may_show_form: bool = False
    is_place_known: bool = True
    closed: str = ""
    reply: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_addressed(self) -> bool:
        """Said to us: in a direct message, or naming us."""
        return self.is_direct or self.mentions.us


Origin = Incoming | Request
"""What can be answered: both have a key, a place, a person, a language and a way to reply."""
