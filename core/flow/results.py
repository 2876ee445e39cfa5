"""Check what a provider made, sign it with its recipe, and store it as a blob."""

from dataclasses import replace

from core import sessions
from core.errors import Rejected
from core.flow.attachments import picture_of
from core.flow.context import Context
from core.pictures import png_metadata, tasks
from core.types import ImageResult, Outcome, Picture, Step


async def store_picture(
    context: Context,
    step: Step,
    content: bytes,
    position: int,
) -> Picture:
    """Check and keep the picture at this position among the step's outputs.

    Raises Rejected when it is no whole picture.
    """
    facts = await context.pool.run(tasks.check_result, content)
    recipe = sessions.recipe(step, position)
    content = png_metadata.write_recipe(content, recipe)
    key = await context.blobs.keep(step.tenant, content)
    return picture_of(key, content, facts)


async def stored_picture(context: Context, step: Step, key: str) -> Picture:
    """A picture that ``store_picture`` has kept. Raises NotFound when its blob is gone."""
    content = await context.blobs.read(step.tenant, key)
    facts = await context.pool.run(tasks.check_result, content)
    return picture_of(key, content, facts)


async def keep_bytes(
    context: Context,
    step: Step,
    outcome: Outcome,
) -> Outcome:
    """The outcome with a blob in place of bytes, so that it can be recorded.

    Bytes that are no picture become the error that says so.
    """
    results: list[ImageResult] = []
    position = 0
    # The recipe counts the pictures that are there, without those that failed.
    for result in outcome.made:
        stored = result
        if result.content is not None:
            stored = await _keep(context, step, result.content, position)
        position += stored.is_made
        results.append(stored)
    return replace(outcome, made=tuple(results))


async def _keep(
    context: Context,
    step: Step,
    content: bytes,
    position: int,
) -> ImageResult:
    try:
        picture = await store_picture(context, step, content, position)
    except Rejected:
        return ImageResult(error="provider.not_a_picture")
    return ImageResult(key=picture.key)
