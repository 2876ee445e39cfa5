"""The nouns of what we say: posts with their pictures and buttons, and the messages they become."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.operations import ButtonKind as ButtonKind  # noqa: PLC0414
from core.types import Picture, Place


class Tally(NamedTuple):
    """What people think of a step: votes by picture (from 0), and how many like it."""

    votes: Mapping[int, int]
    favourites: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button: what it does, to which step, which picture.

    The label is a message in the reader's language.

    ``url`` is where a LINK leads; such a button asks nothing of us.
    """

    kind: ButtonKind
    step: str
    label: str
    index: int = 0
    url: str = ""


class Tone(StrEnum):
    """What kind of post it is, so that a platform can choose colour or sign."""

    STATUS = "status"
    RESULT = "result"
    REFUSAL = "refusal"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostImage:
    """A picture in a post: one we hold, or the bytes of one ``drawn`` for this post.

    File name, alternative text.
    """

    name: str
    alt: str
    picture: Picture | None = None
    drawn: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What we say, before a platform renders it. ``text`` is plain: a renderer escapes it.

    ``title`` is set bold. ``job`` is the step it belongs to: a read-back finds it by this.
    ``progress`` 0–1 while working. ``private``: only the person who asked may see it; ``secret``:
    its words tell of a private picture, so that they may not even be said for want of a better
    place. ``reason``: the message key of a refusal, for programs. ``menu`` are buttons to choose
    one of, when they are too many to stand in a row. ``locale``: the language its pictures and
    buttons are spoken of in, where a platform has to add words.
    """

    tone: Tone
    text: str
    title: str = ""
    job: str = ""
    progress: float | None = None
    pictures: tuple[PostImage, ...] = ()
    buttons: tuple[Button, ...] = ()
    menu: tuple[Button, ...] = ()
    private: bool = False
    secret: bool = False
    reason: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedMessage:
    """A message of ours on a platform: its id there.

    ``pictures``: messages of their own that its pictures became.
    """

    place: Place
    message: str
    pictures: tuple["PostedMessage", ...] = ()
