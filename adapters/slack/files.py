"""Files at Slack.

A person's fetched, ours uploaded and shared once, the share confirmed and repaired.

Slack answers "ok" to a share before it has happened, and now and then it never does: only
files.info tells. A file's id is written down before it is shared, so that after a crash the same
question tells whether it was.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from adapters.slack.api import SlackApi, SlackError
from adapters.slack.store import File, SlackStore
from core.errors import DeliveryError, Rejected
from core.failpoints import failpoint
from core.pictures.formats import too_many_bytes
from core.types import Attachment
from core.url_policy import is_allowed

ALT = 1000
LOOKS = (0.2, 0.4, 0.8, 1.6, 3.0, 6.0, 10.0)
"""Seconds before each look whether a share has happened: 22 in all."""
TRIES = 3
"""Uploads of one file's bytes: Slack's upload host answers 504 a few times a day."""
FILE_SECONDS = aiohttp.ClientTimeout(total=60, connect=10, sock_read=20)
CHUNK = 1 << 16
PATH = "/files-pri/"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture to show.

    Its bytes, file name, alternative text, and blob key ("" for one drawn for the post).
    """

    name: str
    alt: str
    data: bytes
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where files go: ``tenant`` and ``job`` know them again."""

    tenant: str
    workspace: str
    channel: str
    thread: str
    job: str


class Files:
    """Files of every workspace. ``hosts`` may be given the bot token; none other ever is."""

    def __init__(
        self,
        api: SlackApi,
        store: SlackStore,
        http: aiohttp.ClientSession,
        hosts: Sequence[str],
        looks: Sequence[float] = LOOKS,
    ) -> None:
        self._api = api
        self._store = store
        self._http = http
        self._hosts = hosts
        self._looks = looks

    async def share(self, spot: Spot, uploads: Sequence[Upload]) -> str:
        """Show the pictures in one message, once; its ts, "" when Slack would not.

        Raises SlackError.
        """
        known = await self._store.files_of(spot.tenant, spot.job)
        if all(one.name in known for one in uploads):
            shown = known[uploads[0].name].ts or await self._shown_at(
                spot, list(known.values()), (0.0,)
            )
            if shown:
                return await self._note(spot, shown)
        else:
            known = {}
        for has_alt in (True, False):
            files = list(known.values()) or await self._upload(
                spot, uploads, has_alt=has_alt
            )
            ts = await self._complete(spot, files)
            if ts:
                return await self._note(spot, ts)
            log.warning("share_dropped", job=spot.job)
            await self._take_back(spot, files)
            known = {}
        return ""

    async def delete(self, workspace: str, files: Sequence[File]) -> None:
        """Take files away; no matter if they are gone."""
        for one in files:
            try:
                await self._api.say(workspace, "files.delete", file=one.file)
            except SlackError as error:
                if not error.permanent:
                    raise

    async def fetch(
        self, attachment: Attachment, limit: int, token: str
    ) -> AsyncIterator[bytes]:
        """A person's file, at most ``limit`` bytes. Raises Rejected or DeliveryError."""
        workspace, file, url = (*attachment.ref.split(" ", 2), "", "")[:3]
        url = url or await self._url_of(workspace, file)
        if url == "external":
            raise Rejected("slack.external_file")
        if not is_allowed(url, self._hosts) or not urlsplit(url).path.startswith(PATH):
            raise Rejected("slack.strange_file")
        try:
            async with self._http.get(
                url,
                headers={"Authorization": f"Bearer {token}"},
                allow_redirects=False,
                timeout=FILE_SECONDS,
            ) as answer:
                _must_be_file(answer)
                read = 0
                async for chunk in answer.content.iter_chunked(CHUNK):
                    read += len(chunk)
                    if read > limit:
                        raise too_many_bytes(limit)
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError):
            # Their texts may hold the request, and with it the token.
            raise DeliveryError("slack.file_failed") from None

    async def _url_of(self, workspace: str, file: str) -> str:
        """Files of another organisation come without an address (Slack Connect)."""
        try:
            found = (await self._api.look(workspace, "files.info", file=file)).get(
                "file"
            ) or {}
        except SlackError as error:
            raise Rejected("slack.file_closed") if error.permanent else error from None
        if found.get("is_external") or found.get("mode") == "external":
            return "external"
        return str(found.get("url_private_download") or found.get("url_private") or "")

    async def _upload(
        self, spot: Spot, uploads: Sequence[Upload], *, has_alt: bool
    ) -> list[File]:
        """Bytes that nobody sees yet; their ids are kept before anybody can."""
        found = []
        for one in uploads:
            file = await self._bytes(spot.workspace, one, has_alt=has_alt)
            found.append(
                File(
                    job=spot.job,
                    name=one.name,
                    file=file,
                    key=one.key,
                    channel=spot.channel,
                )
            )
        await self._store.save_files(spot.tenant, found)
        failpoint("share.after_upload")
        return found

    async def _bytes(self, workspace: str, one: Upload, *, has_alt: bool) -> str:
        for _ in range(TRIES):
            alt = one.alt[:ALT] if has_alt and one.alt else None
            place = await self._api.form(
                workspace,
                "files.getUploadURLExternal",
                filename=one.name,
                length=len(one.data),
                alt_txt=alt,
            )
            url = str(place.get("upload_url", ""))
            if not is_allowed(url, self._hosts):
                raise SlackError("strange_upload_url")
            try:
                async with self._http.post(
                    url,
                    data=BytesIO(one.data),
                    allow_redirects=False,
                    timeout=FILE_SECONDS,
                ) as answer:
                    if answer.status == 200:
                        return str(place["file_id"])
                    log.warning("upload_failed", name=one.name, status=answer.status)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("upload_failed", name=one.name, error=type(error).__name__)
        raise SlackError("")

    async def _complete(self, spot: Spot, files: Sequence[File]) -> str:
        """Share them and wait until they are: the message's ts, "" when they never were."""
        titled = [{"id": one.file, "title": one.name} for one in files]
        try:
            await self._api.say(
                spot.workspace,
                "files.completeUploadExternal",
                files=titled,
                channel_id=spot.channel,
                thread_ts=spot.thread or None,
            )
        except SlackError as error:
            if error.permanent:
                raise
        failpoint("share.after_complete")
        return await self._shown_at(spot, files, self._looks)

    async def _shown_at(
        self, spot: Spot, files: Sequence[File], looks: Sequence[float]
    ) -> str:
        for seconds in looks:
            await asyncio.sleep(seconds)
            found = [await self._shares(spot, one.file) for one in files]
            if found and all(found):
                return found[0]
        return ""

    async def _shares(self, spot: Spot, file: str) -> str:
        """The ts of the message that shows a file in this channel, "" while there is none."""
        try:
            found = (await self._api.look(spot.workspace, "files.info", file=file)).get(
                "file"
            ) or {}
        except SlackError as error:
            if error.code == "missing_scope":
                raise
            return ""
        shares: Mapping[str, Any] = found.get("shares") or {}
        places = [
            places[spot.channel] for places in shares.values() if spot.channel in places
        ]
        postings = [posting for place in places for posting in place]
        stamps = [str(posting["ts"]) for posting in postings if posting.get("ts")]
        return stamps[-1] if stamps else ""

    async def _note(self, spot: Spot, ts: str) -> str:
        await self._store.set_message(spot.tenant, spot.job, spot.channel, ts)
        return ts

    async def _take_back(self, spot: Spot, files: Sequence[File]) -> None:
        """A share that is late must not become a second one."""
        await self.delete(spot.workspace, files)
        await self._store.save_files(
            spot.tenant, [replace(one, ts="") for one in files]
        )


def _must_be_file(answer: aiohttp.ClientResponse) -> None:
    """Without the right to read a file Slack sends its login page, often with status 200.

    Raises Rejected.
    """
    if answer.status in {404, 410}:
        raise Rejected("slack.file_gone")
    if answer.status >= 500 or answer.status == 429:
        raise DeliveryError("slack.file_failed")
    if answer.status != 200 or "html" in answer.headers.get("Content-Type", "").lower():
        raise Rejected("slack.file_closed")
