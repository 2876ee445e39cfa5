"""The shapes of the vendor's answers: tasks, lists, results, usage, errors."""

import io
import secrets
from collections.abc import Callable
from typing import Any

from PIL import Image
from starlette.responses import JSONResponse, Response

from bot.simulator.models import Endpoint, Rule, Usage
from bot.simulator.paint import USUAL_SIZE, output_size
from bot.simulator.refusals import Refusal
from bot.simulator.sizes import Pixels
from bot.simulator.tasks import Task, TaskState, beijing

TIER_1K = 2_250_000
"""Pixels up to which a result is billed as the smaller tier."""
NO_TOKENS = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
}
WITHOUT_METRICS = {"qwen-image", "qwen-image-plus"}
Body = dict[str, Any]
Link = Callable[[Task, int], str]
"""The address of one of a task's results."""


def answer(body: Body) -> Response:
    """A good answer, with the headers the service sends."""
    headers = {
        "x-request-id": body.get("request_id", ""),
        "x-dashscope-call-gateway": "true",
    }
    return JSONResponse(body, headers=headers)


def error(refusal: Refusal) -> Response:
    """The vendor's error envelope."""
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "request_id": request_id(),
    }
    headers = {"x-request-id": body["request_id"]}
    return JSONResponse(body, refusal.status, headers=headers)


def request_id() -> str:
    """A new request id."""
    first = secrets.token_hex(4)
    second = secrets.token_hex(2)
    third = secrets.token_hex(1)
    last = secrets.token_hex(6)
    return f"{first}-{second}-9{third}0-{last}"


def unknown_task(task_id: str) -> Body:
    """What is said of a task that never was, or is older than 24 hours."""
    output = {
        "task_id": task_id,
        "task_status": TaskState.UNKNOWN,
    }
    return {"request_id": request_id(), "output": output}


def new_task(task: Task) -> Body:
    """What a submit is answered with."""
    output = {
        "task_status": TaskState.PENDING,
        "task_id": task.id,
    }
    return {"output": output, "request_id": task.request_id}


def task_body(task: Task, rule: Rule, link: Link) -> Body:
    """How a task stands."""
    output: Body = {
        "task_id": task.id,
        "task_status": task.state,
        "submit_time": beijing(task.accepted),
    }
    if task.started:
        output["scheduled_time"] = beijing(task.started)
    if task.ended:
        output["end_time"] = beijing(task.ended)
    if task.request.model not in WITHOUT_METRICS:
        output["task_metrics"] = _metrics(task)
    body: Body = {"request_id": request_id(), "output": output}
    if task.state == TaskState.FAILED:
        output["code"] = task.code
        output["message"] = task.message
    if task.state == TaskState.SUCCEEDED:
        output |= _results(task, link)
        body["usage"] = usage(task, rule)
    return body


def _metrics(task: Task) -> dict[str, int]:
    failed = 0
    if task.state == TaskState.FAILED:
        failed = task.request.n
    if task.state == TaskState.SUCCEEDED:
        failed = len(task.failed_pictures)
    return {
        "TOTAL": task.request.n,
        "SUCCEEDED": task.good_pictures,
        "FAILED": failed,
    }


def _results(task: Task, link: Link) -> Body:
    items = [_item(task, index, link) for index in range(task.request.n)]
    if task.request.endpoint != Endpoint.IMAGE:
        return {"results": items}
    choices = [_image_choice(item["url"]) for item in items if "url" in item]
    return {"choices": choices, "finished": True}


def _item(task: Task, index: int, link: Link) -> Body:
    if index in task.failed_pictures:
        message = (
            "An internal timeout error has occured during execution, "
            "please try again later."
        )
        return {"code": "InternalError.Timeout", "message": message}
    item = {"url": link(task, index)}
    if task.request.function is None:
        item["orig_prompt"] = task.request.prompt
    return item


def _image_choice(url: str) -> Body:
    image = {
        "image": url,
        "type": "image",
    }
    message = {
        "role": "assistant",
        "content": [image],
    }
    return _choice(message)


def _choice(message: Body) -> Body:
    return {"finish_reason": "stop", "message": message}


def sync_body(task: Task, rule: Rule, link: Link) -> Body:
    """What a synchronous call is answered with."""
    model = task.request.model
    indexes = set(range(task.request.n)) - task.failed_pictures
    content = [{"image": link(task, index)} for index in sorted(indexes)]
    message: Body = {
        "role": "assistant",
        "content": content,
    }
    if model.startswith("z-image"):
        content.append({"text": task.request.prompt})
        message["reasoning_content"] = ""
    output: Body = {"choices": [_choice(message)]}
    is_first_family = model.startswith(("qwen-image-plus", "qwen-image-max"))
    if is_first_family or model == "qwen-image":
        output["task_metric"] = {
            "TOTAL": 1,
            "FAILED": 0,
            "SUCCEEDED": 1,
        }
    return {
        "output": output,
        "usage": usage(task, rule),
        "request_id": task.request_id,
    }


def row(task: Task) -> Body:
    """A task in the list: epoch milliseconds, no prompt, no result."""
    request = task.request
    started = task.started or task.accepted
    key = f"apikey:v1:image:{request.endpoint}::{request.model}"
    return {
        "task_id": task.id,
        "api_key_id": "1",
        "caller_parent_id": "1",
        "caller_uid": "1",
        "gmt_create": _milliseconds(task.accepted),
        "start_time": _milliseconds(started),
        "end_time": _milliseconds(task.ended) if task.ended else None,
        "model_name": request.model,
        "region": "cn-beijing",
        "request_id": task.request_id,
        "status": task.state,
        "user_api_unique_key": key,
    }


def _milliseconds(moment: float) -> int:
    return int(moment * 1000)


def usage(task: Task, rule: Rule) -> Body:
    """What the model's family counts."""
    if rule.usage is Usage.COUNT:
        return {"image_count": task.good_pictures}
    width, height = result_size(task, rule)
    if rule.usage is Usage.SIZE:
        return {
            "image_count": task.good_pictures,
            "size": f"{width}*{height}",
            **NO_TOKENS,
        }
    if rule.usage is Usage.TIERED:
        tier = "1k" if width * height <= TIER_1K else "2k"
        return {
            "output_width": width,
            "output_height": height,
            "input_image_count": len(task.request.images),
            "input_image_type": f"qima_input_{tier}",
            "output_image_count": task.good_pictures,
            "output_image_type": f"qima_output_{tier}",
        }
    counts = {
        "width": width,
        "height": height,
        "image_count": task.good_pictures,
    }
    if rule.usage is Usage.TOKENS:
        return counts | NO_TOKENS
    return counts


def result_size(task: Task, rule: Rule) -> Pixels:
    """Width and height of a task's results."""
    if not task.inputs:
        return task.request.size or USUAL_SIZE
    with Image.open(io.BytesIO(task.inputs[-1])) as image:
        return output_size(task.request, rule, image.size)
