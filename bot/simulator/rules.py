"""What the vendor refuses, and in which words.

Models, parameters, messages. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEGACY_SIZES = ("1664*928", "1472*1104", "1328*1328", "1104*1472", "928*1664")
FUNCTIONS = (
    "stylization_all",
    "stylization_local",
    "description_edit",
    "description_edit_with_mask",
    "remove_watermark",
    "expand",
    "super_resolution",
    "colorization",
    "doodle",
    "control_cartoon_feature",
)
MAX_SEED = 2_147_483_647


class Refusal(Exception):
    """The vendor's answer to a bad request: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One model.

    ``endpoints`` of MM, IG, T2I, I2I; sizes: list, (kind, low, high) or None; submits per seconds.
    """

    endpoints: tuple[str, ...]
    images: tuple[int, int]
    n: tuple[int, int, int]
    prompt: int
    sizes: Any = None
    default_size: str = "1024*1024"
    edit_area: int = 1024 * 1024
    sides: tuple[int, int] | None = None
    submits: tuple[int, float] = (2, 1.0)
    running: int | None = None
    alpha: bool = True
    usage: str = "plain"
    max_bytes: int = 10 * 1024 * 1024


def _like(rule: Rule, **changes: Any) -> Rule:
    return Rule(
        **{
            **{name: getattr(rule, name) for name in Rule.__dataclass_fields__},
            **changes,
        }
    )


QWEN = Rule(
    endpoints=("MM", "T2I"),
    images=(0, 0),
    n=(1, 1, 1),
    prompt=800,
    sizes=LEGACY_SIZES,
    default_size="1664*928",
    running=2,
)
MAX = _like(
    QWEN,
    endpoints=("MM",),
    sizes=("side-x", 512, 1664),
    submits=(2, 60.0),
    running=None,
)
EDIT = Rule(endpoints=("MM",), images=(1, 3), n=(1, 1, 1), prompt=800)
PLUS = _like(EDIT, n=(1, 6, 1), sizes=("side", 512, 2048))
TWO = Rule(
    endpoints=("MM",),
    images=(0, 3),
    n=(1, 6, 1),
    prompt=1300,
    sizes=("area", 262144, 4194304),
    default_size="2048*2048",
)
THREE = _like(
    TWO,
    endpoints=("MM", "IG"),
    prompt=4500,
    sizes=("area-3", 262144, 6553600),
    edit_area=2048 * 2048,
    usage="tiered",
)
WAN26 = Rule(
    endpoints=("MM", "IG"),
    images=(0, 0),
    n=(1, 4, 4),
    prompt=2100,
    sizes=("area-wan", 1638400, 2073600),
    default_size="1280*1280",
    submits=(1, 1.0),
    running=5,
    usage="size",
)
WAN22 = _like(
    WAN26,
    endpoints=("T2I",),
    prompt=500,
    sizes=("side-wan", 512, 1440),
    default_size="1024*1024",
    submits=(2, 1.0),
    running=2,
    usage="count",
)
I2I25 = Rule(
    endpoints=("I2I",),
    images=(1, 3),
    n=(1, 4, 4),
    prompt=2000,
    sizes=("area-wan", 589824, 1638400),
    edit_area=1280 * 1280,
    sides=(384, 5000),
    submits=(5, 1.0),
    running=5,
    alpha=False,
    usage="count",
)
WAN27 = Rule(
    endpoints=("MM", "IG"),
    images=(0, 9),
    n=(1, 4, 4),
    prompt=5000,
    sizes=("tier", 589824, 16777216),
    default_size="2048*2048",
    edit_area=2048 * 2048,
    sides=(240, 8000),
    alpha=False,
    usage="size",
    max_bytes=20 * 1024 * 1024,
)
MODELS: Mapping[str, Rule] = {
    "qwen-image": QWEN,
    "qwen-image-plus": QWEN,
    "qwen-image-plus-2026-01-09": _like(QWEN, endpoints=("MM",)),
    "qwen-image-max": MAX,
    "qwen-image-max-2025-12-30": MAX,
    "qwen-image-2.0": TWO,
    "qwen-image-2.0-2026-03-03": TWO,
    "qwen-image-2.0-pro": TWO,
    "qwen-image-2.0-pro-2026-03-03": TWO,
    "qwen-image-2.0-pro-2026-04-22": TWO,
    "qwen-image-2.0-pro-2026-06-22": TWO,
    "qwen-image-3.0": THREE,
    "qwen-image-3.0-pro": _like(THREE, submits=(1, 60.0)),
    "qwen-image-edit": EDIT,
    "qwen-image-edit-plus": PLUS,
    "qwen-image-edit-plus-2025-10-30": PLUS,
    "qwen-image-edit-plus-2025-12-15": PLUS,
    "qwen-image-edit-max": _like(PLUS, submits=(2, 60.0)),
    "qwen-image-edit-max-2026-01-16": _like(PLUS, submits=(2, 60.0)),
    "z-image-turbo": Rule(
        endpoints=("MM",),
        images=(0, 0),
        n=(1, 1, 1),
        prompt=800,
        sizes=("area-z", 262144, 4194304),
        default_size="1024*1536",
        usage="tokens",
    ),
    "wan2.6-t2i": WAN26,
    "wan2.5-t2i-preview": _like(
        WAN26, endpoints=("T2I",), prompt=2000, submits=(5, 1.0), usage="count"
    ),
    "wan2.2-t2i-plus": WAN22,
    "wan2.2-t2i-flash": WAN22,
    "wan2.5-i2i-preview": I2I25,
    "wan2.6-image": _like(I2I25, endpoints=("MM", "IG"), images=(1, 4), usage="size"),
    "wan2.7-image": WAN27,
    "wan2.7-image-pro": WAN27,
    "wanx2.1-imageedit": Rule(
        endpoints=("I2I",),
        images=(1, 1),
        n=(1, 4, 1),
        prompt=800,
        sides=(512, 4096),
        running=2,
        usage="count",
    ),
}


def rules_with(like: Mapping[str, str]) -> Mapping[str, Rule]:
    """The rule of every model: the vendor's, and of each new one that of the model it is like."""
    rules = dict(MODELS)
    for model in like:
        known = model
        while known not in MODELS and known in like:
            known = like[known]
        if known in MODELS:
            rules[model] = MODELS[known]
    return rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A checked request.

    ``size`` None where the model decides; ``images`` as sent; ``extra`` function parameters.
    """

    model: str
    endpoint: str
    prompt: str
    n: int
    seed: int | None
    size: tuple[int, int] | None
    images: tuple[str, ...] = ()
    mask: str | None = None
    function: str | None = None
    negative: str = ""
    watermark: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def invalid(message: str) -> Refusal:
    """The vendor's usual refusal."""
    return Refusal(400, "InvalidParameter", message)


def check(
    body: Any, endpoint: str, is_async: bool, rules: Mapping[str, Rule] = MODELS
) -> Wanted:
    """The request, taken apart as the vendor would; raises Refusal in the vendor's words."""
    if endpoint == "MM" and is_async:
        raise Refusal(
            403, "AccessDenied", "current user api does not support asynchronous calls"
        )
    if endpoint != "MM" and not is_async:
        raise Refusal(
            403, "AccessDenied", "current user api does not support synchronous calls"
        )
    if not isinstance(body, dict):
        raise invalid("Required body invalid, please check the request body format.")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(
            400,
            "BadRequest.EmptyModel",
            'Required parameter "model" missing from request.',
        )
    if model not in rules:
        raise Refusal(404, "InvalidParameter", "Model not exist.")
    rule = rules[model]
    if endpoint not in rule.endpoints:
        raise invalid("url error, please check url！")
    inputs = body.get("input")
    if not isinstance(inputs, dict):
        raise Refusal(
            400,
            "BadRequest.EmptyInput",
            "Required input parameter missing from request.",
        )
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    return _checked(model, rule, endpoint, inputs, parameters)


def _checked(
    model: str,
    rule: Rule,
    endpoint: str,
    inputs: dict[str, Any],
    parameters: dict[str, Any],
) -> Wanted:
    if endpoint in {"MM", "IG"}:
        prompt, images = _messages(inputs, model, rule)
        function = mask = None
    elif model == "wanx2.1-imageedit":
        prompt, images, function, mask = _wanx(inputs)
    else:
        prompt, images = _plain(inputs, rule)
        function = mask = None
    n = _n(parameters.get("n", rule.n[2]), rule)
    return Wanted(
        model=model,
        endpoint=endpoint,
        # The vendor cuts a long prompt and says nothing.
        prompt=prompt[: rule.prompt],
        n=n,
        seed=_seed(parameters.get("seed")),
        size=_size(parameters.get("size"), rule, bool(images)),
        images=tuple(images),
        mask=mask,
        function=function,
        negative=str(
            inputs.get("negative_prompt") or parameters.get("negative_prompt") or ""
        )[:500],
        watermark=bool(parameters.get("watermark", False)),
        extra=_extra(function, parameters),
    )


def _messages(inputs: dict[str, Any], model: str, rule: Rule) -> tuple[str, list[str]]:
    messages = inputs.get("messages")
    if messages is None:
        raise invalid("Field required: input.messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("No messages found in input")
    if len(messages) != 1:
        raise invalid("messages length only support 1")
    content = messages[0].get("content") if isinstance(messages[0], dict) else None
    if not isinstance(content, list):
        raise invalid("check input data style.")
    texts = [
        one["text"]
        for one in content
        if isinstance(one, dict) and isinstance(one.get("text"), str)
    ]
    images = [
        one["image"]
        for one in content
        if isinstance(one, dict) and isinstance(one.get("image"), str)
    ]
    if model == "z-image-turbo" and len(content) > 1:
        raise invalid(
            "content parameter's length invalid, please check the request parameters."
        )
    if len(texts) != 1 or not rule.images[0] <= len(images):
        raise invalid("lack of image or text")
    if len(images) > rule.images[1]:
        raise invalid(f"content length only support {rule.images[1] + 1}")
    return texts[0], images


def _plain(inputs: dict[str, Any], rule: Rule) -> tuple[str, list[str]]:
    prompt = inputs.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid(
            "Required parameter(prompt) missing or invalid, please check the request parameters."
        )
    images = inputs.get("images") or []
    if (
        not isinstance(images, list)
        or not rule.images[0] <= len(images) <= rule.images[1]
    ):
        raise invalid(
            "Required parameter(images) missing or invalid, please check the request parameters."
        )
    return prompt, [str(one) for one in images]


def _wanx(inputs: dict[str, Any]) -> tuple[str, list[str], str, str | None]:
    function, base, mask = (
        inputs.get("function"),
        inputs.get("base_image_url"),
        inputs.get("mask_image_url"),
    )
    if function not in FUNCTIONS:
        raise invalid(
            "Required parameter(function) missing or invalid, please check the request parameters."
        )
    if not isinstance(inputs.get("prompt"), str):
        raise invalid(
            "Required parameter(prompt) missing or invalid, please check the request parameters."
        )
    if not isinstance(base, str) or not base:
        raise invalid(
            "Required parameter(base_image_url) missing or invalid, please check the request parameters."
        )
    if function == "description_edit_with_mask" and not isinstance(mask, str):
        raise invalid(
            "Required parameter(mask_image_url) missing or invalid, please check the request parameters."
        )
    return (
        inputs["prompt"],
        [base],
        str(function),
        mask if isinstance(mask, str) else None,
    )


def _n(value: Any, rule: Rule) -> int:
    low, high, _ = rule.n
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not low <= value <= high
    ):
        raise invalid(
            "num_images_per_prompt must be 1"
            if high == 1
            else f"Range of n should be [{low}, {high}]"
        )
    return value


def _seed(value: Any) -> int | None:
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 0 <= value <= MAX_SEED
    ):
        raise invalid(f"Range of seed should be [0, {MAX_SEED}]")
    return value


TIERS = {"1K": 1024 * 1024, "2K": 2048 * 2048, "4K": 4096 * 4096}


def _size(value: Any, rule: Rule, has_images: bool) -> tuple[int, int] | None:
    """Pixels; None where none was given to an edit, or the model takes none."""
    if rule.sizes is None:
        return None
    if value is None:
        return None if has_images else _pair(rule.default_size)
    if rule.sizes == LEGACY_SIZES:
        if value not in LEGACY_SIZES:
            raise invalid(
                f"The size does not match the allowed size {','.join(LEGACY_SIZES)}."
            )
        return _pair(value)
    kind, low, high = rule.sizes
    if kind == "tier" and value in {"1K", "2K"}:
        return (1024, 1024) if value == "1K" else (2048, 2048)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,6}\*[0-9]{1,6}", value):
        raise invalid("Expected format: '<width>*<height>'")
    width, height = _pair(value)
    message = _size_message(kind, low, high, width, height)
    if message:
        raise invalid(message)
    return width, height


def _size_message(
    kind: str, low: int, high: int, width: int, height: int
) -> str | None:
    area, ratio = width * height, max(width, height) / max(min(width, height), 1)
    outside_area, outside_side = (
        not low <= area <= high,
        not (low <= min(width, height) and max(width, height) <= high),
    )
    root_low, root_high = round(low**0.5), round(high**0.5)
    pixels = (
        f"{low} ({root_low}x{root_low}) and {high} ({root_high}x{root_high}) pixels"
    )
    limit = 8 if kind in {"area-3", "tier"} else 4
    checks = {
        "side-x": (
            outside_side,
            f"Size {width}*{height} is out of range [{low}*{low}, {high}*{high}]",
        ),
        "side": (
            outside_side,
            f"Size {width}*{height} is out of range [{low}*{low}, {high}*{high}]",
        ),
        "side-wan": (
            outside_side,
            f"Either width or height should be between {low} and {high}",
        ),
        "area": (outside_area, f"Image area must be between {pixels}."),
        "area-3": (
            outside_area or ratio > limit,
            f"Image area must be between {pixels} for t2i requests",
        ),
        "area-z": (
            outside_area,
            f"Image area must be between {low} and {high} pixels. Got area={area} (width={width}, height={height}).",
        ),
        "area-wan": (
            outside_area or ratio > limit,
            f"Total pixels ({area}) must be between {low} and {high}",
        ),
        "tier": (
            outside_area or ratio > limit,
            f"Total pixels ({area}) must be between {low} and {high}",
        ),
    }
    is_wrong, message = checks[kind]
    return message if is_wrong else None


def _pair(text: str) -> tuple[int, int]:
    width, _, height = text.partition("*")
    return int(width), int(height)


RANGES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "stylization_all": {"strength": (0.0, 1.0, 0.5)},
    "description_edit": {"strength": (0.0, 1.0, 0.5)},
    "expand": {
        f"{side}_scale": (1.0, 2.0, 1.0) for side in ("top", "bottom", "left", "right")
    },
    "super_resolution": {"upscale_factor": (1, 4, 1)},
}


def _extra(function: str | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The function's own parameters, in range; others are ignored."""
    found: dict[str, Any] = {}
    for name, (low, high, default) in RANGES.get(function or "", {}).items():
        value = parameters.get(name, default)
        whole = name == "upscale_factor"
        is_number = isinstance(value, int if whole else int | float) and not isinstance(
            value, bool
        )
        if not is_number or not low <= value <= high:
            raise invalid(
                f"the parameters must conform to the specification: {name} should be in [{low}, {high}]."
            )
        found[name] = value
    if function == "doodle":
        found["is_sketch"] = bool(parameters.get("is_sketch", False))
    return found
