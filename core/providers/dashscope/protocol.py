"""DashScope's answers: bytes → values or typed errors. No I/O.

Nothing in an answer is trusted: type, size, shape and every field are checked, unknown fields are
ignored.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.errors import Charged, ProviderError, Refused, Retryable, Uncertain
from core.models import Model
from core.providers.dashscope.calls import BEIJING, TASK_ID
from core.providers.dashscope.errors import error_for
from core.types import ImageResult, Outcome, Task

Fields = Mapping[str, Any]
"""An object of an answer's JSON."""
MAX_BODY = 1024 * 1024
MAX_PICTURES = 16
MAX_PROMPT = 4000
"""Characters of the prompt the service says it used that are kept."""
RESULT_LIFE = timedelta(hours=24)
MOMENT = "%Y-%m-%d %H:%M:%S.%f"
UNIX_SECONDS = re.compile(r"[0-9]{9,11}")


class TaskState(StrEnum):
    """The vendor's task states. Any word not among them counts as still running."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Is there nothing more to wait for?"""
        return self in {
            TaskState.SUCCEEDED,
            TaskState.FAILED,
            TaskState.CANCELED,
            TaskState.UNKNOWN,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer.

    ``headers`` have lower-case names; ``body`` is read up to MAX_BODY + 1 bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReply:
    """What the service says of a task. ``output`` is its raw object, ``started``, ``ended`` UTC."""

    id: str
    state: TaskState
    request_id: str
    output: Fields
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskListItem:
    """One row of the task list: no result, no prompt."""

    id: str
    state: TaskState
    model: str
    created: datetime


def object_of(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer. Raises Retryable when it is anything else."""
    # Not every gateway names the type.
    media_type = reply.headers.get("content-type", "json")
    if len(reply.body) > MAX_BODY or "json" not in media_type:
        raise _nonsense("body")
    try:
        body = json.loads(reply.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _nonsense("body") from None
    if not isinstance(body, dict):
        raise _nonsense("body")
    return body


def _nonsense(code: str) -> Retryable:
    return Retryable("provider.nonsense", code=code)


def _no_constant(name: str) -> None:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(name)


def raise_for_error(reply: Reply) -> dict[str, Any]:
    """Return a good answer's object; raise the typed error of any other, even inside a 200."""
    header_id = reply.headers.get("x-request-id", "")
    try:
        body = object_of(reply)
    except Retryable:
        # A gateway that refuses the key need not answer in JSON.
        if reply.status in {401, 403}:
            raise error_for("", "", reply.status, header_id) from None
        raise
    code = text_of(body, "code")
    if reply.status != 200 or code:
        request_id = text_of(body, "request_id") or header_id
        raise error_for(
            code,
            text_of(body, "message"),
            reply.status,
            request_id,
        )
    return body


def parse_submit(reply: Reply, model: Model, now: datetime) -> Task | Outcome:
    """Read a submit's answer: a task, or the outcome of a synchronous call.

    An unreadable answer raises Uncertain: the work may be billed.
    """
    try:
        body = raise_for_error(reply)
    except Retryable as error:
        # A gateway may have lost the answer of a submit that went through.
        if reply.status == 200 or reply.status >= 500:
            raise lost_answer(error) from error
        raise
    output = part(body, "output")
    request_id = text_of(body, "request_id")
    if model.is_sync:
        return outcome_of(output, request_id, now)
    task_id = text_of(output, "task_id")
    if not TASK_ID.fullmatch(task_id):
        raise Uncertain(
            "provider.lost",
            charged=Charged.MAYBE,
            request_id=request_id,
        )
    return Task(id=task_id, request_id=request_id)


def lost_answer(error: ProviderError | None = None) -> Uncertain:
    """Build the error of an answer that was lost: the service may have accepted the work."""
    if error is None:
        return Uncertain("provider.lost", charged=Charged.MAYBE)
    return Uncertain(
        "provider.lost",
        charged=Charged.MAYBE,
        code=error.code,
        request_id=error.request_id,
    )


def parse_task(reply: Reply, task_id: str) -> TaskReply:
    """Where a task stands. Raises Retryable for an answer about another task."""
    body = raise_for_error(reply)
    output = part(body, "output")
    # A mixed-up answer must not end the wrong task.
    if text_of(output, "task_id") != task_id:
        raise _nonsense("task_id")
    return TaskReply(
        id=task_id,
        state=state_of(text_of(output, "task_status")),
        request_id=text_of(body, "request_id"),
        output=output,
        started=time_of(text_of(output, "scheduled_time")),
        ended=time_of(text_of(output, "end_time")),
    )


def parse_list(reply: Reply) -> tuple[list[TaskListItem], int]:
    """The rows of one page, and how many pages there are."""
    body = raise_for_error(reply)
    tasks: list[TaskListItem] = []
    for row in list_of(body, "data"):
        task = _list_item(row)
        if task is not None:
            tasks.append(task)
    pages = body.get("total_page")
    return tasks, pages if isinstance(pages, int) else 1


def parse_cancel(reply: Reply) -> bool:
    """True when the task had not started and now never will."""
    try:
        raise_for_error(reply)
    except Refused as error:
        # The vendor's answer for a task that is no longer PENDING.
        if error.code == "UnsupportedOperation":
            return False
        raise
    return True


def task_outcome(reply: TaskReply, now: datetime) -> Outcome:
    """The outcome of a task at its end.

    Raises Refused or Retryable (FAILED), Refused (CANCELED), Uncertain (gone).
    """
    request_id = reply.request_id
    if reply.state is TaskState.FAILED:
        code = text_of(reply.output, "code")
        message = text_of(reply.output, "message")
        raise error_for(code, message, 200, request_id)
    if reply.state is TaskState.CANCELED:
        raise Refused("provider.cancelled", request_id=request_id)
    if reply.state is TaskState.UNKNOWN:
        raise Uncertain(
            "provider.expired",
            charged=Charged.MAYBE,
            request_id=request_id,
        )
    seconds = None
    if reply.ended and reply.started:
        duration = reply.ended - reply.started
        seconds = duration.total_seconds()
    ended = reply.ended or now
    return outcome_of(
        reply.output,
        request_id,
        ended,
        seconds,
    )


def outcome_of(
    output: Fields,
    request_id: str,
    ended: datetime,
    seconds: float | None = None,
) -> Outcome:
    """The pictures of an answer, wherever the model family puts them.

    Raises Refused if there is none.
    """
    items = _items(output)[:MAX_PICTURES]
    results = tuple(_image_result(item) for item in items)
    urls = [result.url for result in results if result.url]
    if not urls:
        errors = (result.error for result in results if result.error)
        error = next(errors, "provider.empty")
        raise Refused(error, request_id=request_id)
    prompt = _first_text(items, "actual_prompt")
    return Outcome(
        made=results,
        request_id=request_id,
        # The vendor bills successful pictures; its own count may be wrong, so they are counted.
        billed=len(urls),
        expires=_expiry(urls, ended + RESULT_LIFE),
        actual_prompt=prompt[:MAX_PROMPT] if prompt else None,
        seconds=seconds,
    )


def original_prompt(reply: TaskReply) -> str | None:
    """The prompt a finished task was made from, where the model says."""
    return _first_text(_items(reply.output), "orig_prompt")


def state_of(word: str) -> TaskState:
    """Read a task's state; an unknown word counts as still running."""
    if word in set(TaskState):
        return TaskState(word)
    return TaskState.RUNNING


def time_of(text: str) -> datetime | None:
    """A task time: Beijing's clock, without a zone."""
    try:
        moment = datetime.strptime(text, MOMENT).replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return moment.astimezone(UTC)


# Fields, each of the type it should have


def text_of(fields: Fields, name: str) -> str:
    """A text field, "" when it is missing or something else."""
    field = fields.get(name)
    return field if isinstance(field, str) else ""


def part(fields: Fields, name: str) -> Fields:
    """An object field, {} when it is missing or something else."""
    field = fields.get(name)
    return field if isinstance(field, dict) else {}


def list_of(fields: Fields, name: str) -> list[Fields]:
    """The objects of a list field, [] when it is missing or something else."""
    field = fields.get(name)
    if not isinstance(field, list):
        return []
    return [item for item in field if isinstance(item, dict)]


def _items(output: Fields) -> list[Fields]:
    """The entries of the pictures: a list, a single object, or parts of chat messages."""
    results = output.get("results")
    if isinstance(results, dict):
        return [results]
    if isinstance(results, list) and results:
        return list_of(output, "results")
    items: list[Fields] = []
    for choice in list_of(output, "choices"):
        content = list_of(part(choice, "message"), "content")
        items += [
            item for item in content if "image" in item or "code" in item
        ]
    return items


def _first_text(items: list[Fields], name: str) -> str | None:
    texts = (text_of(item, name) for item in items)
    return next(filter(None, texts), None)


def _image_result(item: Fields) -> ImageResult:
    url = text_of(item, "url") or text_of(item, "image")
    if url.startswith(("https://", "http://")):
        return ImageResult(url=url)
    code = text_of(item, "code")
    if not code:
        return ImageResult(error="provider.empty")
    error = error_for(code, text_of(item, "message"), 200, "")
    return ImageResult(error=error.key)


def _expiry(urls: list[str], latest: datetime) -> datetime:
    """When the first of the links dies: as signed into it, and no later than the vendor says."""
    moments = [latest]
    for url in urls:
        stamps = parse_qs(urlsplit(url).query).get("Expires", [""])
        if UNIX_SECONDS.fullmatch(stamps[0]):
            moments.append(datetime.fromtimestamp(int(stamps[0]), UTC))
    return min(moments)


def _list_item(row: Fields) -> TaskListItem | None:
    task_id = text_of(row, "task_id")
    created = row.get("gmt_create")
    if not TASK_ID.fullmatch(task_id) or not isinstance(created, int):
        return None
    return TaskListItem(
        id=task_id,
        state=state_of(text_of(row, "status")),
        model=text_of(row, "model_name"),
        created=datetime.fromtimestamp(created / 1000, UTC),
    )
