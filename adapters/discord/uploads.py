"""The pictures of a post as Discord takes them: small enough, and hidden if for adults only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from adapters.discord.api import Upload
from adapters.discord.channels import ChannelDirectory
from adapters.discord.pictures import SPOILER
from adapters.discord.render import ALT
from adapters.discord.store import DiscordStore
from core.answers.edit_tree import LINK_LIFE
from core.errors import Rejected
from core.i18n import clip, translate
from core.operations import ButtonKind
from core.pictures import tasks
from core.pictures.pool import Pool
from core.ports import Blobs
from core.post import Button, Post, PostImage
from core.signed_links import Links, Purpose
from core.size import PictureLimits
from core.types import Place

REQUEST_LIMIT = 24 << 20
"""Bytes of all files together: a request may have 25 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message's pictures, ready to send; ``links`` lead to those that are shown smaller."""

    uploads: tuple[Upload, ...] = ()
    links: tuple[Button, ...] = ()

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """The files as the message names them."""
        return [
            {
                "id": number,
                "filename": upload.name,
                "description": clip(upload.alt, ALT),
            }
            for number, upload in enumerate(self.uploads)
        ]

    def on(self, post: Post) -> Post:
        """The post with the links among its buttons."""
        return replace(post, buttons=(*post.buttons, *self.links))


class ImageUploads:
    """Makes uploads of stored pictures, smaller where they must be."""

    def __init__(
        self,
        blobs: Blobs,
        pool: Pool,
        channels: ChannelDirectory,
        store: DiscordStore,
        links: Links,
        locale: str,
    ) -> None:
        self._blobs = blobs
        self._pool = pool
        self._channels = channels
        self._store = store
        self._links = links
        self._locale = locale

    async def prepare(
        self, place: Place, post: Post, limit: int = 0
    ) -> Prepared:
        """Make uploads of a post's pictures, each of at most ``limit`` bytes."""
        if not post.pictures:
            return Prepared()
        if not limit:
            limit = await self._channels.file_limit(place)
        limit = min(limit, REQUEST_LIMIT // len(post.pictures))
        hidden = await self._hidden_keys(place, post.pictures)
        uploads: list[Upload] = []
        links: list[Button] = []
        for image in post.pictures:
            content = await self._read(place, image)
            name = image.name
            if len(content) > limit:
                # Smaller is better than not at all; the link leads to the picture itself.
                links += self._full_size(place, post, image)
                try:
                    content = await self._shrink(content, limit)
                except Rejected:
                    # Too heavy for us to shrink: the link alone.
                    continue
                name = f"{PurePath(name).stem}.jpg"
            is_hidden = image.picture and image.picture.key in hidden
            if image.hidden or is_hidden:
                name = f"{SPOILER}{name}"
            uploads.append(Upload(name=name, alt=image.alt, data=content))
        return Prepared(uploads=tuple(uploads), links=tuple(links))

    async def with_links(self, place: Place, post: Post) -> Post:
        """The post with the links to its pictures at full size, without uploading them again."""
        limit = await self._channels.file_limit(place)
        limit = min(limit, REQUEST_LIMIT // max(1, len(post.pictures)))
        links: list[Button] = []
        for image in post.pictures:
            if image.picture and image.picture.length > limit:
                links += self._full_size(place, post, image)
        return Prepared(links=tuple(links)).on(post)

    async def _read(self, place: Place, image: PostImage) -> bytes:
        if image.picture is None:
            return image.drawn or b""
        return await self._blobs.read(place.tenant, image.picture.key)

    async def _shrink(self, content: bytes, limit: int) -> bytes:
        limits = PictureLimits(
            max_side=1 << 20, max_ratio=1e6, max_bytes=limit
        )
        image = await self._pool.run(tasks.fit_to, content, limits)
        return image.data

    def _full_size(
        self, place: Place, post: Post, image: PostImage
    ) -> list[Button]:
        """A link to the picture at full size, if our pages can be reached."""
        if image.picture is None:
            return []
        claims = {
            "t": place.tenant,
            "k": image.picture.key,
            "m": image.picture.media_type,
            "n": image.name,
        }
        now = datetime.now(UTC)
        url = self._links.url(Purpose.PICTURE, claims, now + LINK_LIFE)
        expires = image.picture.url_expires
        if not url and expires is not None and expires > now:
            url = image.picture.url or ""
        if not url:
            return []
        label = translate("shared.full_size", post.locale or self._locale)
        return [
            Button(kind=ButtonKind.LINK, step=post.job, label=label, url=url)
        ]

    async def _hidden_keys(
        self, place: Place, images: Sequence[PostImage]
    ) -> set[str]:
        """Pictures first shown where only adults are stay hidden wherever they are shown next."""
        keys = [image.picture.key for image in images if image.picture]
        if not keys:
            return set()
        if await self._channels.is_restricted(place):
            await self._store.restrict(place.tenant, keys)
            return set(keys)
        return await self._store.restricted_among(place.tenant, keys)


def same_pictures(
    attachments: Sequence[Mapping[str, Any]], images: Sequence[PostImage]
) -> bool:
    """Whether the message shows these pictures already, perhaps smaller or hidden."""
    names = [str(attachment.get("filename", "")) for attachment in attachments]
    shown = {PurePath(name).stem.removeprefix(SPOILER) for name in names}
    return shown == {PurePath(image.name).stem for image in images}
