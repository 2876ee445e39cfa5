"""Command-line words → Request; pure.

The terminal has one workspace, one channel, and the user as person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.types import Action, Attachment, Person, Place, Request

PLACE = Place(platform="terminal", workspace="local", channel="terminal")
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".heic",
        ".heif",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was typed.

    An action, its words, pictures by absolute path, options by name, where results go.
    """

    action: Action
    text: str = ""
    pictures: tuple[Path, ...] = ()
    mask: Path | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    index: int | None = None
    out: Path = Path()


def request(line: Line, *, key: str, user: str, locale: str) -> Request:
    """The request.

    ``key`` is made once for each command run: running a command again is a new wish.
    """
    return Request(
        key=key,
        place=PLACE,
        person=Person(id=user, name=user),
        locale=locale,
        action=line.action,
        text=line.text,
        given=dict(line.given),
        attachments=tuple(_attachment(path) for path in line.pictures),
        mask=_attachment(line.mask) if line.mask else None,
        target=line.target,
        index=line.index,
        reply={"out": str(line.out.absolute())},
        is_admin=True,
    )


def split_words(words: Sequence[str]) -> tuple[str, tuple[Path, ...]]:
    """Trailing words that end like picture files are pictures, the rest is the prompt.

    A prompt may end in such a word when it is not a word of its own: "draw a sign saying cat.png"
    is all prompt.
    """
    rest = list(words)
    pictures: list[Path] = []
    while (
        rest
        and " " not in rest[-1].strip()
        and Path(rest[-1]).suffix.lower() in SUFFIXES
    ):
        pictures.insert(0, Path(rest.pop()).absolute())
    return " ".join(rest), tuple(pictures)


def _attachment(path: Path) -> Attachment:
    return Attachment(ref=str(path), name=path.name)
