"""The file of a backup: a tar, which appears only when it is complete.

First its format and the revision of the tables, then databases and keys, then the pictures by
workspace, and last an end mark: a file without it was cut off.
"""

import io
import json
import os
import re
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

from core.errors import Rejected
from core.storage.snapshots import sync

FORMAT = 1
ABOUT, END = "easel.json", "end"
NAME = r"[A-Za-z0-9_]+(?:\.[a-z]+)?"
FILE = re.compile(rf"data/({NAME})")
TABLE = re.compile(rf"tables/({NAME})")
Columns = Mapping[str, Sequence[str]]
"""The columns of each table, in the order of its rows."""
PICTURE = re.compile(r"pictures/([^/]+)/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a backup holds. ``tables`` of PostgreSQL with their columns; none on SQLite."""

    easel: str
    revision: str
    tables: Columns
    format: int = FORMAT


class Writer:
    """Adds to a backup."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def begin(self, about: About) -> None:
        """Write what the backup will hold."""
        self._add(ABOUT, json.dumps(asdict(about)).encode())

    def add_file(self, path: Path) -> None:
        """Add a file of the data folder."""
        self._archive.add(path, f"data/{path.name}")

    def add_table(self, path: Path) -> None:
        """Add the rows of one table."""
        self._archive.add(path, f"tables/{path.name}")

    def add_picture(self, workspace: str, key: str, data: bytes) -> None:
        """Add a picture's bytes."""
        self._add(f"pictures/{quote(workspace, safe='')}/{key}", data)

    def end(self) -> None:
        """Write the end mark."""
        self._add(END, b"")

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._archive.addfile(member, io.BytesIO(data))


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Write beside ``file``, and give it that name when all is on the disk.

    Raises Rejected when there is a file of that name already.
    """
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        # It holds keys and what people wrote: no business of other users of the machine.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(aside, flags, 0o600), "wb") as output:
            with tarfile.open(fileobj=output, mode="w") as archive:
                yield Writer(archive)
            output.flush()
            os.fsync(output.fileno())
            # A link, unlike a rename, fails where the name is taken.
            os.link(aside, file)
    except FileExistsError:
        raise Rejected("backup.exists", file=str(file)) from None
    finally:
        aside.unlink(missing_ok=True)
    sync(file.parent)


class Reader:
    """Reads a backup from front to back. Raises Rejected when it is no backup, or incomplete."""

    def __init__(self, archive: tarfile.TarFile, name: str) -> None:
        self._archive = archive
        self._name = name

    def begin(self) -> About:
        """Return what it holds."""
        member = self._archive.next()
        if member is None or member.name != ABOUT:
            raise self.damaged()
        try:
            fields: dict[str, Any] = json.load(self.open(member))
            return About(**fields)
        except (ValueError, TypeError):
            raise self.damaged() from None

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Everything between the beginning and the end."""
        while (member := self._archive.next()) is not None:
            if member.name == END:
                return
            yield member
        raise self.damaged()

    def open(self, member: tarfile.TarInfo) -> IO[bytes]:
        """The content of a member, which must be a plain file."""
        content = self._archive.extractfile(member)
        if not member.isfile() or content is None:
            raise self.damaged()
        return content

    def damaged(self) -> Rejected:
        """The refusal of a file that is no whole backup."""
        return Rejected("backup.damaged", file=self._name)


@contextmanager
def reading(file: Path) -> Iterator[Reader]:
    """Open a backup. Raises Rejected when it is none, or OSError."""
    try:
        with tarfile.open(file, "r:") as archive:
            yield Reader(archive, str(file))
    except (tarfile.TarError, EOFError):
        raise Rejected("backup.damaged", file=str(file)) from None


def picture_of(name: str) -> tuple[str, str] | None:
    """Return the workspace and the key of a picture, by the name of its member."""
    match = PICTURE.fullmatch(name)
    return (unquote(match[1]), match[2]) if match else None
