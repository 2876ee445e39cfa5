"""Pictures truly made from a request: scenes for drawings, visible changes for edits."""

import io
import math
import random
from collections.abc import Sequence

from bot.simulator.edits import edit
from bot.simulator.functions import FUNCTIONS, Job, upright
from bot.simulator.lettering import stamp
from bot.simulator.models import Rule
from bot.simulator.rules import ImageRequest
from bot.simulator.scenes import draw_scene

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
        job = Job(request=request, base=pictures[0], mask=mask, luck=luck)
        canvas = FUNCTIONS[request.function](job)
    elif pictures:
        size = output_size(request, rule, pictures[-1].size)
        canvas = edit(request.prompt, pictures, size, luck)
    else:
        canvas = draw_scene(request.prompt, request.size or USUAL_SIZE, luck)
    if request.watermark:
        # Each family has its own mark.
        stamp(canvas, "AI生成" if request.model.startswith("wan") else "Qwen-Image")
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def output_size(
    request: ImageRequest, rule: Rule, last: tuple[int, int]
) -> tuple[int, int]:
    """Of an edit: what was asked for, or the last input's ratio at the model's own area."""
    if request.size:
        width, height = request.size
    else:
        ratio = last[0] / last[1]
        return (
            _rounded(math.sqrt(rule.edit_area * ratio)),
            _rounded(math.sqrt(rule.edit_area / ratio)),
        )
    return _rounded(width), _rounded(height)


def _rounded(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
