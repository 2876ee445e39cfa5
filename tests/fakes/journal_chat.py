"""A chat platform whose messages are a journal on disk, which outlives the tested process.

Posting is not idempotent: posting twice makes two messages, as on a real platform. ``find`` reads
the journal back, as a platform's history would be read. Each line is {"op", "message", "job",
"tone", "pictures", "words", "buttons"}.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.forms import Form
from core.incoming import Incoming
from core.post import Post, PostedMessage
from core.types import Attachment, Person, Place, Request, Tenant, Traces


class JournalChat:
    """Chat port over a journal file."""

    pace = 0.5

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def lines(self) -> list[dict[str, Any]]:
        """Everything said so far; a line cut off by a kill was never said."""
        if not self._journal.exists():
            return []
        whole = [
            line
            for line in self._journal.read_text().split("\n")
            if line.endswith("}")
        ]
        return [json.loads(line) for line in whole]

    async def complete(self, request: Incoming) -> Incoming | None:
        """All is known."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """No forms."""
        return False

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Yes: there are no channels for adults here."""
        return True

    async def forget(self, place: Place) -> None:
        """Nothing is kept here."""

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Nothing is kept here."""
        return Traces()

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """Nothing is kept here."""
        return {}

    async def prune(self, before: datetime, now: datetime) -> None:
        """Do nothing: nothing is kept here."""

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """A new message, no matter what was said before."""
        message = f"m{len([line for line in self.lines() if line['op'] == 'post']) + 1}"
        self._write("post", message, post)
        return PostedMessage(place=place, message=message)

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change a message."""
        self._write("update", sent.message, post)
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """The message of this job, read back."""
        lines = [
            line["message"]
            for line in self.lines()
            if line["op"] == "post" and line["job"] == job
        ]
        return PostedMessage(place=place, message=lines[0]) if lines else None

    async def private_place(self, place: Place, person: Person) -> Place:
        """A channel of their own."""
        return replace(place, channel=f"dm-{person.id}", thread="")

    async def link(self, sent: PostedMessage) -> str:
        """An address that names the message."""
        return f"chat:{sent.place.channel}/{sent.message}"

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """The file the attachment names."""
        yield Path(attachment.ref).read_bytes()

    def _write(self, op: str, message: str, post: Post) -> None:
        pictures = [
            picture.picture.key for picture in post.pictures if picture.picture
        ]
        line = {
            "op": op,
            "message": message,
            "job": post.job,
            "tone": post.tone.value,
            "pictures": pictures,
            "words": f"{post.title}\n{post.text}",
            "buttons": [button.label for button in post.buttons],
        }
        with self._journal.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
