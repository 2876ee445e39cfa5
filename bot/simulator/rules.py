"""What the vendor checks in a request, in its order, and refuses in its words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.simulator.models import Endpoint, Rule
from bot.simulator.refusals import Refusal, invalid, invalid_field
from bot.simulator.sizes import Pixels, pair

Fields = Mapping[str, Any]
"""An object of the request's JSON."""
MAX_SEED = 2_147_483_647
MAX_NEGATIVE = 500
WITH_MASK = "description_edit_with_mask"
FUNCTIONS = (
    "stylization_all",
    "stylization_local",
    "description_edit",
    WITH_MASK,
    "remove_watermark",
    "expand",
    "super_resolution",
    "colorization",
    "doodle",
    "control_cartoon_feature",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A checked request.

    ``size`` None where the model decides; ``images`` as sent; ``extra`` function parameters.
    """

    model: str
    endpoint: str
    prompt: str
    n: int
    seed: int | None
    size: Pixels | None
    images: tuple[str, ...] = ()
    mask: str | None = None
    function: str | None = None
    negative: str = ""
    watermark: bool = False
    extra: Fields = field(default_factory=dict)


Wanted = ImageRequest
"""Its former name, by which tasks that were kept on disk still ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a request is about, wherever its endpoint has it written."""

    prompt: str
    images: tuple[str, ...]
    function: str | None = None
    mask: str | None = None


def check(
    body: Any,
    endpoint: Endpoint,
    is_async: bool,
    rules: Mapping[str, Rule],
) -> ImageRequest:
    """The request, checked as the vendor would; raises Refusal in the vendor's words."""
    _check_kind(endpoint, is_async)
    if not isinstance(body, dict):
        message = (
            "Required body invalid, please check the request body format."
        )
        raise invalid(message)
    model = _model(body, rules)
    rule = rules[model]
    if endpoint not in rule.endpoints:
        raise invalid("url error, please check url！")
    fields = body.get("input")
    if not isinstance(fields, dict):
        message = "Required input parameter missing from request."
        raise Refusal(400, "BadRequest.EmptyInput", message)
    parameters: Fields = {}
    if isinstance(body.get("parameters"), dict):
        parameters = body["parameters"]
    # What is missing is looked for before what is out of range, as the vendor does.
    source = _input(model, rule, endpoint, fields)
    negative = fields.get("negative_prompt") or ""
    negative = negative or parameters.get("negative_prompt") or ""
    watermark = parameters.get("watermark", False)
    usual_n = rule.n[2]
    return ImageRequest(
        model=model,
        endpoint=endpoint,
        # The vendor cuts a long prompt and says nothing.
        prompt=source.prompt[: rule.prompt],
        n=_n(parameters.get("n", usual_n), rule),
        seed=_seed(parameters.get("seed")),
        size=_size(parameters.get("size"), rule, bool(source.images)),
        images=source.images,
        mask=source.mask,
        function=source.function,
        negative=str(negative)[:MAX_NEGATIVE],
        watermark=bool(watermark),
        extra=_function_parameters(source.function, parameters),
    )


def _check_kind(endpoint: Endpoint, is_async: bool) -> None:
    answers_at_once = endpoint is Endpoint.MULTIMODAL
    if answers_at_once and is_async:
        message = "current user api does not support asynchronous calls"
        raise Refusal(403, "AccessDenied", message)
    if not answers_at_once and not is_async:
        message = "current user api does not support synchronous calls"
        raise Refusal(403, "AccessDenied", message)


def _model(body: Fields, rules: Mapping[str, Rule]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        message = 'Required parameter "model" missing from request.'
        raise Refusal(400, "BadRequest.EmptyModel", message)
    if model not in rules:
        raise Refusal(404, "InvalidParameter", "Model not exist.")
    return model


def _input(
    model: str,
    rule: Rule,
    endpoint: Endpoint,
    fields: Fields,
) -> Input:
    if endpoint.has_messages:
        return _message(model, rule, fields)
    if model == "wanx2.1-imageedit":
        return _wanx(fields)
    return _plain(rule, fields)


def _message(model: str, rule: Rule, fields: Fields) -> Input:
    content = _content(fields)
    texts = _parts(content, "text")
    images = _parts(content, "image")
    least, most = rule.images
    if model == "z-image-turbo" and len(content) > 1:
        raise invalid(
            "content parameter's length invalid, please check the request parameters."
        )
    if len(texts) != 1 or len(images) < least:
        raise invalid("lack of image or text")
    if len(images) > most:
        raise invalid(f"content length only support {most + 1}")
    return Input(prompt=texts[0], images=tuple(images))


def _content(fields: Fields) -> list[Any]:
    messages = fields.get("messages")
    if messages is None:
        raise invalid("Field required: input.messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("No messages found in input")
    if len(messages) != 1:
        raise invalid("messages length only support 1")
    content = None
    if isinstance(messages[0], dict):
        content = messages[0].get("content")
    if not isinstance(content, list):
        raise invalid("check input data style.")
    return content


def _parts(content: list[Any], name: str) -> list[str]:
    """The texts, or the pictures, of a message."""
    parts = [part.get(name) for part in content if isinstance(part, dict)]
    return [part for part in parts if isinstance(part, str)]


def _plain(rule: Rule, fields: Fields) -> Input:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid_field("prompt")
    images = fields.get("images") or []
    if not isinstance(images, list):
        raise invalid_field("images")
    least, most = rule.images
    if not least <= len(images) <= most:
        raise invalid_field("images")
    return Input(prompt=prompt, images=tuple(str(image) for image in images))


def _wanx(fields: Fields) -> Input:
    function = fields.get("function")
    prompt = fields.get("prompt")
    base = fields.get("base_image_url")
    mask = fields.get("mask_image_url")
    if function not in FUNCTIONS:
        raise invalid_field("function")
    if not isinstance(prompt, str):
        raise invalid_field("prompt")
    if not isinstance(base, str) or not base:
        raise invalid_field("base_image_url")
    if not isinstance(mask, str):
        mask = None
    if function == WITH_MASK and mask is None:
        raise invalid_field("mask_image_url")
    return Input(
        prompt=prompt,
        images=(base,),
        function=str(function),
        mask=mask,
    )


def _is_whole(value: object) -> bool:
    """JSON's true and false are no numbers, though Python's are."""
    return isinstance(value, int) and not isinstance(value, bool)


def _n(value: Any, rule: Rule) -> int:
    least, most, _ = rule.n
    if _is_whole(value) and least <= value <= most:
        return int(value)
    if most == 1:
        raise invalid("num_images_per_prompt must be 1")
    raise invalid(f"Range of n should be [{least}, {most}]")


def _seed(value: Any) -> int | None:
    if value is None:
        return None
    if _is_whole(value) and 0 <= value <= MAX_SEED:
        return int(value)
    raise invalid(f"Range of seed should be [0, {MAX_SEED}]")


def _size(value: Any, rule: Rule, has_images: bool) -> Pixels | None:
    """Pixels; None where none was given to an edit, or the model takes none."""
    if rule.sizes is None:
        return None
    if value is not None:
        return rule.sizes.parse(value)
    return None if has_images else pair(rule.default_size)


RANGES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "stylization_all": {"strength": (0.0, 1.0, 0.5)},
    "description_edit": {"strength": (0.0, 1.0, 0.5)},
    "expand": {
        "top_scale": (1.0, 2.0, 1.0),
        "bottom_scale": (1.0, 2.0, 1.0),
        "left_scale": (1.0, 2.0, 1.0),
        "right_scale": (1.0, 2.0, 1.0),
    },
    "super_resolution": {"upscale_factor": (1, 4, 1)},
}
"""Least, most and usual value of each function's own parameters."""
WHOLE_NUMBERS = {"upscale_factor"}


def _function_parameters(
    function: str | None,
    parameters: Fields,
) -> dict[str, Any]:
    """The function's own parameters, in range; others are ignored."""
    own: dict[str, Any] = {}
    ranges = RANGES.get(function or "", {})
    for name, (least, most, usual) in ranges.items():
        parameter = parameters.get(name, usual)
        is_number = _is_whole(parameter)
        if name not in WHOLE_NUMBERS:
            is_number = is_number or isinstance(parameter, float)
        if not is_number or not least <= parameter <= most:
            raise invalid(
                "the parameters must conform to the specification: "
                f"{name} should be in [{least}, {most}]."
            )
        own[name] = parameter
    if function == "doodle":
        own["is_sketch"] = bool(parameters.get("is_sketch", False))
    return own
