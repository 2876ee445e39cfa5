"""DashScope's wire protocol: values → requests, bytes → values or typed errors.

No I/O. What the vendor's pages say is summed up in this folder's README.md.

A request body is a row of pieces, bytes and pictures in turn, so that a picture's base64 is made as
it is sent. Nothing in an answer is trusted: type, size, shape and every field are checked, unknown
fields are ignored.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from core.catalog import Model
from core.errors import ProviderError, Refused, Retryable, Uncertain
from core.options import service_parameters
from core.providers.dashscope.errors import error_for
from core.types import Action, ImageResult, Outcome, Picture, Task, Work

MAX_BODY = 1024 * 1024
MAX_PICTURES = 16
RESULT_LIFE = timedelta(hours=24)
BEIJING = timezone(timedelta(hours=8))
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class Endpoint(StrEnum):
    """How a model is called, as the catalogue writes it."""

    MULTIMODAL = "multimodal"
    IMAGE = "image"
    TEXT2IMAGE = "text2image"
    IMAGE2IMAGE = "image2image"


PATHS = {
    Endpoint.MULTIMODAL: "/services/aigc/multimodal-generation/generation",
    Endpoint.IMAGE: "/services/aigc/image-generation/generation",
    Endpoint.TEXT2IMAGE: "/services/aigc/text2image/image-synthesis",
    Endpoint.IMAGE2IMAGE: "/services/aigc/image2image/image-synthesis",
}
WITH_MESSAGES = {Endpoint.MULTIMODAL, Endpoint.IMAGE}
"""Endpoints whose input is a chat message; the others have fields of their own for each part."""
FUNCTIONS = {
    Action.STYLE: "stylization_all",
    Action.RESTYLE: "stylization_local",
    Action.WANX_EDIT: "description_edit",
    Action.INPAINT: "description_edit_with_mask",
    Action.UNWATERMARK: "remove_watermark",
    Action.EXPAND: "expand",
    Action.UPSCALE: "super_resolution",
    Action.COLORIZE: "colorization",
    Action.SKETCH: "doodle",
    Action.CARTOON: "control_cartoon_feature",
}
# Where the vendor wants a prompt and the person need not give one: the words of its own
# examples.
STOCK_PROMPTS = {Action.UNWATERMARK: "去除图像中的文字", Action.UPSCALE: "图像超分。"}
SLOT = "\u0000picture{}\u0000"
SLOTS = re.compile(rb"\\u0000picture(\d+)\\u0000")


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
class Call:
    """One HTTP request. ``body`` pieces are bytes, or a picture to be put there as a data URI."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: tuple[bytes | Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer.

    Status, headers with lower-case names, the body read up to MAX_BODY + 1 bytes.
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
    output: Mapping[str, Any]
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskListItem:
    """One row of the task list: no result, no prompt."""

    id: str
    state: TaskState
    model: str
    created: datetime


# Requests


def submit_call(work: Work, model: Model, live: Mapping[str, str]) -> Call:
    """The request for a piece of work.

    ``live`` maps a picture's key to the link it may be sent by.
    """
    pictures = [*work.inputs, *([work.mask] if work.mask else [])]
    values = [
        live.get(picture.key) or SLOT.format(at) for at, picture in enumerate(pictures)
    ]
    inputs, mask = values[: len(work.inputs)], values[-1] if work.mask else None
    body = {
        "model": model.id,
        "input": _input(work, model, inputs, mask),
        "parameters": _parameters(work, model),
    }
    headers = {"Content-Type": "application/json"}
    if not model.is_sync:
        headers["X-DashScope-Async"] = "enable"
    return Call(
        method="POST",
        path=PATHS[Endpoint(model.endpoint)],
        headers=headers,
        body=_pieces(body, pictures),
    )


def task_call(task_id: str) -> Call:
    """Ask about a task. Raises Uncertain for an id that could not stand in an address."""
    return Call(method="GET", path=f"/tasks/{checked_id(task_id)}", headers={})


def cancel_call(task_id: str) -> Call:
    """Cancel a PENDING task."""
    return Call(method="POST", path=f"/tasks/{checked_id(task_id)}/cancel", headers={})


def list_call(
    since: datetime, until: datetime, page: int, model: str | None = None
) -> Call:
    """The account's tasks in a window of at most 24 h, a hundred a page."""
    query = {
        "page_no": page,
        "page_size": 100,
        "start_time": f"{since.astimezone(BEIJING):%Y%m%d%H%M%S}",
        "end_time": f"{until.astimezone(BEIJING):%Y%m%d%H%M%S}",
    }
    if model:
        query["model_name"] = model
    return Call(method="GET", path=f"/tasks?{urlencode(query)}", headers={})


def checked_id(task_id: str) -> str:
    """The id itself, if it is one."""
    if not TASK_ID.fullmatch(task_id):
        raise Uncertain("provider.lost", charged="maybe")
    return task_id


def _input(
    work: Work, model: Model, inputs: Sequence[str], mask: str | None
) -> dict[str, Any]:
    if model.endpoint in WITH_MESSAGES:
        content = [{"image": one} for one in inputs] + [{"text": work.prompt}]
        return {"messages": [{"role": "user", "content": content}]}
    if work.action.is_wanx:
        given = {
            "function": FUNCTIONS[work.action],
            "prompt": work.prompt or STOCK_PROMPTS.get(work.action, ""),
            "base_image_url": inputs[0],
        }
        return {**given, "mask_image_url": mask} if mask else given
    given = {
        "prompt": work.prompt,
        **({"negative_prompt": work.negative} if work.negative else {}),
    }
    return (
        {**given, "images": list(inputs)}
        if model.endpoint == Endpoint.IMAGE2IMAGE
        else given
    )


def _parameters(work: Work, model: Model) -> dict[str, Any]:
    """n and size are always sent.

    Left out, some models make and bill four pictures, or larger ones.
    """
    in_messages = model.endpoint in WITH_MESSAGES
    optional = {
        "n": work.n if model.send_n else None,
        "size": str(work.size) if work.size else None,
        "negative_prompt": work.negative if in_messages else None,
        "prompt_extend": work.prompt_extend
        if model.prompt_extend is not None
        else None,
        "watermark": work.watermark if model.watermark else None,
        "enable_interleave": False if model.id.startswith("wan2.6-image") else None,
        **service_parameters(work.options),
    }
    return {
        "seed": work.seed,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _pieces(
    body: Mapping[str, Any], pictures: Sequence[Picture]
) -> tuple[bytes | Picture, ...]:
    """The JSON text cut at the picture slots.

    A NUL cannot stand in a prompt, so no prompt looks like a slot.
    """
    text = json.dumps(body, ensure_ascii=False).encode()
    pieces: list[bytes | Picture] = []
    position = 0
    for slot in SLOTS.finditer(text):
        pieces += [text[position : slot.start()], pictures[int(slot[1])]]
        position = slot.end()
    return (*pieces, text[position:])


# Answers


def object_of(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises Retryable when it is anything else.
    """
    if len(reply.body) > MAX_BODY or "json" not in reply.headers.get(
        "content-type", "json"
    ):
        raise Retryable("provider.nonsense", code="body")
    try:
        value = json.loads(reply.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Retryable("provider.nonsense", code="body") from None
    if not isinstance(value, dict):
        raise Retryable("provider.nonsense", code="body")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def raise_for_error(reply: Reply) -> dict[str, Any]:
    """The object of a good answer; the typed error of any other, a code inside a 200 included."""
    try:
        body = object_of(reply)
    except Retryable:
        if reply.status in {401, 403}:
            raise error_for(
                "", "", reply.status, reply.headers.get("x-request-id", "")
            ) from None
        raise
    if reply.status != 200 or text_of(body, "code"):
        request_id = text_of(body, "request_id") or reply.headers.get(
            "x-request-id", ""
        )
        raise error_for(
            text_of(body, "code"), text_of(body, "message"), reply.status, request_id
        )
    return body


def parse_submit(reply: Reply, model: Model, now: datetime) -> Task | Outcome:
    """A task, or the outcome of a synchronous call.

    An answer past understanding is Uncertain: it may be billed.
    """
    try:
        body = raise_for_error(reply)
    except Retryable as error:
        if reply.status == 200 or reply.status >= 500:
            raise lost(error) from error
        raise
    output = part(body, "output")
    if model.is_sync:
        return outcome_of(output, text_of(body, "request_id"), now)
    task_id = text_of(output, "task_id")
    if not TASK_ID.fullmatch(task_id):
        raise Uncertain(
            "provider.lost", charged="maybe", request_id=text_of(body, "request_id")
        )
    return Task(id=task_id, request_id=text_of(body, "request_id"))


def lost(error: ProviderError | None = None) -> Uncertain:
    """We cannot know whether the service took it."""
    code, request_id = (error.code, error.request_id) if error else ("", "")
    return Uncertain("provider.lost", charged="maybe", code=code, request_id=request_id)


def parse_task(reply: Reply, task_id: str) -> TaskReply:
    """Where a task stands. Raises Retryable for an answer about another task."""
    body = raise_for_error(reply)
    output = part(body, "output")
    if text_of(output, "task_id") != task_id:
        raise Retryable("provider.nonsense", code="task_id")
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
    rows = body.get("data")
    found = [
        one
        for row in (rows if isinstance(rows, list) else [])
        if (one := _listed(row)) is not None
    ]
    pages = body.get("total_page")
    return found, pages if isinstance(pages, int) else 1


def parse_cancel(reply: Reply) -> bool:
    """True when the task had not started and now never will."""
    try:
        raise_for_error(reply)
    except Refused as error:
        if error.code == "UnsupportedOperation":
            return False
        raise
    return True


def task_outcome(reply: TaskReply, now: datetime) -> Outcome:
    """The outcome of a task at its end.

    Raises Refused or Retryable (FAILED), Refused (CANCELED), Uncertain (gone).
    """
    if reply.state is TaskState.FAILED:
        code, message = text_of(reply.output, "code"), text_of(reply.output, "message")
        raise error_for(code, message, 200, reply.request_id)
    if reply.state is TaskState.CANCELED:
        raise Refused("provider.cancelled", request_id=reply.request_id)
    if reply.state is TaskState.UNKNOWN:
        raise Uncertain(
            "provider.expired", charged="maybe", request_id=reply.request_id
        )
    seconds = (
        (reply.ended - reply.started).total_seconds()
        if reply.ended and reply.started
        else None
    )
    return outcome_of(reply.output, reply.request_id, reply.ended or now, seconds)


def outcome_of(
    output: Mapping[str, Any],
    request_id: str,
    ended: datetime,
    seconds: float | None = None,
) -> Outcome:
    """The pictures of an answer, wherever the model family puts them.

    Raises Refused if there is none.
    """
    items = [one for one in _items(output) if isinstance(one, Mapping)][:MAX_PICTURES]
    made = tuple(_made(one) for one in items)
    good = sum(1 for one in made if one.url)
    if not good:
        failed = next((one.error for one in made if one.error), "provider.empty")
        raise Refused(failed, request_id=request_id)
    prompt = next(
        (text for one in items if (text := text_of(one, "actual_prompt"))), None
    )
    return Outcome(
        made=made,
        request_id=request_id,
        # The vendor bills successful pictures; its own count may be wrong, so the
        # pictures are counted.
        billed=good,
        expires=min(
            [
                ended + RESULT_LIFE,
                *filter(None, (_link_expiry(one.url) for one in made if one.url)),
            ]
        ),
        actual_prompt=prompt[:4000] if prompt else None,
        seconds=seconds,
    )


def original_prompt(reply: TaskReply) -> str | None:
    """The prompt a finished task was made from, where the model tells."""
    items = (one for one in _items(reply.output) if isinstance(one, Mapping))
    return next((text for one in items if (text := text_of(one, "orig_prompt"))), None)


def state_of(word: str) -> TaskState:
    """A word we do not know means that it still runs."""
    return TaskState(word) if word in set(TaskState) else TaskState.RUNNING


def time_of(text: str) -> datetime | None:
    """A task time: Beijing's clock, without a zone."""
    try:
        return (
            datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")
            .replace(tzinfo=BEIJING)
            .astimezone(UTC)
        )
    except ValueError:
        return None


def text_of(value: Mapping[str, Any], name: str) -> str:
    """A text field, "" when it is missing or something else."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object field, {} when it is missing or something else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _items(output: Mapping[str, Any]) -> list[Any]:
    results = output.get("results")
    if isinstance(results, dict):
        results = [results]
    if isinstance(results, list) and results:
        return results
    choices = output.get("choices")
    contents: list[Any] = []
    for choice in choices if isinstance(choices, list) else []:
        content = (
            part(choice, "message").get("content") if isinstance(choice, dict) else None
        )
        contents += content if isinstance(content, list) else []
    return [
        one
        for one in contents
        if isinstance(one, dict) and ("image" in one or "code" in one)
    ]


def _made(item: Mapping[str, Any]) -> ImageResult:
    url = text_of(item, "url") or text_of(item, "image")
    if url.startswith(("https://", "http://")):
        return ImageResult(url=url)
    error = error_for(text_of(item, "code"), text_of(item, "message"), 200, "")
    return ImageResult(error=error.key if text_of(item, "code") else "provider.empty")


def _link_expiry(url: str) -> datetime | None:
    """When a signed link says it dies."""
    stamp = parse_qs(urlsplit(url).query).get("Expires", [""])[0]
    if not re.fullmatch(r"[0-9]{9,11}", stamp):
        return None
    return datetime.fromtimestamp(int(stamp), UTC)


def _listed(row: object) -> TaskListItem | None:
    if not isinstance(row, dict) or not TASK_ID.fullmatch(text_of(row, "task_id")):
        return None
    created = row.get("gmt_create")
    if not isinstance(created, int):
        return None
    return TaskListItem(
        id=text_of(row, "task_id"),
        state=state_of(text_of(row, "status")),
        model=text_of(row, "model_name"),
        created=datetime.fromtimestamp(created / 1000, UTC),
    )
