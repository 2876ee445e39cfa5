"""What Easel posts, before a platform renders it: text, pictures, buttons, and the messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.operations import ButtonKind
from core.types import Picture, Place


class Tally(NamedTuple):
    """What people think of a step: votes by index of the picture, and how many starred it."""

    votes: Mapping[int, int]
    favourites: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button: what it does, to which step, to which of its pictures.

    ``label`` is in the reader's language. ``url`` is where a LINK leads; pressing that asks Easel
    for nothing. ``spoken``: what a screen reader says instead, where the label is a mere number.
    """

    kind: ButtonKind
    step: str
    label: str
    index: int = 0
    url: str = ""
    spoken: str = ""


class Tone(StrEnum):
    """What kind of post it is, so that a platform can choose colour or sign."""

    STATUS = "status"
    RESULT = "result"
    REFUSAL = "refusal"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostImage:
    """A picture in a post: a stored one, or the bytes of one ``drawn`` for this post.

    ``name`` is its file name, ``alt`` its alternative text. ``hidden``: behind a spoiler.
    A table in CSV can stand in a picture's place, last of all.
    """

    name: str
    alt: str
    picture: Picture | None = None
    drawn: bytes | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A message before a platform renders it.

    ``text`` is plain: a renderer escapes it. ``title`` is set bold. ``job``: the step it belongs
    to, by which a read-back finds it. ``progress``: 0–1 while working. ``private``: only the
    person who asked may see it. ``secret``: its words describe a private picture, so they may not
    be posted in a second-best place either. ``reason``: the message key of a refusal, for
    programs. ``menu``: buttons to choose one of, when they are too many for a row. ``locale``: the
    language of its buttons and pictures, where a platform has to add words. ``drawn_from``: the
    steps that its drawn pictures show. ``awaited``: width and height of each picture to come.
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
    drawn_from: tuple[str, ...] = ()
    awaited: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedMessage:
    """A post on its platform: its place and id there.

    ``pictures``: the separate messages that its pictures became.
    """

    place: Place
    message: str
    pictures: tuple["PostedMessage", ...] = ()
