"""Files at Slack: people's files downloaded, ours uploaded and shared once.

Slack answers "ok" to a share before it has happened, and now and then it never does: only
files.info tells. A file's id is stored before the file is shared, so that after a crash the same
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
from core.i18n import clip
from core.pictures.facts import too_many_bytes
from core.types import Attachment
from core.url_policy import is_allowed

ALT_LENGTH = 1000
TITLE_LENGTH = 80
LOOKS = (0.2, 0.4, 0.8, 1.6, 3.0, 6.0, 10.0)
"""Seconds before each look whether a share has happened: 22 in all."""
UPLOAD_TRIES = 3
"""Slack's upload host answers 504 a few times a day."""
FILE_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10, sock_read=20)
CHUNK = 1 << 16
PATH = "/files-pri/"
EXTERNAL, GONE = "external", "gone"
GONE_CODES = frozenset({"file_not_found", "file_deleted"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture to show. ``key``: its blob, "" for one that was drawn for the post."""

    name: str
    alt: str
    data: bytes
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where files go. ``tenant`` and ``job`` identify them in the store."""

    tenant: str
    workspace: str
    channel: str
    thread: str
    job: str


class Files:
    """Files of every workspace. Only ``hosts`` are ever given the bot token."""

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
        """Show the pictures in one message, once. Return its ts, "" when Slack would not.

        Raises SlackError.
        """
        files = await self._uploaded_before(spot, uploads)
        if files:
            ts = files[0].ts or await self._find_share(spot, files, (0.0,))
            if ts:
                return await self._record_share(spot, ts)
        # Slack drops the shares of some files for good because of their alternative text.
        for has_alt in (True, False):
            if not files:
                files = await self._upload(spot, uploads, has_alt=has_alt)
            ts = await self._complete(spot, files, uploads)
            if ts:
                return await self._record_share(spot, ts)
            log.warning("share_dropped", job=spot.job)
            await self._withdraw(spot, files)
            files = []
        return ""

    async def _uploaded_before(
        self,
        spot: Spot,
        uploads: Sequence[Upload],
    ) -> list[File]:
        """Return what an earlier try has uploaded, if that was all, the first picture first."""
        files = await self._store.files_of(spot.tenant, spot.job)
        if not all(upload.name in files for upload in uploads):
            return []
        first = uploads[0].name
        return sorted(files.values(), key=lambda file: file.name != first)

    async def delete(self, workspace: str, files: Sequence[File]) -> None:
        """Delete files; no matter if they are gone."""
        for file in files:
            try:
                await self._api.post_json(
                    workspace,
                    "files.delete",
                    file=file.file,
                )
            except SlackError as error:
                if not error.permanent:
                    raise

    async def fetch(
        self,
        attachment: Attachment,
        limit: int,
        token: str,
    ) -> AsyncIterator[bytes]:
        """Stream a person's file, at most ``limit`` bytes. Raises Rejected or DeliveryError."""
        url = await self._download_url(attachment)
        try:
            async with self._http.get(
                url,
                headers={"Authorization": f"Bearer {token}"},
                allow_redirects=False,
                timeout=FILE_TIMEOUT,
            ) as response:
                _raise_for_status(response)
                size = 0
                async for chunk in response.content.iter_chunked(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise too_many_bytes(limit)
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError):
            # Their texts may hold the request, and with it the token.
            raise DeliveryError("slack.file_failed") from None

    async def _download_url(self, attachment: Attachment) -> str:
        workspace, file, url = (*attachment.ref.split(" ", 2), "", "")[:3]
        if not url:
            url = await self._look_up_url(workspace, file)
        if url == GONE:
            raise Rejected("slack.file_gone")
        if url == EXTERNAL:
            raise Rejected("slack.external_file")
        if not is_allowed(url, self._hosts) or not urlsplit(
            url
        ).path.startswith(PATH):
            raise Rejected("slack.strange_file")
        return url

    async def _look_up_url(self, workspace: str, file: str) -> str:
        """Files of another organisation come without an address (Slack Connect)."""
        try:
            info = await self._info(workspace, file)
        except SlackError as error:
            if error.code in GONE_CODES:
                return GONE
            if error.permanent:
                raise Rejected("slack.file_closed") from None
            raise DeliveryError("slack.file_failed") from None
        if info.get("mode") == "tombstone":
            return GONE
        if info.get("is_external") or info.get("mode") == EXTERNAL:
            return EXTERNAL
        url = info.get("url_private_download") or info.get("url_private")
        if not url:
            # A free workspace hides its old files.
            raise Rejected("slack.file_closed")
        return str(url)

    async def _info(self, workspace: str, file: str) -> Mapping[str, Any]:
        answer = await self._api.get(workspace, "files.info", file=file)
        return answer.get("file") or {}

    async def _upload(
        self,
        spot: Spot,
        uploads: Sequence[Upload],
        *,
        has_alt: bool,
    ) -> list[File]:
        files = []
        for upload in uploads:
            number = await self._upload_bytes(
                spot.workspace,
                upload,
                has_alt=has_alt,
            )
            file = File(
                job=spot.job,
                name=upload.name,
                file=number,
                key=upload.key,
                channel=spot.channel,
            )
            files.append(file)
        # Their ids are kept before anybody can see them: a crash must not lead to a second share.
        await self._store.save_files(spot.tenant, files)
        failpoint("share.after_upload")
        return files

    async def _upload_bytes(
        self,
        workspace: str,
        upload: Upload,
        *,
        has_alt: bool,
    ) -> str:
        alt = upload.alt[:ALT_LENGTH] if has_alt else ""
        for _ in range(UPLOAD_TRIES):
            target = await self._api.post_form(
                workspace,
                "files.getUploadURLExternal",
                filename=upload.name,
                length=len(upload.data),
                alt_txt=alt or None,
            )
            url = str(target.get("upload_url", ""))
            if not is_allowed(url, self._hosts):
                raise SlackError("strange_upload_url")
            if await self._put(url, upload):
                return str(target["file_id"])
        raise SlackError("")

    async def _put(self, url: str, upload: Upload) -> bool:
        try:
            async with self._http.post(
                url,
                data=BytesIO(upload.data),
                allow_redirects=False,
                timeout=FILE_TIMEOUT,
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning(
                "upload_failed",
                name=upload.name,
                error=type(error).__name__,
            )
            return False
        if status != 200:
            log.warning("upload_failed", name=upload.name, status=status)
        return status == 200

    async def _complete(
        self,
        spot: Spot,
        files: Sequence[File],
        uploads: Sequence[Upload],
    ) -> str:
        """Share files and wait until Slack has done it. Return the ts, "" when it never did."""
        titles = {upload.name: _title(upload) for upload in uploads}
        try:
            await self._api.post_json(
                spot.workspace,
                "files.completeUploadExternal",
                files=[
                    {"id": file.file, "title": titles[file.name]}
                    for file in files
                ],
                channel_id=spot.channel,
                thread_ts=spot.thread or None,
            )
        except SlackError as error:
            if error.permanent:
                raise
            # It may have had its effect: the look tells.
        failpoint("share.after_complete")
        return await self._find_share(spot, files, self._looks)

    async def _find_share(
        self,
        spot: Spot,
        files: Sequence[File],
        looks: Sequence[float],
    ) -> str:
        for seconds in looks:
            await asyncio.sleep(seconds)
            # All are in one message: only when every file has its share is it whole.
            stamps = [await self._ts_of(spot, file.file) for file in files]
            if stamps and all(stamps):
                return stamps[0]
        return ""

    async def _ts_of(self, spot: Spot, file: str) -> str:
        """The ts of the message that shows a file in this channel, "" while there is none."""
        try:
            info = await self._info(spot.workspace, file)
        except SlackError as error:
            if error.code == "missing_scope":
                raise
            return ""
        shares: Mapping[str, Mapping[str, Any]] = info.get("shares") or {}
        stamp = ""
        for channels in shares.values():
            for share in channels.get(spot.channel, ()):
                stamp = str(share.get("ts") or stamp)
        return stamp

    async def _record_share(self, spot: Spot, ts: str) -> str:
        await self._store.set_message(spot.tenant, spot.job, spot.channel, ts)
        return ts

    async def _withdraw(self, spot: Spot, files: Sequence[File]) -> None:
        """A share that comes late must not become a second one."""
        await self.delete(spot.workspace, files)
        withdrawn = [replace(file, ts="") for file in files]
        await self._store.save_files(spot.tenant, withdrawn)


def _title(upload: Upload) -> str:
    """What people see above a file: what it shows rather than its name."""
    first_line = upload.alt.partition("\n")[0]
    return clip(first_line, TITLE_LENGTH) or upload.name


def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Raise Rejected, or DeliveryError where trying again may help."""
    if response.status in {404, 410}:
        raise Rejected("slack.file_gone")
    if response.status >= 500 or response.status == 429:
        raise DeliveryError("slack.file_failed")
    # Without the right to read a file Slack sends its login page, often with status 200.
    is_page = "html" in response.headers.get("Content-Type", "").lower()
    if response.status != 200 or is_page:
        raise Rejected("slack.file_closed")
