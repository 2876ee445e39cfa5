"""The shapes of the vendor's answers."""

import io
import secrets
from typing import Any

from PIL import Image
from starlette.responses import JSONResponse, Response

from bot.simulator.paint import output_size
from bot.simulator.rules import Refusal, Rule
from bot.simulator.tasks import Task


def answer(body: dict[str, Any]) -> Response:
    """A good answer, with the headers the service sends."""
    headers = {
        "x-request-id": body.get("request_id", ""),
        "x-dashscope-call-gateway": "true",
    }
    return JSONResponse(body, headers=headers)


def refused(refusal: Refusal) -> Response:
    """The vendor's error envelope."""
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "request_id": request_id(),
    }
    return JSONResponse(
        body, refusal.status, headers={"x-request-id": body["request_id"]}
    )


def request_id() -> str:
    """A new request id."""
    return f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-9{secrets.token_hex(1)}0-{secrets.token_hex(6)}"


def unknown(task_id: str) -> dict[str, Any]:
    """A task nobody knows, or older than 24 hours: HTTP 200."""
    return {
        "request_id": request_id(),
        "output": {"task_id": task_id, "task_status": "UNKNOWN"},
    }


def row(task: Task) -> dict[str, Any]:
    """A task in the list: epoch milliseconds, no prompt, no result."""
    return {
        "task_id": task.id,
        "api_key_id": "1",
        "caller_parent_id": "1",
        "caller_uid": "1",
        "gmt_create": int(task.accepted * 1000),
        "start_time": int((task.started or task.accepted) * 1000),
        "end_time": int(task.ended * 1000) if task.ended else None,
        "model_name": task.wanted.model,
        "region": "cn-beijing",
        "request_id": task.request_id,
        "status": task.state,
        "user_api_unique_key": f"apikey:v1:image:{task.wanted.endpoint}::{task.wanted.model}",
    }


def usage(task: Task, rule: Rule) -> dict[str, Any]:
    """What the model's family counts."""
    wanted, kind = task.wanted, rule.usage
    width, height = size_of(task, rule)
    if kind == "count":
        return {"image_count": task.billed}
    if kind == "size":
        return {
            "image_count": task.billed,
            "size": f"{width}*{height}",
            "total_tokens": 0,
            "input_tokens": 0,
            "output_tokens": 0,
        }
    if kind == "tiered":
        tier = "1k" if width * height <= 2_250_000 else "2k"
        return {
            "output_width": width,
            "output_height": height,
            "input_image_count": len(wanted.images),
            "input_image_type": f"qima_input_{tier}",
            "output_image_count": task.billed,
            "output_image_type": f"qima_output_{tier}",
        }
    tokens = (
        {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        if kind == "tokens"
        else {}
    )
    return {"width": width, "height": height, "image_count": task.billed, **tokens}


def size_of(task: Task, rule: Rule) -> tuple[int, int]:
    """Width and height of a task's results."""
    if not task.inputs:
        return task.wanted.size or (1024, 1024)
    with Image.open(io.BytesIO(task.inputs[-1])) as image:
        return output_size(task.wanted, rule, image.size)
