"""All that is kept of a person, as a ZIP of JSON and pictures that is written while it is read.

Pictures that belong to other people are left out, even where the person has edited them.
"""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from core.errors import NotFound
from core.flow.context import Context
from core.types import Picture, Step, Tenant, to_json

MOST_BYTES = 4 * 2**30
"""Bytes of pictures in one export; the newest come first, and what is left out is listed."""
STEPS_AT_ONCE = 200
HIDDEN = frozenset({"reply", "outcome", "priority", "account"})
"""What the machinery of a job needs; it says nothing of its person."""


class ArchiveBuffer:
    """Holds what an archive has written until it is fetched."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        """Take a part."""
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: the parts are fetched."""

    def fetch(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


@dataclass(kw_only=True)
class Export:
    """The export of one person."""

    context: Context
    person: str
    most_bytes: int = MOST_BYTES
    size: int = 0
    left_out: list[str] = field(default_factory=list)
    buffer: ArchiveBuffer = field(default_factory=ArchiveBuffer)

    async def read(self, tenants: Iterable[Tenant]) -> AsyncIterator[bytes]:
        """The bytes of the archive, part after part."""
        # The buffer cannot seek back to a header: ZIP then writes sizes after each file.
        archive = zipfile.ZipFile(cast("BinaryIO", self.buffer), "w")
        for tenant in tenants:
            async for name, content in self._files_of(tenant):
                await asyncio.to_thread(archive.writestr, name, content)
                yield self.buffer.fetch()
        if self.left_out:
            archive.writestr("left-out.json", _json(self.left_out))
        archive.close()
        yield self.buffer.fetch()

    async def _files_of(
        self, tenant: Tenant
    ) -> AsyncIterator[tuple[str, bytes]]:
        folder = tenant.replace(":", "-").replace("/", "-")
        people = self.context.people
        about = await self._about(tenant)
        yield f"{folder}/about.json", _json(about)
        for upload in about["platform"].get("uploads", ()):
            name = f"{folder}/uploads/{upload['key']}"
            async for file in self._picture(tenant, name, upload["key"]):
                yield file
        count = 0
        while steps := await people.steps_of(
            tenant, self.person, STEPS_AT_ONCE, count
        ):
            name = f"{folder}/requests-{count // STEPS_AT_ONCE + 1}.json"
            yield name, _json([_record(step) for step in steps])
            for step in steps:
                async for file in self._pictures(folder, step):
                    yield file
            count += len(steps)

    async def _about(self, tenant: Tenant) -> dict[str, Any]:
        people = self.context.people
        chat = self.context.chats.get(tenant.partition(":")[0])
        platform: Mapping[str, Any] = {}
        if chat is not None:
            platform = await chat.recall_person(tenant, self.person)
        return {
            "person": self.person,
            "workspace": tenant,
            "exported": self.context.clock.now(),
            "spent": await people.spent_by(tenant, self.person),
            "reactions": await people.reactions_of(tenant, self.person),
            "platform": platform,
        }

    async def _pictures(
        self, folder: str, step: Step
    ) -> AsyncIterator[tuple[str, bytes]]:
        own: Sequence[Picture] = step.outputs + step.withheld
        if await self._owns_inputs(step):
            masks = [step.mask] if step.mask else []
            own = (*own, *step.inputs, *masks)
        for picture in own:
            name = f"{folder}/pictures/{step.id}/{_file_name(picture)}"
            async for file in self._picture(step.tenant, name, picture.key):
                yield file

    async def _owns_inputs(self, step: Step) -> bool:
        """Whether the person also owns what the step was made of."""
        if step.parent is None:
            return True
        try:
            parent = await self.context.store.step(step.tenant, step.parent)
        except NotFound:
            return False
        return parent.person.id == self.person

    async def _picture(
        self, tenant: Tenant, name: str, key: str
    ) -> AsyncIterator[tuple[str, bytes]]:
        """The file of a picture, if it is there and there is room for it."""
        try:
            content = await self.context.blobs.read(tenant, key)
        except NotFound:
            return
        if self.size + len(content) > self.most_bytes:
            self.left_out.append(name)
            return
        self.size += len(content)
        yield name, content


def _record(step: Step) -> dict[str, Any]:
    """A step as its person may read it."""
    facts: dict[str, Any] = to_json(step)
    for name in HIDDEN & facts.keys():
        del facts[name]
    return facts


def _file_name(picture: Picture) -> str:
    subtype = picture.media_type.rpartition("/")[2]
    return f"{picture.key}.{subtype.replace('jpeg', 'jpg')}"


def _json(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, indent=1, default=str)
    return text.encode()
