"""The answer to an interaction: private words stand in it, for fifteen minutes.

Elsewhere it is taken away again.

Where somebody brought us along and we are no member, it is our one voice.
"""

from collections.abc import Mapping
from datetime import timedelta

import discord
import structlog

from adapters.discord import render
from adapters.discord.api import Api, DiscordError
from adapters.discord.decode import DIRECT
from adapters.discord.reply import DiscordReply
from adapters.discord.store import DiscordStore, PendingResponse
from adapters.discord.uploads import ImageUploads
from core.errors import DeliveryError
from core.failpoints import failpoint
from core.i18n import translate
from core.post import Button, ButtonKind, Post, PostedMessage, Tone
from core.types import Place

ALIVE = timedelta(minutes=14)
"""Discord takes changes of an answer for fifteen minutes."""
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"

log = structlog.get_logger()


def answer_of(row: Mapping[str, str]) -> PendingResponse | None:
    """The answer that may still be given."""
    reply = DiscordReply.read(row)
    if not reply.token or not _is_alive(reply.interaction):
        return None
    return PendingResponse(
        interaction=reply.interaction,
        app=reply.app,
        token=reply.token,
        only=reply.only,
        is_open=reply.open,
    )


def is_word(post: Post) -> bool:
    """Is it said to one person alone, and done with?"""
    return post.private and post.tone in {Tone.NOTE, Tone.REFUSAL}


def stands_in(answer: PendingResponse, post: Post) -> bool:
    """Is it said in the answer? What is for one person alone is never shown where all can read."""
    return is_word(post) or (answer.only and not (answer.is_open and post.private))


def is_answer(sent: PostedMessage) -> bool:
    """Is it an answer, and no message like any other?"""
    return sent.message.startswith(DIRECT)


class InteractionResponses:
    """Every answer of ours."""

    def __init__(self, api: Api, store: DiscordStore, pictures: ImageUploads) -> None:
        self._api = api
        self._store = store
        self._pictures = pictures

    async def give(
        self, answer: PendingResponse, place: Place, post: Post, locale: str
    ) -> PostedMessage:
        """Say it; a refusal with the way back to what was written. Raises DiscordError."""
        prepared = await self._pictures.prepare(place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        if post.tone is Tone.REFUSAL and await self._store.form_draft(
            answer.interaction
        ):
            message["components"].append(render.change_row(answer.interaction, locale))
        if answer.only and is_word(post):
            # The answer itself may be for all to see; what follows it need not be, once it is gone.
            await self.settle(answer)
            message["flags"] = render.EPHEMERAL
            await self._api.call(
                "POST", FOLLOW_UP, answer.ids, message, prepared.uploads
            )
            return PostedMessage(place=place, message="")
        await self._api.call("PATCH", ORIGINAL, answer.ids, message, prepared.uploads)
        await self._store.save_response(answer)
        return PostedMessage(place=place, message=f"{DIRECT}{answer.interaction}")

    async def change(self, sent: PostedMessage, post: Post) -> None:
        """Say this instead. Raises DeliveryError, for good once Discord takes no more changes."""
        interaction = sent.message.removeprefix(DIRECT)
        answer = await self._store.response(interaction)
        if answer is None or not _is_alive(interaction):
            raise DeliveryError("discord.refused", permanent=True, code="too late")
        prepared = await self._pictures.prepare(sent.place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        await self._api.call("PATCH", ORIGINAL, answer.ids, message, prepared.uploads)

    async def offer(
        self, answer: PendingResponse, message: Mapping[str, object]
    ) -> None:
        """A form that can no longer open by itself. Raises DiscordError."""
        await self._api.call("PATCH", ORIGINAL, answer.ids, message)

    async def begin(self, answer: PendingResponse, job: str) -> None:
        """A message of the job is about to be posted, and the answer must be settled then, by whoever lives."""
        await self._store.save_response(answer, job)

    async def settle_left(self, job: str) -> None:
        """What an earlier process posted without coming to settle the answer."""
        answer = await self._store.response_of_job(job)
        if answer is not None and _is_alive(answer.interaction):
            await self.settle(answer, job=job)

    async def settle(
        self, answer: PendingResponse | None, note: Post | None = None, job: str = ""
    ) -> None:
        """Nobody must think that we still think: say where it went, or take the answer away."""
        if answer is None:
            return
        failpoint("settle.before")
        for is_last in (False, True):
            if await self._settle_once(answer, note) or is_last:
                break
        if job:
            await self._store.forget_response(job)
        failpoint("settle.after")

    async def _settle_once(self, answer: PendingResponse, note: Post | None) -> bool:
        """False when it may succeed another time."""
        try:
            if note:
                await self._api.call(
                    "PATCH", ORIGINAL, answer.ids, render.message(note)
                )
            else:
                await self._api.call("DELETE", ORIGINAL, answer.ids)
        except DiscordError as error:
            log.debug("not_settled", code=error.code)
            return error.permanent
        return True


def note(key: str, locale: str, link: str = "") -> Post:
    """A private word that says where to look; with the way there."""
    way = (
        (
            Button(
                kind=ButtonKind.LINK,
                step="",
                label=translate("home.open", locale),
                url=link,
            ),
        )
        if link
        else ()
    )
    return Post(tone=Tone.NOTE, text=translate(key, locale), buttons=way, private=True)


def _is_alive(interaction: str) -> bool:
    asked = discord.utils.snowflake_time(int(interaction))
    return discord.utils.utcnow() - asked < ALIVE
