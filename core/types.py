"""The nouns of Easel (glossary: core/README.md). Values only: no I/O, no platform, no clock."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, NewType, TypeVar, cast

from pydantic import TypeAdapter

from core.errors import Charged
from core.operations import Action
from core.options import Options
from core.size import Size

T = TypeVar("T")
# Types of their own, so that the checker sees when two ids are swapped.
Tenant = NewType("Tenant", str)
"""Platform and workspace."""
StepId = NewType("StepId", str)
SessionId = NewType("SessionId", str)
"""One person's editing context in a channel, or what a thread shares."""


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))


def to_json(value: object) -> Any:
    """A noun as plain JSON values, for a database column or a job's arguments."""
    return _adapter(cast("Hashable", type(value))).dump_python(
        value, mode="json"
    )


def from_json(kind: type[T], value: object) -> T:
    """Read a noun from its JSON values. Raises pydantic's ValidationError on anything else."""
    noun: T = _adapter(cast("Hashable", kind)).validate_python(value)
    return noun


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is said.

    ``thread`` is "" outside threads. Only here do platform ids enter the core.
    """

    platform: str
    workspace: str
    channel: str
    thread: str = ""

    @property
    def tenant(self) -> Tenant:
        """Platform and workspace together: nothing crosses it."""
        return Tenant(f"{self.platform}:{self.workspace}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who speaks: the platform's id, the name shown."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """A person to be forgotten, with everything that is from before they ``asked``."""

    tenant: Tenant
    person: str
    asked: datetime

    @property
    def platform(self) -> str:
        """The platform they are a person of."""
        return self.tenant.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """A person as one workspace knows them."""

    tenant: Tenant
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a platform's side kept of a person, once it is deleted there.

    ``channels`` are named after them; ``keys`` are blobs that the platform's side needs no more.
    """

    channels: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that a person attached.

    ``ref``: what the platform's Chat fetches it by. ``key`` is set instead where its bytes are a
    blob already, such as a mask from the painter. ``size`` in bytes, if the platform says it.
    ``hidden``: it was posted behind a spoiler.
    """

    ref: str = ""
    name: str = ""
    size: int | None = None
    key: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked, free of any platform.

    ``key`` is the platform's own event id: a redelivery changes nothing. ``text`` is the prompt, or
    the word that a command takes; ``options`` stood in it or in typed fields; ``typed`` names
    those of the fields; ``values`` are what a form of settings held. ``target`` is the step
    replied to or pressed, ``index`` which of its pictures (from 0). ``reply`` is what the
    platform's Chat needs to answer. ``is_admin``: the platform vouches, now, that this person runs
    the channel or workspace. ``closed``: the message key of why no picture may be posted there for
    this person.

    It is what an event means (core.interpret).
    """

    key: str
    place: Place
    person: Person
    locale: str
    action: Action
    text: str = ""
    options: Options = field(default_factory=Options)
    typed: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    mask: Attachment | None = None
    target: StepId | None = None
    index: int | None = None
    reply: Mapping[str, str] = field(default_factory=dict)
    is_admin: bool = False
    closed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image we hold, by SHA-256 of its bytes.

    ``media_type`` such as image/png; ``length`` in bytes.

    ``url`` is the service's own link to these same bytes, alive until ``url_expires``.
    ``thumbnail`` is the key of a small one, once it was needed.
    """

    key: str
    width: int
    height: int
    media_type: str
    length: int
    url: str | None = None
    url_expires: datetime | None = None
    thumbnail: str | None = None

    @property
    def size(self) -> Size:
        """Width × height in pixels."""
        return Size(width=self.width, height=self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in a currency (ISO code), never a float."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A key at a provider, in one of its regions.

    Steps, claims and lines are kept under its ``name``, which is unique among all providers.
    """

    name: str
    provider: str
    region: str


HIDDEN = "picture.note.hidden"
"""The note of a step that is made of a picture behind a spoiler."""
LIVES = 3
"""Processes that may die with the same work in hand; after that it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A step that a worker works on.

    ``claims``: how many lives of a process it has been in work for since it last got on, this one
    included; ``refused``: since when for load.
    """

    tenant: Tenant
    step: StepId
    account: str
    model: str
    claims: int = 1
    refused: datetime | None = None


class MessageRole(StrEnum):
    """What a message that shows a step is."""

    STATUS = "status"
    """The message that is edited while the step is made, and becomes its result."""
    PICTURE = "picture"
    """A file in the thread of the status message."""
    ANSWER = "answer"
    """An answer to a request that made no step, such as undo."""
    COPY = "copy"
    """A copy for one person."""
    GALLERY = "gallery"
    ALONE = "alone"
    """In its person's direct messages, where the channel is closed to the bot."""
    UNDELIVERED = "owed"
    """Not posted yet: neither the channel nor the person would take the result."""


class CountedReaction(StrEnum):
    """A reaction that is counted under a result."""

    VOTE = "vote"
    FAVOURITE = "favourite"


class PictureRole(StrEnum):
    """What a step holds a picture for."""

    INPUT = "input"
    MASK = "mask"
    OUTPUT = "output"
    WITHHELD = "withheld"
    """An output of a step that was cancelled too late."""


class StepState(StrEnum):
    """How far a step has come. The last four are final."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    RUNNING = "running"
    MADE = "made"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Will it never change again?"""
        return self in {
            StepState.DONE,
            StepState.FAILED,
            StepState.CANCELLED,
            StepState.UNKNOWN,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of history. ``number`` is its version within the session: v1, v2 …

    ``parent`` is the step whose picture ``parent_index`` was edited; ``inputs`` are all pictures
    sent, in order. ``error`` is a message key with its parameters once the step has failed.
    ``priority`` 1 is served first; ``intended`` is set before the submit leaves, ``submitted`` once
    the service's task id is recorded, ``outcome`` is a synchronous answer as JSON. ``partial``: why
    fewer pictures came than asked for; ``text``: the words that came instead of pictures;
    ``notes``: message keys about the pictures sent, such as "the first frame was taken".
    ``chosen`` is the picture a vote or its person settled on; a ``deleted`` step has lost its
    pictures.
    """

    id: StepId
    place: Place
    session: SessionId
    number: int
    person: Person
    locale: str
    action: Action
    prompt: str
    options: Options
    model: str
    account: str
    seed: int
    n: int
    size: Size | None
    state: StepState
    created: datetime
    parent: StepId | None = None
    parent_index: int = 0
    inputs: tuple[Picture, ...] = ()
    mask: Picture | None = None
    outputs: tuple[Picture, ...] = ()
    price: Money | None = None
    cost: Money | None = None
    task_id: str | None = None
    request_id: str | None = None
    seconds: float | None = None
    depth: int = 0
    error: str | None = None
    error_params: Mapping[str, object] = field(default_factory=dict)
    charged: Charged = Charged.NO
    reply: Mapping[str, str] = field(default_factory=dict)
    priority: int = 1
    cancel_requested: bool = False
    intended: datetime | None = None
    submitted: datetime | None = None
    finished: datetime | None = None
    attempts: int = 0
    outcome: Mapping[str, Any] | None = None
    text: str | None = None
    partial: str | None = None
    notes: tuple[str, ...] = ()
    chosen: int | None = None
    deleted: datetime | None = None
    withheld: tuple[Picture, ...] = ()

    @property
    def tenant(self) -> Tenant:
        """Platform and workspace: nothing crosses it."""
        return self.place.tenant

    @property
    def is_hidden(self) -> bool:
        """Whether its pictures stand behind a spoiler."""
        return HIDDEN in self.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The picture the next edit starts from: a step and which of its outputs."""

    step: StepId
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a provider is asked to make.

    ``size`` is None where the function decides; ``options`` are the person's, with defaults.
    ``step`` identifies it in the log, never to the vendor; the inputs are blobs of ``tenant``.
    """

    step: StepId
    tenant: Tenant
    model: str
    account: str
    action: Action
    prompt: str
    negative: str | None
    n: int
    size: Size | None
    seed: int
    prompt_extend: bool
    watermark: bool
    inputs: tuple[Picture, ...] = ()
    mask: Picture | None = None
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """One picture the provider says it made, or why it did not.

    Exactly one is set: a ``url`` to fetch it from, its ``content`` in bytes, the ``key`` of the
    blob that such bytes become at once (no row or argument of a job holds bytes), or ``error``, a
    message key.
    """

    url: str | None = None
    content: bytes | None = field(default=None, repr=False)
    key: str | None = None
    error: str | None = None

    @property
    def is_made(self) -> bool:
        """Is there a picture?"""
        return bool(self.url or self.content or self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the provider made: pictures, or ``text`` by a model that answers with words.

    ``billed`` pictures (or answers); ``expires`` when the links die; ``seconds`` it worked.
    """

    request_id: str
    billed: int
    made: tuple[ImageResult, ...] = ()
    text: str | None = None
    expires: datetime | None = None
    actual_prompt: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work that the service accepted: the service's own task."""

    id: str
    request_id: str
