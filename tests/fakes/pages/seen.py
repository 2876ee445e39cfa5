"""A message as its reader sees it, whatever the platform.

Words with their looks, pictures, buttons, a menu.
"""

import hashlib
import io
import re
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

BAR = re.compile(r"[▰▱]{10} (\d+)%")
BOLD = "bold"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Words of one look.

    ``looks``: bold, italic, code, mention, link … as the platform would show them.
    """

    text: str
    looks: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Pressable:
    """A button as it stands in its row; ``look``: "", danger, primary or link."""

    label: str
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class Framed:
    """A picture as it is shown."""

    data: bytes
    alt: str
    hidden: bool = False

    @property
    def pixels(self) -> tuple[tuple[int, int], str]:
        """Size and a digest of what is seen: the recipe in the file, with its ids, is not."""
        with Image.open(io.BytesIO(self.data)) as opened:
            image = opened.convert("RGB")
        return image.size, hashlib.sha256(image.tobytes()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One message.

    ``only_you``: the platform says that no one else sees it. ``quoted``: author and text of the
    message it answers. ``before`` and ``thread``: separate messages that belong to it, above it and
    in the thread behind it.
    """

    author: str
    spans: tuple[Span, ...] = ()
    rows: tuple[tuple[Pressable, ...], ...] = ()
    menus: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[Framed, ...] = ()
    is_app: bool = True
    only_you: bool = False
    quoted: tuple[str, str] | None = None
    before: tuple["Seen", ...] = ()
    thread: tuple["Seen", ...] = ()


class Read(NamedTuple):
    """What a person reads in a message: this must be the same everywhere."""

    title: str
    lines: tuple[str, ...]
    progress: str
    buttons: tuple[str, ...]
    dangerous: tuple[str, ...]
    menu: tuple[str, ...]
    pictures: tuple[tuple[tuple[tuple[int, int], str], str], ...]
    private: bool


def read(seen: Seen, *, private: bool) -> Read:
    """A bold beginning is the title, a row of blocks with a percentage the progress.

    Nothing else may look special.
    """
    bold = (
        seen.spans[0].text.strip()
        if seen.spans and seen.spans[0].looks == {BOLD}
        else ""
    )
    rest = seen.spans[1:] if bold else seen.spans
    special = [part for part in rest if part.looks]
    assert not special, f"read as markup: {special}"
    lines = "".join(part.text for part in rest).strip().split("\n")
    bar = BAR.fullmatch(lines[-1])
    pressable = [part for row in seen.rows for part in row]
    return Read(
        title=bold,
        lines=tuple(filter(None, lines[:-1] if bar else lines)),
        progress=f"{bar[1]}%" if bar else "",
        buttons=tuple(part.label for part in pressable),
        dangerous=tuple(
            part.label for part in pressable if part.look == "danger"
        ),
        menu=tuple(label for menu in seen.menus for label in menu),
        pictures=tuple(
            (picture.pixels, picture.alt) for picture in seen.pictures
        ),
        private=private,
    )
