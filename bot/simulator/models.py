"""The models of the service: what each takes, as the vendor's pages say. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.simulator.sizes import (
    OUT_OF_AREA,
    OUT_OF_AREA_3,
    OUT_OF_AREA_WAN,
    OUT_OF_AREA_Z,
    OUT_OF_SIDES,
    OUT_OF_SIDES_WAN,
    SizeList,
    SizeRange,
)

MEGABYTE = 1024 * 1024
MEGAPIXEL = 1024 * 1024


class Endpoint(StrEnum):
    """The four ways to ask. The first answers with the pictures, the others with a task."""

    MULTIMODAL = "MM"
    IMAGE = "IG"
    TEXT2IMAGE = "T2I"
    IMAGE2IMAGE = "I2I"

    @property
    def has_messages(self) -> bool:
        """Is its input a chat message, instead of fields?"""
        return self in {Endpoint.MULTIMODAL, Endpoint.IMAGE}


class Usage(StrEnum):
    """Which figures stand in an answer's usage."""

    PLAIN = "plain"
    COUNT = "count"
    SIZE = "size"
    TIERED = "tiered"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one model takes, and what its account may ask of it at once.

    ``images`` and ``n``: least and most (and the usual n); ``prompt`` in characters; ``sizes`` of
    its results, None where it takes no size; ``edit_area`` in pixels of an edit without a size;
    ``sides`` of an input in pixels; ``submits`` per seconds; ``running`` tasks at once, None for no
    limit.
    """

    endpoints: tuple[Endpoint, ...]
    images: tuple[int, int]
    n: tuple[int, int, int]
    prompt: int
    sizes: SizeList | SizeRange | None = None
    default_size: str = "1024*1024"
    edit_area: int = MEGAPIXEL
    sides: tuple[int, int] | None = None
    submits: tuple[int, float] = (2, 1.0)
    running: int | None = None
    alpha: bool = True
    usage: Usage = Usage.PLAIN
    max_bytes: int = 10 * MEGABYTE


MM = Endpoint.MULTIMODAL
IG = Endpoint.IMAGE
T2I = Endpoint.TEXT2IMAGE
I2I = Endpoint.IMAGE2IMAGE
LEGACY_SIZES = SizeList(
    sizes=("1664*928", "1472*1104", "1328*1328", "1104*1472", "928*1664")
)

QWEN = Rule(
    endpoints=(MM, T2I),
    images=(0, 0),
    n=(1, 1, 1),
    prompt=800,
    sizes=LEGACY_SIZES,
    default_size="1664*928",
    running=2,
)
MAX = replace(
    QWEN,
    endpoints=(MM,),
    sizes=SizeRange(low=512, high=1664, words=OUT_OF_SIDES, by_area=False),
    submits=(2, 60.0),
    running=None,
)
EDIT = Rule(endpoints=(MM,), images=(1, 3), n=(1, 1, 1), prompt=800)
PLUS = replace(
    EDIT,
    n=(1, 6, 1),
    sizes=SizeRange(low=512, high=2048, words=OUT_OF_SIDES, by_area=False),
)
TWO = Rule(
    endpoints=(MM,),
    images=(0, 3),
    n=(1, 6, 1),
    prompt=1300,
    sizes=SizeRange(low=262144, high=4194304, words=OUT_OF_AREA),
    default_size="2048*2048",
)
THREE = replace(
    TWO,
    endpoints=(MM, IG),
    prompt=4500,
    sizes=SizeRange(
        low=262144,
        high=6553600,
        words=OUT_OF_AREA_3,
        max_ratio=8,
    ),
    edit_area=2048 * 2048,
    usage=Usage.TIERED,
)
Z_IMAGE = Rule(
    endpoints=(MM,),
    images=(0, 0),
    n=(1, 1, 1),
    prompt=800,
    sizes=SizeRange(low=262144, high=4194304, words=OUT_OF_AREA_Z),
    default_size="1024*1536",
    usage=Usage.TOKENS,
)
WAN26 = Rule(
    endpoints=(MM, IG),
    images=(0, 0),
    n=(1, 4, 4),
    prompt=2100,
    sizes=SizeRange(
        low=1638400,
        high=2073600,
        words=OUT_OF_AREA_WAN,
        max_ratio=4,
    ),
    default_size="1280*1280",
    submits=(1, 1.0),
    running=5,
    usage=Usage.SIZE,
)
WAN25 = replace(
    WAN26,
    endpoints=(T2I,),
    prompt=2000,
    submits=(5, 1.0),
    usage=Usage.COUNT,
)
WAN22 = replace(
    WAN26,
    endpoints=(T2I,),
    prompt=500,
    sizes=SizeRange(low=512, high=1440, words=OUT_OF_SIDES_WAN, by_area=False),
    default_size="1024*1024",
    submits=(2, 1.0),
    running=2,
    usage=Usage.COUNT,
)
WAN25_EDIT = Rule(
    endpoints=(I2I,),
    images=(1, 3),
    n=(1, 4, 4),
    prompt=2000,
    sizes=SizeRange(
        low=589824,
        high=1638400,
        words=OUT_OF_AREA_WAN,
        max_ratio=4,
    ),
    edit_area=1280 * 1280,
    sides=(384, 5000),
    submits=(5, 1.0),
    running=5,
    alpha=False,
    usage=Usage.COUNT,
)
WAN26_EDIT = replace(
    WAN25_EDIT,
    endpoints=(MM, IG),
    images=(1, 4),
    usage=Usage.SIZE,
)
WAN27 = Rule(
    endpoints=(MM, IG),
    images=(0, 9),
    n=(1, 4, 4),
    prompt=5000,
    sizes=SizeRange(
        low=589824,
        high=16777216,
        words=OUT_OF_AREA_WAN,
        max_ratio=8,
        has_tiers=True,
    ),
    default_size="2048*2048",
    edit_area=2048 * 2048,
    sides=(240, 8000),
    alpha=False,
    usage=Usage.SIZE,
    max_bytes=20 * MEGABYTE,
)
WANX = Rule(
    endpoints=(I2I,),
    images=(1, 1),
    n=(1, 4, 1),
    prompt=800,
    sides=(512, 4096),
    running=2,
    usage=Usage.COUNT,
)

MODELS: Mapping[str, Rule] = {
    "qwen-image": QWEN,
    "qwen-image-plus": QWEN,
    "qwen-image-plus-2026-01-09": replace(QWEN, endpoints=(MM,)),
    "qwen-image-max": MAX,
    "qwen-image-max-2025-12-30": MAX,
    "qwen-image-2.0": TWO,
    "qwen-image-2.0-2026-03-03": TWO,
    "qwen-image-2.0-pro": TWO,
    "qwen-image-2.0-pro-2026-03-03": TWO,
    "qwen-image-2.0-pro-2026-04-22": TWO,
    "qwen-image-2.0-pro-2026-06-22": TWO,
    "qwen-image-3.0": THREE,
    "qwen-image-3.0-pro": replace(THREE, submits=(1, 60.0)),
    "qwen-image-edit": EDIT,
    "qwen-image-edit-plus": PLUS,
    "qwen-image-edit-plus-2025-10-30": PLUS,
    "qwen-image-edit-plus-2025-12-15": PLUS,
    "qwen-image-edit-max": replace(PLUS, submits=(2, 60.0)),
    "qwen-image-edit-max-2026-01-16": replace(PLUS, submits=(2, 60.0)),
    "z-image-turbo": Z_IMAGE,
    "wan2.6-t2i": WAN26,
    "wan2.5-t2i-preview": WAN25,
    "wan2.2-t2i-plus": WAN22,
    "wan2.2-t2i-flash": WAN22,
    "wan2.5-i2i-preview": WAN25_EDIT,
    "wan2.6-image": WAN26_EDIT,
    "wan2.7-image": WAN27,
    "wan2.7-image-pro": WAN27,
    "wanx2.1-imageedit": WANX,
}


def rules_with(like: Mapping[str, str]) -> Mapping[str, Rule]:
    """The rule of every model: the vendor's, and of each new one that of the model it is like."""
    rules = dict(MODELS)
    for model in like:
        ancestor = model
        while ancestor not in MODELS and ancestor in like:
            ancestor = like[ancestor]
        if ancestor in MODELS:
            rules[model] = MODELS[ancestor]
    return rules
