"""DashScope over httpx: the thin half that does the I/O, one object per account."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import structlog

from core.catalog import Catalog
from core.errors import Charged, ProviderError, Refused, Retryable, Uncertain
from core.models import Model, SubmitLimit
from core.pictures.facts import RESULTS
from core.ports import Clock
from core.providers.dashscope import protocol
from core.providers.dashscope.calls import (
    Call,
    Piece,
    cancel_call,
    list_call,
    submit_call,
    task_call,
)
from core.providers.dashscope.pace import Pace
from core.providers.dashscope.protocol import Reply, TaskListItem
from core.providers.dashscope.watcher import Watcher
from core.types import Account, Outcome, Picture, Task, Work
from core.url_policy import host_of, is_allowed

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
SYNC_READ_SECONDS = 320.0
"""The server gives a synchronous call up after 300."""
POOL_SECONDS = 60.0
MAX_DOWNLOAD = RESULTS.bytes
DOWNLOAD_SECONDS = 300.0
CHUNK = 3 * 65536
"""Bytes of a picture at a time: a multiple of three, so that base64 pieces join."""
LIVE_MARGIN = 600
"""Seconds a result link must still live to be sent as an input."""
CAUTIOUS = SubmitLimit(count=2, seconds=1.1)
"""Submits to a model whose vendor names no limit: our own pace, not a fact."""
LIST_WINDOW_PAGES = 20
FIND_DETAILS = 20
SAME_TIME = timedelta(seconds=3)
DATE_STEP = timedelta(seconds=2)
"""A Date header may be as old as that: a second cut off, and one for which servers keep it."""
DEAD_LINK = {403, 404, 410}
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Trouble before the first byte: the service has certainly not seen the call."""

log = structlog.get_logger()
ReadPicture = Callable[[str, str], Awaitable[bytes]]
SharedTurn = Callable[[str], Awaitable[float]]
"""Takes an account's next turn among all processes; returns the seconds until then."""


class DashScope:
    """Provider port for one account (key and region).

    ``read`` gives a picture's bytes by tenant and key; ``result_hosts`` may be downloaded from.
    ``shared_turn``: where other processes use the account, too.
    """

    def __init__(
        self,
        *,
        account: Account,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: str,
        catalog: Catalog,
        read: ReadPicture,
        result_hosts: Sequence[str],
        clock: Clock,
        shared_turn: SharedTurn | None = None,
    ) -> None:
        self.account = account
        self._shared_turn = shared_turn
        self._client = client
        self._base_url = base_url
        self._authorization = f"Bearer {api_key}"
        self._catalog = catalog
        self._read = read
        self._result_hosts = tuple(result_hosts)
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._watcher = Watcher(self._query, self._list_recent)
        self.is_answering = True
        """Whether the service answered when it was last asked."""
        self._ahead: timedelta | None = None

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far the service's clock is ahead of ours, by its latest answer."""
        return self._ahead

    async def close(self) -> None:
        """Stop watching; the HTTP client belongs to the wiring."""
        await self._watcher.close()

    async def submit(self, work: Work) -> Task | Outcome:
        """Send the work.

        Raises Retryable (certainly not taken), Uncertain, Refused or Misconfigured.
        """
        model = self._catalog.model(work.model)
        call = submit_call(work, model, self._live_links(work))
        seconds = SYNC_READ_SECONDS if model.is_sync else READ_SECONDS
        turn = await self._pace(model).turn()
        reply = await self._send(call, seconds, work.tenant)
        # The vendor counts submits as they arrive; a synchronous answer comes long after that.
        if not model.is_sync:
            turn.mark_arrival()
        return protocol.parse_submit(reply, model, self._clock.now())

    async def wait(self, work: Work, task: Task) -> Outcome:
        """Wait until the task ends: the account's one watcher asks for all that wait."""
        model = self._catalog.model(work.model)
        reply = await self._watcher.wait(
            task.id, model.id, model.running_limit
        )
        now = self._clock.now()
        return protocol.task_outcome(reply, now)

    async def find(
        self, work: Work, since: datetime, known: Sequence[str]
    ) -> Task | None:
        """Find the task of a lost submit: this model's oldest unrecorded one since then.

        Where the service says the prompt, it must be this one's. Identical work is interchangeable,
        so any match is right. Raises Retryable when the list cannot be had, Uncertain for a
        synchronous model: its calls stand in no list.
        """
        if self._catalog.model(work.model).is_sync:
            raise protocol.lost_answer()
        listed = await self._list(since, work.model)
        candidates = [task for task in listed if task.id not in known]
        candidates.sort(key=lambda task: task.created)
        # The list holds no prompts, so each must be asked about; more than a few never fit.
        for candidate in candidates[:FIND_DETAILS]:
            reply = await self._query(candidate.id)
            prompt = protocol.original_prompt(reply)
            if prompt is None or prompt == work.prompt:
                return Task(id=candidate.id, request_id=reply.request_id)
        return None

    async def cancel(self, task: Task) -> bool:
        """True when it had not started and now never will."""
        await self._query_turn()
        reply = await self._send(cancel_call(task.id), READ_SECONDS)
        is_cancelled = protocol.parse_cancel(reply)
        # Its job still waits for it, and need not wait until the next question is due.
        self._watcher.nudge(task.id)
        return is_cancelled

    async def download(self, url: str) -> bytes:
        """The bytes behind a result link, at most 256 MiB, whole.

        Raises Refused for a host that is not allowed or too large a body, Uncertain for a dead
        link, Retryable else.
        """
        if not is_allowed(url, self._result_hosts):
            log.error("result_host_refused", host=host_of(url))
            raise Refused("provider.result_host", charged=Charged.YES)
        try:
            return await self._download(url)
        except httpx.HTTPError as error:
            raise Retryable(
                "provider.download", code=type(error).__name__
            ) from None

    async def _download(self, url: str) -> bytes:
        started = time.monotonic()
        timeout = _timeout(READ_SECONDS)
        content = bytearray()
        async with self._client.stream("GET", url, timeout=timeout) as answer:
            _check_download(answer)
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MAX_DOWNLOAD:
                    raise Refused(
                        "provider.result_too_large",
                        charged=Charged.YES,
                        url=url,
                    )
                # Each read may be quick enough while the whole never ends.
                if time.monotonic() - started > DOWNLOAD_SECONDS:
                    raise Retryable("provider.download", code="slow")
        return bytes(content)

    async def _query_turn(self) -> None:
        """Wait until a query is within the account's limit, whoever else asks."""
        await self._watcher.pace.turn()
        if self._shared_turn is not None:
            await asyncio.sleep(await self._shared_turn(self.account.name))

    async def _query(self, task_id: str) -> protocol.TaskReply:
        await self._query_turn()
        reply = await self._send(task_call(task_id), READ_SECONDS)
        return protocol.parse_task(reply, task_id)

    async def _list_recent(self, since: datetime) -> list[TaskListItem]:
        return await self._list(since, None)

    async def _list(
        self, since: datetime, model: str | None
    ) -> list[TaskListItem]:
        """Every row of the window, oldest pages included. ``since`` by our clock."""
        if self._ahead is None:
            await self._learn_time()
        since = self._service_time(since)
        listed: list[TaskListItem] = []
        page, pages = 1, 1
        while page <= min(pages, LIST_WINDOW_PAGES):
            await self._query_turn()
            until = self._service_time(self._clock.now()).replace(
                microsecond=0
            )
            call = list_call(since, until, page, model)
            rows, pages = protocol.parse_list(
                await self._send(call, READ_SECONDS)
            )
            listed += [
                row for row in rows if model is None or row.model == model
            ]
            page += 1
        return listed

    async def _learn_time(self) -> None:
        """Learn the service's time from an answer; it is read for nothing else."""
        await self._query_turn()
        now = self._clock.now().replace(microsecond=0)
        await self._send(
            list_call(now - timedelta(minutes=1), now, 1), READ_SECONDS
        )

    def _service_time(self, at: datetime) -> datetime:
        """Convert a time of our clock to the service's, which alone counts in its lists."""
        return at + (self._ahead or timedelta())

    def _live_links(self, work: Work) -> dict[str, str]:
        """Links to pictures of the work that the service can still fetch, by key."""
        pictures = [*work.inputs]
        if work.mask:
            pictures.append(work.mask)
        links: dict[str, str] = {}
        for picture in pictures:
            if picture.url and self._is_live(picture):
                links[picture.key] = picture.url
        return links

    def _is_live(self, picture: Picture) -> bool:
        if picture.url is None or picture.url_expires is None:
            return False
        left = (picture.url_expires - self._clock.now()).total_seconds()
        return left > LIVE_MARGIN and is_allowed(
            picture.url, self._result_hosts
        )

    def _pace(self, model: Model) -> Pace:
        if model.id not in self._paces:
            limit = model.submit_limit or CAUTIOUS
            self._paces[model.id] = Pace(limit.count, limit.seconds)
        return self._paces[model.id]

    async def _send(
        self, call: Call, read_seconds: float, tenant: str = ""
    ) -> Reply:
        """Send, and read at most MAX_BODY + 1 bytes. Nothing is repeated here: the flow decides."""
        request = self._request(call, read_seconds, tenant)
        try:
            answer = await self._client.send(request, stream=True)
            try:
                body = await _read_body(answer)
            finally:
                await answer.aclose()
        except NEVER_SENT as error:
            self.is_answering = False
            raise Retryable(
                "provider.unreachable", code=type(error).__name__
            ) from None
        except httpx.HTTPError as error:
            self.is_answering = False
            raise _broken_off_error(call, error) from None
        self.is_answering = not answer.is_server_error
        difference = _difference(answer, self._clock.now())
        if difference is not None:
            self._ahead = difference
        return Reply(
            status=answer.status_code, headers=dict(answer.headers), body=body
        )

    def _request(
        self, call: Call, read_seconds: float, tenant: str
    ) -> httpx.Request:
        headers = {
            "Authorization": self._authorization,
            "Accept": "application/json",
            **call.headers,
        }
        content = None
        if call.body:
            # With its length known a body is not sent in chunks, which gateways may refuse.
            headers["Content-Length"] = str(sum(map(_length, call.body)))
            content = self._stream(call, tenant)
        return self._client.build_request(
            call.method,
            self._base_url + call.path,
            headers=headers,
            content=content,
            timeout=_timeout(read_seconds),
        )

    async def _stream(self, call: Call, tenant: str) -> AsyncIterator[bytes]:
        for piece in call.body:
            if isinstance(piece, bytes):
                yield piece
                continue
            content = await self._read(tenant, piece.key)
            yield _data_prefix(piece)
            for start in range(0, len(content), CHUNK):
                yield base64.b64encode(content[start : start + CHUNK])


def _timeout(read_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(
        read_seconds, connect=CONNECT_SECONDS, pool=POOL_SECONDS
    )


def _broken_off_error(call: Call, error: httpx.HTTPError) -> ProviderError:
    """The error of a call broken off: a submit may be accepted, a question is asked again."""
    code = type(error).__name__
    if call.body:
        return Uncertain("provider.lost", charged=Charged.MAYBE, code=code)
    return Retryable("provider.unreachable", code=code)


async def _read_body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > protocol.MAX_BODY:
            break
    return bytes(body[: protocol.MAX_BODY + 1])


def _check_download(answer: httpx.Response) -> None:
    """Raises Uncertain for a link that is dead, Retryable for a hiccup.

    A redirect is never followed: it could lead anywhere.
    """
    code = str(answer.status_code)
    if answer.status_code in DEAD_LINK:
        raise Uncertain("provider.expired", charged=Charged.YES, code=code)
    if answer.is_redirect:
        raise Refused(
            "provider.result_host", charged=Charged.YES, code="redirect"
        )
    if answer.status_code != 200:
        raise Retryable("provider.download", code=code)


def _data_prefix(picture: Picture) -> bytes:
    return f"data:{picture.media_type};base64,".encode()


def _length(piece: Piece) -> int:
    if isinstance(piece, bytes):
        return len(piece)
    base64_length = 4 * ((piece.length + 2) // 3)
    return len(_data_prefix(piece)) + base64_length


def _difference(answer: httpx.Response, now: datetime) -> timedelta | None:
    """How far the other clock is ahead. None when the answer does not say.

    A Date header has whole seconds, so less than a few seconds is no difference.
    """
    try:
        difference = (
            parsedate_to_datetime(answer.headers.get("date", "")) - now
        )
    except (ValueError, TypeError):
        return None
    if abs(difference) < SAME_TIME:
        return timedelta()
    return difference + DATE_STEP
