"""Command-line words → Incoming; pure.

The terminal has one workspace, one channel, and the user as person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.incoming import Incoming, Kind
from core.operations import Action
from core.types import Attachment, Person, Place, StepId

PLACE = Place(platform="terminal", workspace="local", channel="terminal")
PIPE = Path("-")
"""In place of a folder: standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command as it was typed.

    Its action, words, pictures by absolute path, options by name, and where results go.
    """

    action: Action
    text: str = ""
    pictures: tuple[Path, ...] = ()
    mask: Path | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    target: StepId | None = None
    index: int | None = None
    out: Path = Path()


def incoming(line: Line, *, key: str, user: str, locale: str) -> Incoming:
    """Turn a command into an event.

    ``key`` is made once for each run: running a command again is another request.
    """
    return Incoming(
        key=key,
        kind=Kind.COMMAND,
        place=PLACE,
        person=Person(id=user, name=user),
        locale=locale,
        operation=line.action.value,
        words=line.text,
        fields=dict(line.given),
        attachments=tuple(_attachment(path) for path in line.pictures),
        mask=_attachment(line.mask) if line.mask else None,
        target=line.target,
        index=line.index,
        reply=TerminalReply(out=place_of_results(line, key)).to_json(),
        is_admin=True,
    )


def place_of_results(line: Line, key: str) -> Path:
    """The folder, or for standard output a name that only this run has.

    A job that another run finishes must not write into the pipe of that one.
    """
    return PIPE / key if line.out == PIPE else line.out.absolute()


def is_pipe(out: Path) -> bool:
    """Whether the results go to standard output, of this run or an earlier one."""
    return out.parts[:1] == PIPE.parts


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalReply:
    """Where results are written."""

    out: Path = Path()

    def to_json(self) -> dict[str, str]:
        """Write it for the job, which may end in another process."""
        return {"out": str(self.out)}

    @classmethod
    def read(cls, row: Mapping[str, str]) -> "TerminalReply":
        """Read it from JSON."""
        return cls(out=Path(row.get("out", ".")))


def _attachment(path: Path) -> Attachment:
    return Attachment(ref=str(path), name=path.name)
