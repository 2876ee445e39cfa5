"""Check what a provider made, sign it with its recipe, and store it as a blob."""

from dataclasses import replace

from core import sessions
from core.errors import Rejected
from core.flow.attachments import picture_of
from core.flow.context import Context
from core.log import log
from core.pictures import png_metadata, tasks
from core.pictures.facts import Facts
from core.types import ImageResult, Outcome, Picture, Step

TOO_MUCH = frozenset(
    {
        "picture.aspect",
        "picture.too_heavy",
        "picture.too_large",
        "picture.too_many_bytes",
        "picture.too_slow",
    }
)
"""What keeps us from decoding a picture, and says nothing against it: it was paid for."""
MEASURED_BYTES = 64 << 20
"""Enough for every header; the process for pictures has no room for much more."""


async def store_picture(
    context: Context,
    step: Step,
    content: bytes,
    position: int,
) -> Picture:
    """Check and keep the picture at this position among the step's outputs.

    Raises Rejected when it is no whole picture.
    """
    facts = await _check(context, step, content)
    recipe = sessions.recipe(step, position)
    content = png_metadata.write_recipe(content, recipe)
    key = await context.blobs.keep(step.tenant, content)
    return picture_of(key, content, facts)


async def stored_picture(context: Context, step: Step, key: str) -> Picture:
    """A picture that ``store_picture`` has kept. Raises NotFound when its blob is gone."""
    content = await context.blobs.read(step.tenant, key)
    facts = await _check(context, step, content)
    return picture_of(key, content, facts)


async def _check(context: Context, step: Step, content: bytes) -> Facts:
    """Read what a result is; one that is too heavy to decode is kept as it came, with a note.

    Raises Rejected when it is no whole picture.
    """
    try:
        return await context.pool.run(tasks.check_result, content)
    except Rejected as error:
        if error.key not in TOO_MUCH:
            raise
        log.warning("result_too_heavy", step=step.id, error=error.key)
    facts = await context.pool.run(tasks.measure, content[:MEASURED_BYTES])
    await context.store.add_note(step.tenant, step.id, "result.as_it_came")
    return facts


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
