"""Pictures truly made from a request: scenes for drawings, visible changes for edits."""

import io
import math
import random
from collections.abc import Sequence

from PIL import Image, ImageOps

from bot.simulator.edits import edit
from bot.simulator.functions import FUNCTIONS, Job
from bot.simulator.lettering import stamp
from bot.simulator.models import Rule
from bot.simulator.rules import ImageRequest
from bot.simulator.scenes import draw_scene
from bot.simulator.sizes import Pixels

USUAL_SIZE = (1024, 1024)
MULTIPLE = 16


def paint(
    request: ImageRequest,
    rule: Rule,
    inputs: Sequence[bytes],
    mask: bytes | None,
    index: int,
    seed: int,
) -> bytes:
    """One result as PNG. The same request, index and seed give the same bytes."""
    root = f"{request.prompt}|{request.function}|{seed}|{index}"
    luck = random.Random(root)  # noqa: S311  # a picture, not a secret
    pictures = [upright(content) for content in inputs]
    if request.function:
        function = FUNCTIONS[request.function]
        white = upright(mask) if mask else None
        job = Job(request=request, base=pictures[0], mask=white, luck=luck)
        canvas = function(job)
    elif pictures:
        size = output_size(request, rule, pictures[-1].size)
        canvas = edit(request.prompt, pictures, size, luck)
    else:
        size = request.size or USUAL_SIZE
        canvas = draw_scene(request.prompt, size, luck)
    if request.watermark:
        stamp(canvas, _watermark(request.model))
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def upright(content: bytes) -> Image.Image:
    """The picture as its camera was held, in RGB."""
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def output_size(request: ImageRequest, rule: Rule, last: Pixels) -> Pixels:
    """Of an edit: what was asked for, or the last input's ratio at the model's own area."""
    if request.size:
        width, height = request.size
        return _round(width), _round(height)
    ratio = last[0] / last[1]
    width_of_area = math.sqrt(rule.edit_area * ratio)
    height_of_area = math.sqrt(rule.edit_area / ratio)
    return _round(width_of_area), _round(height_of_area)


def _watermark(model: str) -> str:
    """Each family has its own mark."""
    return "AI生成" if model.startswith("wan") else "Qwen-Image"


def _round(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
