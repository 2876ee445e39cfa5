"""The pictures a person gave: fetched, checked, turned upright, stripped and stored."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from core.errors import Rejected
from core.failpoints import failpoint
from core.flow.context import Context
from core.models import Model
from core.pictures import tasks
from core.pictures.facts import (
    MAX_BYTES,
    Facts,
    NormalizedImage,
    too_many_bytes,
)
from core.size import Size
from core.types import HIDDEN, Attachment, Picture, Request, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A picture as its person knows it: the file's name, and its size before we shrank it."""

    name: str
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was attached, as it is stored.

    ``mask`` is the blob of a mask as it came, ``notes`` are message keys about the pictures,
    ``origins`` say by a picture's key where it came from.
    """

    pictures: tuple[Picture, ...] = ()
    mask: str | None = None
    notes: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


async def collect(context: Context, request: Request) -> Collected:
    """Store what was attached. Raises Rejected, NotFound or DeliveryError."""
    failpoint("collect.before")
    pictures: list[Picture] = []
    notes: set[str] = set()
    origins: dict[str, Origin] = {}
    for attachment in request.attachments:
        if attachment.hidden:
            notes.add(HIDDEN)
        if attachment.key:
            pictures.append(await stored_picture(context, request, attachment))
            continue
        with naming(attachment.name):
            data = await fetch(context, request, attachment)
            image = await context.pool.run(tasks.normalize, data)
        picture = await store_image(context, request.place.tenant, image)
        pictures.append(picture)
        notes |= set(image.notes)
        origins[picture.key] = Origin(
            name=attachment.name,
            size=image.original or picture.size,
        )
    mask = None
    if request.mask is not None:
        with naming(request.mask.name):
            mask = await _store_mask(context, request, request.mask)
    failpoint("collect.after_blob")
    return Collected(
        pictures=tuple(pictures),
        mask=mask,
        notes=tuple(sorted(notes)),
        origins=origins,
    )


@contextmanager
def naming(name: str, **changes: object) -> Iterator[None]:
    """Have a refusal of a picture name its file. ``changes`` replace values of the message."""
    try:
        yield
    except Rejected as error:
        if not error.key.startswith("picture."):
            raise
        params: dict[str, Any] = {**error.params, **changes}
        if name:
            params["file"] = name
        raise Rejected(error.key, **params) from None


async def _store_mask(
    context: Context,
    request: Request,
    attachment: Attachment,
) -> str:
    # As it came: its exact size is known only when the picture has been fitted.
    data = await fetch(context, request, attachment)
    await context.pool.run(tasks.inspect, data)
    return await context.blobs.keep(request.place.tenant, data)


async def store_image(
    context: Context,
    tenant: Tenant,
    image: NormalizedImage,
) -> Picture:
    """Keep an image's bytes."""
    key = await context.blobs.keep(tenant, image.data)
    return picture_of(key, image.data, image)


def picture_of(
    key: str,
    content: bytes,
    facts: Facts | NormalizedImage,
) -> Picture:
    """Describe the picture whose bytes are the blob ``key``."""
    return Picture(
        key=key,
        width=facts.width,
        height=facts.height,
        media_type=facts.media_type,
        length=len(content),
    )


async def stored_picture(
    context: Context,
    request: Request,
    attachment: Attachment,
) -> Picture:
    """A picture that is stored already. Raises NotFound when it is gone."""
    data = await context.blobs.read(request.place.tenant, attachment.key)
    facts = await context.pool.run(tasks.inspect, data)
    return picture_of(attachment.key, data, facts)


async def fetch(
    context: Context,
    request: Request,
    attachment: Attachment,
) -> bytes:
    """The bytes of what a person gave, capped. Raises Rejected."""
    if attachment.key:
        return await context.blobs.read(request.place.tenant, attachment.key)
    if attachment.size is not None and attachment.size > MAX_BYTES:
        raise too_many_bytes(MAX_BYTES)
    chat = context.chats[request.place.platform]
    chunks = chat.fetch(attachment, MAX_BYTES)
    return b"".join([chunk async for chunk in chunks])


async def fit(
    context: Context,
    tenant: Tenant,
    picture: Picture,
    model: Model,
    origin: Origin | None = None,
) -> Picture:
    """Fit the picture to the model's ranges: itself with its living link, or a faithful resize."""
    data = await context.blobs.read(tenant, picture.key)
    origin = origin or Origin(name="", size=picture.size)
    with naming(origin.name, size=origin.size.label):
        image = await context.pool.run(tasks.fit_to, data, model.pictures)
    if image.data == data:
        return picture
    return await store_image(context, tenant, image)
