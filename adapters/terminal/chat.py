"""The terminal as a Chat.

Progress and words go to standard error, pictures to files that are whole or not there.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from adapters.terminal import render
from adapters.terminal.decode import PLACE, TerminalReply, is_pipe
from core.errors import DeliveryError, Rejected
from core.forms import Form
from core.i18n import translate
from core.incoming import Incoming
from core.pictures.facts import too_many_bytes
from core.ports import Blobs
from core.post import Post, PostedMessage, PostImage, Tone
from core.types import (
    Attachment,
    Person,
    Place,
    Request,
    Tenant,
    Traces,
)

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """Standard output as the place of results: ``out`` is its name for this run."""

    out: Path
    stream: BinaryIO


class TerminalChat:
    """Chat port.

    ``quiet`` says nothing (--json); ``files`` are the pictures of each job's last post.
    """

    pace = 0.2

    def __init__(
        self,
        blobs: Blobs,
        locale: str,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        pipe: Pipe | None = None,
    ) -> None:
        self._blobs = blobs
        self._locale = locale
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._pipe = pipe
        self._out: dict[str, Path] = {}
        self._drew_bar = False
        self._said = ""
        self._ended: dict[str, asyncio.Future[Post]] = {}
        self._piped: set[str] = set()
        self.files: dict[str, list[Path]] = {}

    async def complete(self, request: Incoming) -> Incoming | None:
        """Add nothing: the command line says all."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """Show no form: a terminal has none."""
        return False

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Yes: there are no channels for adults here."""
        return True

    async def forget(self, place: Place) -> None:
        """Do nothing: the terminal keeps nothing."""

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Do nothing: what was printed is theirs."""
        return Traces()

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """Nothing: what was printed is with them."""
        return {}

    async def prune(self, before: datetime, now: datetime) -> None:
        """Do nothing: the terminal keeps nothing."""

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Print a post.

        A terminal's message is known by its job, so that printing it again is the same message.
        """
        out = TerminalReply.read(reply).out
        sent = PostedMessage(place=place, message=f"{post.job}|{out}")
        await self._say(post, out)
        return sent

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Print the new state.

        Files already there with the same bytes are written again as they are.
        """
        await self._say(post, Path(sent.message.partition("|")[2]))
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Find nothing: a terminal cannot be read back, and repeating a line does no harm."""
        return None

    async def private_place(self, place: Place, person: Person) -> Place:
        """There is one person at a terminal."""
        return place

    async def link(self, sent: PostedMessage) -> str:
        """A terminal has no addresses."""
        return ""

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """The file in pieces, at most ``limit`` bytes. Raises Rejected."""
        try:
            with await asyncio.to_thread(open, attachment.ref, "rb") as file:
                read = 0
                while chunk := await asyncio.to_thread(file.read, CHUNK):
                    read += len(chunk)
                    if read > limit:
                        raise too_many_bytes(limit)
                    yield chunk
        except (OSError, ValueError):
            name = render.clean(attachment.name)
            raise Rejected("terminal.file_missing", name=name) from None

    def end_of(self, job: str) -> "asyncio.Future[Post]":
        """A future that is done when the job's last post has been printed."""
        return self._ended.setdefault(
            job, asyncio.get_running_loop().create_future()
        )

    async def _say(self, post: Post, out: Path) -> None:
        try:
            paths = await self._write_all(post, out)
        except DeliveryError as error:
            words = translate(error.key, self._locale, **error.params)
            self._print(f"✘ {words}")
            if self._is_awaited(post.job):
                self.end_of(post.job).set_exception(error)
            raise
        if post.tone is Tone.STATUS:
            self._show_progress(post)
            return
        self.files[post.job] = paths
        self._print("\n".join(render.lines(post)))
        for path in paths:
            words = translate("terminal.saved", self._locale, path=str(path))
            self._print(f"  {words}")
        if self._is_awaited(post.job):
            self.end_of(post.job).set_result(post)

    def _is_awaited(self, job: str) -> bool:
        return bool(job) and not self.end_of(job).done()

    def _show_progress(self, post: Post) -> None:
        first_lines = render.lines(post)[:2]
        self._print_once("\n".join(first_lines))
        if self._quiet or not self._stream.isatty():
            return
        line = render.bar(post, shutil.get_terminal_size().columns)
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()
        self._drew_bar = True

    def _print_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._print(text)

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        if self._drew_bar:
            self._stream.write("\r\x1b[K")
            self._drew_bar = False
        self._stream.write(text + "\n")
        self._stream.flush()

    async def _write_all(self, post: Post, out: Path) -> list[Path]:
        """Write the post's pictures; return the paths of their files, none in a pipe."""
        if is_pipe(out):
            if self._pipe and out == self._pipe.out:
                await self._write_to_pipe(post, self._pipe.stream)
                return []
            # An earlier run's pipe is closed.
            out = Path.cwd()
        return [await self._write(image, out) for image in post.pictures]

    async def _write_to_pipe(self, post: Post, stream: BinaryIO) -> None:
        """Write one picture: two in a row would be no file that any program reads."""
        if not post.pictures or post.job in self._piped:
            return
        self._piped.add(post.job)
        data = await self._content(post.pictures[0])
        try:
            await asyncio.to_thread(stream.write, data)
            await asyncio.to_thread(stream.flush)
        except OSError as error:
            raise cannot_write("-", error) from error
        if len(post.pictures) > 1:
            self._print(translate("terminal.first_only", self._locale))

    async def _content(self, image: PostImage) -> bytes:
        if image.drawn is not None:
            return image.drawn
        assert image.picture is not None  # noqa: S101  # it has one of the two
        return await self._blobs.read(PLACE.tenant, image.picture.key)

    async def _write(self, image: PostImage, out: Path) -> Path:
        data = await self._content(image)
        try:
            return await asyncio.to_thread(
                _write_whole, out / image.name, data
            )
        except OSError as error:
            raise cannot_write(str(out), error) from error


def check_folder(out: Path) -> None:
    """Raise DeliveryError when pictures cannot be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise cannot_write(str(out), error) from error


def cannot_write(name: str, error: OSError) -> DeliveryError:
    """The error of a place that takes no pictures."""
    reason = error.strerror or "error"
    return DeliveryError(
        "terminal.out", permanent=True, name=name, reason=reason
    )


def _write_whole(path: Path, data: bytes) -> Path:
    """Write a second file, sync it and rename it, so that half a picture is never seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".easel-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
    return path
