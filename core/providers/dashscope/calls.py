"""DashScope's requests: values → HTTP calls. No I/O.

A request body is a row of pieces, bytes and pictures in turn: a picture's base64 is made while it
is sent.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from core.errors import Charged, Uncertain
from core.models import Model
from core.operations import Action
from core.options import service_parameters
from core.types import Picture, Work

Body = dict[str, Any]
"""A JSON object of a request."""

BEIJING = timezone(timedelta(hours=8))
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
PAGE_SIZE = 100


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
# Where the vendor wants a prompt and the person need not give one: the words of its own examples.
STOCK_PROMPTS = {
    Action.UNWATERMARK: "去除图像中的文字",
    Action.UPSCALE: "图像超分。",
}
# A NUL cannot stand in a prompt, so no prompt looks like a slot.
SLOT = "\u0000picture{}\u0000"
SLOTS = re.compile(rb"\\u0000picture(\d+)\\u0000")
Piece = bytes | Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request. ``body`` pieces are bytes, or a picture to be put there as a data URI."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: tuple[Piece, ...] = ()


def submit_call(work: Work, model: Model, live: Mapping[str, str]) -> Call:
    """The request for a piece of work.

    ``live`` maps a picture's key to the link it may be sent by.
    """
    pictures = [*work.inputs]
    # The mask goes last, behind the inputs: the order in which the pictures are put into the body.
    if work.mask:
        pictures.append(work.mask)
    addresses = [
        live.get(picture.key) or SLOT.format(index)
        for index, picture in enumerate(pictures)
    ]
    body = {
        "model": model.id,
        "input": _input(work, model, addresses),
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
    return Call(
        method="POST",
        path=f"/tasks/{checked_id(task_id)}/cancel",
        headers={},
    )


def list_call(
    since: datetime,
    until: datetime,
    page: int,
    model: str | None = None,
) -> Call:
    """The account's tasks in a window of at most 24 h, a hundred a page."""
    query = {
        "page_no": page,
        "page_size": PAGE_SIZE,
        "start_time": f"{since.astimezone(BEIJING):%Y%m%d%H%M%S}",
        "end_time": f"{until.astimezone(BEIJING):%Y%m%d%H%M%S}",
    }
    if model:
        query["model_name"] = model
    return Call(method="GET", path=f"/tasks?{urlencode(query)}", headers={})


def checked_id(task_id: str) -> str:
    """The id itself. Raises Uncertain for one that would change the address it stands in."""
    if not TASK_ID.fullmatch(task_id):
        raise Uncertain("provider.lost", charged=Charged.MAYBE)
    return task_id


def _input(
    work: Work,
    model: Model,
    addresses: Sequence[str],
) -> Body:
    """``addresses`` of the inputs in order, the mask's last."""
    count = len(work.inputs)
    inputs = list(addresses[:count])
    if model.endpoint in WITH_MESSAGES:
        content = [{"image": address} for address in inputs]
        content.append({"text": work.prompt})
        return {"messages": [{"role": "user", "content": content}]}
    if work.action.is_wanx:
        fields = {
            "function": FUNCTIONS[work.action],
            "prompt": work.prompt or STOCK_PROMPTS.get(work.action, ""),
            "base_image_url": inputs[0],
        }
        if work.mask:
            fields["mask_image_url"] = addresses[count]
        return fields
    body: Body = {"prompt": work.prompt}
    if work.negative:
        body["negative_prompt"] = work.negative
    if model.endpoint == Endpoint.IMAGE2IMAGE:
        body["images"] = inputs
    return body


def _parameters(work: Work, model: Model) -> Body:
    """Build the parameters; n and size are always among them.

    Left out, some models make and bill four pictures, or larger ones.
    """
    parameters: Body = {
        "seed": work.seed,
        **service_parameters(work.options),
    }
    if model.send_n:
        parameters["n"] = work.n
    if work.size:
        parameters["size"] = str(work.size)
    if model.endpoint in WITH_MESSAGES:
        parameters["negative_prompt"] = work.negative
    if model.prompt_extend is not None:
        parameters["prompt_extend"] = work.prompt_extend
    if model.watermark:
        parameters["watermark"] = work.watermark
    if model.id.startswith("wan2.6-image"):
        # Otherwise it answers with words between its pictures.
        parameters["enable_interleave"] = False
    return {
        name: value for name, value in parameters.items() if value is not None
    }


def _pieces(
    body: Mapping[str, Any],
    pictures: Sequence[Picture],
) -> tuple[Piece, ...]:
    """The JSON text cut at the picture slots."""
    text = json.dumps(body, ensure_ascii=False).encode()
    pieces: list[Piece] = []
    position = 0
    for slot in SLOTS.finditer(text):
        pieces.append(text[position : slot.start()])
        pieces.append(pictures[int(slot[1])])
        position = slot.end()
    return (*pieces, text[position:])
