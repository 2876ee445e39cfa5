"""The terminal's voice.

Progress and words to standard error, pictures to files that are whole or not there.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TextIO

from adapters.terminal import render
from adapters.terminal.decode import TerminalReply
from core.errors import DeliveryError, Rejected
from core.forms import Form
from core.i18n import translate
from core.incoming import Incoming
from core.pictures.formats import too_many_bytes
from core.ports import Blobs
from core.post import Post, PostedMessage, PostImage, Tone
from core.types import Attachment, Person, Place, Request

CHUNK = 1 << 18


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
    ) -> None:
        self._blobs = blobs
        self._locale = locale
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._out: dict[str, Path] = {}
        self._drew_bar = False
        self._said = ""
        self._ended: dict[str, asyncio.Future[Post]] = {}
        self.files: dict[str, list[Path]] = {}

    async def complete(self, request: Incoming) -> Incoming | None:
        """Who types is known."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """There are no forms in a terminal."""
        return False

    async def forget(self, place: Place) -> None:
        """Nothing is kept here."""

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Say it.

        A terminal's message is known by its job, so that saying it again is the same message.
        """
        out = TerminalReply.read(reply).out
        sent = PostedMessage(place=place, message=f"{post.job}|{out}")
        await self._say(post, out)
        return sent

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Say the new state.

        Files already there with the same bytes are written again as they are.
        """
        await self._say(post, Path(sent.message.partition("|")[2]))
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Nothing can be read back from a terminal, and repeating a line harms nobody."""
        return None

    async def private_place(self, place: Place, person: Person) -> Place:
        """There is one person at a terminal."""
        return place

    async def link(self, sent: PostedMessage) -> str:
        """A terminal has no addresses."""
        return ""

    async def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
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
            raise Rejected(
                "terminal.file_missing", name=render.clean(attachment.name)
            ) from None

    def end_of(self, job: str) -> "asyncio.Future[Post]":
        """Done when the job's last post has been said."""
        return self._ended.setdefault(job, asyncio.get_running_loop().create_future())

    async def _say(self, post: Post, out: Path) -> None:
        try:
            written = [await self._write(one, out) for one in post.pictures]
        except DeliveryError as error:
            self._print("✘ " + translate(error.key, self._locale, **error.params))
            if post.job and not self.end_of(post.job).done():
                self.end_of(post.job).set_exception(error)
            raise
        if post.tone is Tone.STATUS:
            self._show_progress(post)
            return
        self.files[post.job] = written
        self._print("\n".join(render.lines(post)))
        for path in written:
            self._print(
                "  " + translate("terminal.saved", self._locale, path=str(path))
            )
        if post.job and not self.end_of(post.job).done():
            self.end_of(post.job).set_result(post)

    def _show_progress(self, post: Post) -> None:
        if self._quiet or not self._stream.isatty():
            self._print_once("\n".join(render.lines(post)[:2]))
            return
        self._print_once("\n".join(render.lines(post)[:2]))
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

    async def _write(self, shown: PostImage, out: Path) -> Path:
        data = shown.drawn
        if data is None:
            assert shown.picture is not None  # noqa: S101  # a Shown has one of the two
            data = await self._blobs.read("terminal:local", shown.picture.key)
        try:
            return await asyncio.to_thread(_write_whole, out / shown.name, data)
        except OSError as error:
            raise DeliveryError(
                "terminal.out",
                permanent=True,
                name=str(out),
                reason=error.strerror or "error",
            ) from error


def _write_whole(path: Path, data: bytes) -> Path:
    """Aside, synced, renamed: nobody ever sees half a picture."""
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
