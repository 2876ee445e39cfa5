"""The pictures of a post as Discord takes them.

Small enough for the place, hidden where they are for adults only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from adapters.discord.api import Upload
from adapters.discord.channels import ChannelDirectory
from adapters.discord.render import ALT
from adapters.discord.store import DiscordStore
from core.answers.queries import LINK_LIFE
from core.i18n import clip, translate
from core.pictures import normalize
from core.pictures.pool import Pool
from core.ports import Blobs
from core.post import Button, ButtonKind, Post, PostImage
from core.signed_links import Links, Purpose
from core.types import PictureLimits, Place

WHOLE = 24 << 20
"""Bytes of all files together: a request may have 25 MiB."""
SPOILER = "SPOILER_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is sent with a message.

    ``links`` lead to pictures that are shown smaller than they are.
    """

    uploads: tuple[Upload, ...] = ()
    links: tuple[Button, ...] = ()

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """The files as the message names them."""
        return [
            {"id": at, "filename": one.name, "description": clip(one.alt, ALT)}
            for at, one in enumerate(self.uploads)
        ]

    def on(self, post: Post) -> Post:
        """The post with the links."""
        return (
            replace(post, buttons=(*post.buttons, *self.links)) if self.links else post
        )


class ImageUploads:
    """Bytes from the blobs, made smaller off the loop where they must be."""

    def __init__(
        self,
        blobs: Blobs,
        pool: Pool,
        places: ChannelDirectory,
        store: DiscordStore,
        links: Links,
        locale: str,
    ) -> None:
        self._blobs = blobs
        self._pool = pool
        self._places = places
        self._store = store
        self._links = links
        self._locale = locale

    async def prepare(self, place: Place, post: Post, limit: int = 0) -> Prepared:
        """Everything a post shows, at most ``limit`` bytes a file."""
        if not post.pictures:
            return Prepared()
        limit = min(
            limit or await self._places.largest(place), WHOLE // len(post.pictures)
        )
        hidden = await self._hidden(place, post.pictures)
        made = [
            await self._one(place, post, one, limit, hidden) for one in post.pictures
        ]
        return Prepared(
            uploads=tuple(one for one, _ in made),
            links=tuple(link for _, link in made if link),
        )

    async def linked(self, place: Place, post: Post) -> Post:
        """The post with the links it has had since its pictures were shown, where they stay as they are."""
        limit = min(
            await self._places.largest(place), WHOLE // max(1, len(post.pictures))
        )
        smaller = [
            one for one in post.pictures if one.picture and one.picture.length > limit
        ]
        return Prepared(
            links=tuple(
                link for one in smaller if (link := self._link(place, post, one))
            )
        ).on(post)

    async def _one(
        self, place: Place, post: Post, one: PostImage, limit: int, hidden: set[str]
    ) -> tuple[Upload, Button | None]:
        data = one.drawn or b""
        if one.picture:
            data = await self._blobs.read(place.tenant, one.picture.key)
        name, link = one.name, None
        if len(data) > limit:
            fitted = await self._pool.run(
                normalize.fit_to,
                data,
                PictureLimits(max_side=1 << 20, max_ratio=1e6, max_bytes=limit),
            )
            data, name = fitted.data, f"{PurePath(name).stem}.jpg"
            link = self._link(place, post, one)
        if one.picture and one.picture.key in hidden:
            name = f"{SPOILER}{name}"
        return Upload(name=name, alt=one.alt, data=data), link

    def _link(self, place: Place, post: Post, one: PostImage) -> Button | None:
        """To the picture at full size, where our pages can be reached."""
        if one.picture is None:
            return None
        claims = {
            "t": place.tenant,
            "k": one.picture.key,
            "m": one.picture.media_type,
            "n": one.name,
        }
        url = self._links.url(Purpose.PICTURE, claims, datetime.now(UTC) + LINK_LIFE)
        label = translate("shared.full_size", post.locale or self._locale)
        return (
            Button(kind=ButtonKind.LINK, step=post.job, label=label, url=url)
            if url
            else None
        )

    async def _hidden(self, place: Place, shown: Sequence[PostImage]) -> set[str]:
        """Pictures first shown where only adults are stay hidden wherever they are shown next."""
        keys = [one.picture.key for one in shown if one.picture]
        if not keys:
            return set()
        if await self._places.is_restricted(place):
            await self._store.restrict(place.tenant, keys)
            return set(keys)
        return await self._store.restricted_among(place.tenant, keys)


def same_pictures(
    there: Sequence[Mapping[str, Any]], wanted: Sequence[PostImage]
) -> bool:
    """Does the message show these already, whatever became of their names?"""
    found = {
        PurePath(str(one.get("filename", ""))).stem.removeprefix(SPOILER)
        for one in there
    }
    return found == {PurePath(one.name).stem for one in wanted}
