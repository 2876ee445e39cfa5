"""The room's requests: enter, stream, say, press, fill in, react, upload.

One handler each, behind the person's key.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adapters.web import decode, limits, render
from adapters.web.changes import Changes, member_fields
from adapters.web.chat import TENANT
from adapters.web.commands import list_commands
from adapters.web.limits import ConcurrencyLimit, RateLimit
from adapters.web.records import Member, Message
from adapters.web.requests import (
    locale_of,
    number_of,
    read_json,
    refusal,
    spool_body,
)
from adapters.web.store import Room
from core import grammar, sessions
from core.channel_settings import PEOPLE
from core.errors import EaselError, Rejected
from core.flow import admission, attachments, heads
from core.flow.context import TRANSIENT, Context
from core.i18n import translate
from core.incoming import Incoming, Kind
from core.log import log
from core.meaning import Choice
from core.operations import COMMANDS, Action
from core.pictures import png_metadata, tasks
from core.service import Answer, Service
from core.signed_links import Purpose
from core.text import clean, is_whole_number
from core.types import MessageRole, Request, StepId

Endpoint = Callable[[WebRequest], Awaitable[Response]]
"""Answers a web request from anyone."""

LINK_DAYS = 2
LINKS = 1000
"""Pictures whose links are remembered for the day: every page that opens asks for the same."""
LONGEST_EMOJI = 16
LONGEST_NUMBER = 11
UPLOADS = 4
"""Files decoded at a time: each is held in memory whole."""
Handler = Callable[[WebRequest, Member], Awaitable[Response]]


class RoomApi:
    """Handles everything that a page of the room can ask."""

    def __init__(self, room: Room, service: Service, context: Context) -> None:
        self._room = room
        self._service = service
        self._context = context
        self._changes = Changes(room, self._view)
        self._links = lru_cache(LINKS)(self._signed)
        self._uploading = asyncio.Semaphore(UPLOADS)
        self._pages = ConcurrencyLimit(
            limits.MOST_PAGES, "room.too_many_pages"
        )
        self._sending = ConcurrencyLimit(
            limits.MOST_SENT, "room.too_many_sent"
        )
        self._rate_limits = (
            RateLimit(limits.MOST_A_MINUTE, limits.MINUTE),
            RateLimit(limits.MOST_A_DAY, limits.DAY),
        )

    def routes(self) -> list[Route]:
        """Paths and handlers."""
        behind_key: dict[str, Handler] = {
            "/room/say": self._say,
            "/room/press": self._press,
            "/room/fill": self._fill,
            "/room/react": self._react,
            "/room/upload": self._upload,
            "/room/channel": self._channel,
            "/room/older": self._older,
            "/room/dismiss": self._dismiss,
            "/room/head": self._head,
        }
        posted = [
            Route(path, self._for_members(handler), methods=["POST"])
            for path, handler in behind_key.items()
        ]
        return [
            Route(
                "/room/enter",
                self._with_refusals(self._enter),
                methods=["POST"],
            ),
            Route(
                "/room/commands",
                self._with_refusals(self._commands),
                methods=["GET"],
            ),
            Route(
                "/room/stream",
                self._for_members(self._stream),
                methods=["GET"],
            ),
            *posted,
        ]

    # Who asks, and what happens to errors

    def _with_refusals(self, handler: Endpoint) -> Endpoint:
        """Errors become a sentence in the person's language."""

        async def handle(request: WebRequest) -> Response:
            try:
                return await handler(request)
            except EaselError as error:
                return refusal(error, locale_of(request))
            except TRANSIENT as error:
                log.warning("room_cannot_store", error=type(error).__name__)
                full = Rejected("room.storage")
                return refusal(full, locale_of(request), 507)

        return handle

    def _for_members(self, handler: Handler) -> Endpoint:
        async def handle(request: WebRequest) -> Response:
            authorization = request.headers.get("authorization", "")
            kind, _, key = authorization.partition(" ")
            member = None
            if kind == "Bearer" and key:
                member = await self._room.member_of_key(key)
            if member is None:
                error = Rejected("room.enter_first")
                return refusal(error, locale_of(request), 401)
            if request.method == "POST":
                for limit in self._rate_limits:
                    limit.take(member.id)
            return await handler(request, member)

        return self._with_refusals(handle)

    # Coming in, and seeing

    async def _enter(self, request: WebRequest) -> Response:
        body = await read_json(request)
        person, name = decode.person(body.get("name"))
        member, key = await self._room.enter(person, name)
        return JSONResponse({"key": key, "me": member_fields(member)})

    async def _commands(self, request: WebRequest) -> Response:
        """The commands in the reader's language."""
        locale = request.query_params.get("locale", "en")
        return JSONResponse(list_commands(self._context, locale))

    async def _stream(self, request: WebRequest, member: Member) -> Response:
        since = request.query_params.get("since", "")
        after = None
        if is_whole_number(since) and len(since) <= LONGEST_NUMBER:
            after = int(since)
        self._pages.require(member.id)
        headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
        return StreamingResponse(
            self._follow(member, after),
            media_type="text/event-stream",
            headers=headers,
        )

    async def _follow(
        self, member: Member, after: int | None
    ) -> AsyncIterator[bytes]:
        # Many may have been let in before the first of them was counted.
        if self._pages.is_full(member.id):
            return
        changes = self._changes.follow(member, after)
        with self._pages.hold(member.id):
            async with aclosing(changes) as events:
                async for event in events:
                    yield event

    async def _older(self, request: WebRequest, member: Member) -> Response:
        body = await read_json(request)
        before = number_of(body, "before")
        channel = body.get("channel")
        if before is None or not isinstance(channel, str):
            raise Rejected("room.bad_request")
        messages = await self._room.older(member.id, channel, before)
        return JSONResponse({"messages": list(map(self._view, messages))})

    def _view(self, message: Message) -> dict[str, Any]:
        return render.message(message, self.link)

    def link(self, key: str, name: str, media_type: str) -> dict[str, str]:
        """Where a picture is seen.

        The end is a midnight, so that a page finds it in the browser's cache.
        """
        return self._links(key, name, media_type, datetime.now(UTC).date())

    def _signed(
        self,
        key: str,
        name: str,
        media_type: str,
        today: date,
    ) -> dict[str, str]:
        midnight = datetime.combine(today, time(), UTC)
        until = midnight + timedelta(days=LINK_DAYS)
        claims = {"t": TENANT, "k": key, "n": name, "m": media_type}
        links = self._context.links
        src = links.path(Purpose.PICTURE, claims, until)
        return {
            "src": src,
            "view": links.path(Purpose.VIEW, claims, until),
            "download": f"{src}?download=1",
        }

    # Speaking

    async def _say(self, request: WebRequest, member: Member) -> Response:
        body = await read_json(request)
        text = body.get("text", "")
        if not isinstance(text, str):
            raise Rejected("room.bad_request")
        if len(text) > grammar.LONGEST:
            raise Rejected(
                "grammar.too_long",
                length=len(text),
                limit=grammar.LONGEST,
            )
        incoming = decode.message(clean(text), member, body)
        await self._room.require_access(incoming.place.channel, member.id)
        number = number_of(body, "reply_to")
        replied = None
        if number is not None:
            replied = await self._room.message(number, member.id)
            incoming = decode.with_answered(incoming, replied)
        if decode.is_talk(body):
            await self._write_down(incoming, replied, alone=False)
            return JSONResponse({})
        written = incoming
        if incoming.kind is Kind.MESSAGE:
            members = await self._room.members()
            others = [other.name for other in members if other.id != member.id]
            incoming = decode.with_mentions(incoming, others)
        return await self._do(incoming, written, replied)

    async def _do(
        self,
        incoming: Incoming,
        written: Incoming,
        replied: Message | None,
    ) -> Response:
        """Write down what was said before the job can speak; never when it is refused at once.

        What is answered to its person alone is seen by them alone, too.
        """
        meaning = await self._service.understand(incoming)
        if meaning is None:
            await self._write_down(written, replied, alone=False)
            return JSONResponse({})
        if isinstance(meaning, Request) and meaning.action.makes_pictures:
            # First of all: what is refused was never said.
            self._service.check_request(meaning)
            await admission.require(self._context, meaning)
            is_secret = await heads.is_secret(self._context, meaning)
            await self._write_down(written, replied, alone=is_secret)
            answer = await self._service.answer(meaning)
            return await self._answer(incoming, answer)
        if await self._room.has_message(f"said:{incoming.key}"):
            # Sent again after a lost reply: done already.
            return JSONResponse({})
        answer = await self._service.answer(meaning)
        if answer.form is None:
            is_private = answer.post is not None and answer.post.private
            if isinstance(meaning, Choice) and not incoming.is_addressed:
                # Perhaps it was said to the others.
                is_private = False
            await self._write_down(written, replied, alone=is_private)
        return await self._answer(incoming, answer)

    async def _write_down(
        self,
        said: Incoming,
        replied: Message | None,
        *,
        alone: bool,
    ) -> None:
        """What the person said, for all to see or ``alone``."""
        files = list(said.attachments)
        if said.mask is not None:
            files.append(said.mask)
        uploads = [await self._room.upload(file.ref) for file in files]
        if not said.words and not uploads:
            return
        if replied is not None and replied.only_for and not alone:
            # What only one person may see is quoted to nobody else.
            replied = None
        pictures = [render.upload(upload) for upload in uploads]
        body = render.person_message(
            said.words,
            pictures,
            replied,
        )
        person = said.person.id
        place = said.place
        await self._room.add_message(
            place.channel,
            place.thread,
            body,
            author=person,
            only_for=person if alone else "",
            key=f"said:{said.key}",
        )

    async def _head(self, request: WebRequest, member: Member) -> Response:
        """The picture from which an edit would start here; nothing where there is none."""
        incoming = decode.place_of(member, await read_json(request))
        await self._room.require_access(incoming.place.channel, member.id)
        edit = Request(
            key=incoming.key,
            place=incoming.place,
            person=incoming.person,
            locale=incoming.locale,
            action=Action.EDIT,
        )
        session = await heads.session_of(self._context, edit)
        head = await heads.head_of(self._context, edit, session)
        if head is None:
            return JSONResponse({})
        step = await self._context.store.step(TENANT, head.step)
        picture = sessions.picture_at(step, head.index)
        link = self.link(picture.key, step.id, picture.media_type)
        return JSONResponse(
            {
                "step": step.id,
                "version": step.number,
                "key": picture.key,
                "src": link["src"],
            }
        )

    # Pressing, filling in, reacting

    async def _press(self, request: WebRequest, member: Member) -> Response:
        body = await read_json(request)
        incoming = decode.button(member, body)
        await self._room.require_access(incoming.place.channel, member.id)
        return await self._answer_now(incoming)

    async def _fill(self, request: WebRequest, member: Member) -> Response:
        body = await read_json(request)
        try:
            command = COMMANDS[Action(str(body.get("action")))]
        except (ValueError, KeyError):
            raise Rejected("room.bad_request") from None
        incoming = decode.form(member, body)
        await self._room.require_access(incoming.place.channel, member.id)
        for name in PEOPLE & incoming.fields.keys():
            await self._require_members(incoming.fields[name])
        line = f"/{command.written} {incoming.words}".strip()
        return await self._do(incoming, replace(incoming, words=line), None)

    async def _require_members(self, people: str) -> None:
        """Raise Rejected for an unknown name: nobody would be meant by it."""
        members = await self._room.members()
        names = {member.id: member.name for member in members}
        for person in decode.listed(people):
            if person not in names:
                raise Rejected(
                    "room.no_such_person",
                    name=person,
                    allowed=sorted(names.values()),
                )

    async def _react(self, request: WebRequest, member: Member) -> Response:
        body = await read_json(request)
        number = number_of(body, "message")
        emoji = body.get("emoji")
        if number is None or not isinstance(emoji, str):
            raise Rejected("room.bad_request")
        if not 0 < len(emoji) <= LONGEST_EMOJI:
            raise Rejected("room.bad_request")
        message = await self._room.message(number, member.id)
        is_added = bool(body.get("on"))
        incoming = decode.reaction(
            member,
            body,
            message,
            emoji,
            added=is_added,
        )
        if not await self._room.set_mark(
            number,
            emoji,
            member.id,
            on=is_added,
        ):
            return JSONResponse({})
        return await self._answer_now(incoming)

    async def _answer_now(self, incoming: Incoming) -> Response:
        meaning = await self._service.understand(incoming)
        if meaning is None:
            return JSONResponse({})
        answer = await self._service.answer(meaning)
        return await self._answer(incoming, answer)

    async def _answer(self, incoming: Incoming, answer: Answer) -> Response:
        """Show what is answered at once where it was asked; a form goes back to the page."""
        if answer.form is not None:
            return JSONResponse({"form": render.form(answer.form)})
        if answer.accepted is not None or answer.post is None:
            return JSONResponse({"accepted": answer.accepted})
        place = incoming.place
        step = StepId(answer.post.job)
        # Without its job: a read-back must not take it for the job's own message.
        post = replace(answer.post, job="")
        chat = self._context.chats[place.platform]
        sent = await chat.post(place, post, to=incoming.person, reply={})
        if step and post.pictures:
            await self._context.store.remember(
                sent,
                place.tenant,
                step,
                MessageRole.ANSWER,
            )
        await self._context.store.remember_drawing(sent, post.drawn_from)
        return JSONResponse({})

    async def _dismiss(self, request: WebRequest, member: Member) -> Response:
        number = number_of(await read_json(request), "message")
        if number is None:
            raise Rejected("room.bad_request")
        await self._room.dismiss(number, member.id)
        return JSONResponse({})

    # Pictures and channels

    async def _upload(self, request: WebRequest, member: Member) -> Response:
        """A file dropped, pasted or picked: cleaned before anybody sees it.

        Our recipe in it is kept.
        """
        name = decode.file_name(request.headers.get("easel-name", ""))
        locale = locale_of(request)
        self._sending.require(member.id)
        with self._sending.hold(member.id):
            async with spool_body(request) as body, self._uploading:
                data = await body.read()
                taken = await self._context.pool.run(tasks.normalize, data)
        recipe = png_metadata.read_recipe(data)
        cleaned = taken.data
        if recipe:
            cleaned = png_metadata.write_recipe(cleaned, recipe)
        key = await self._context.blobs.keep(TENANT, cleaned)
        picture = attachments.picture_of(key, cleaned, taken)
        ref = await self._room.add_upload(member.id, name, picture)
        link = self.link(key, name, taken.media_type)
        return JSONResponse(
            {
                "ref": ref,
                "name": name,
                "width": taken.width,
                "height": taken.height,
                "notes": [translate(key, locale) for key in taken.notes],
                **link,
            }
        )

    async def _channel(self, request: WebRequest, _member: Member) -> Response:
        body = await read_json(request)
        channel = decode.channel(body.get("name"))
        await self._room.add_channel(channel, channel)
        return JSONResponse({"channel": channel})
