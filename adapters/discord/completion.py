"""What only Discord knows about an event: language, workspace, form, and what it replies to."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from adapters.discord import decode
from adapters.discord.api import Api
from adapters.discord.channels import ChannelDirectory, channel_id, is_direct
from adapters.discord.messages import MessageClient
from adapters.discord.pictures import channel_of, linked, pictures_in
from adapters.discord.reply import DiscordReply
from adapters.discord.store import DiscordStore
from adapters.discord.users import UserDirectory
from core import links
from core.button_ids import decode_button
from core.errors import Rejected
from core.forms import FUNCTION, Form
from core.incoming import Incoming, Kind
from core.operations import BUTTONS, Action
from core.types import Attachment, Request

LOOKS = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each further look for a message that has just been posted."""
PICTURE_EMBEDS = frozenset({"image", "gifv"})
"""Embeds of a picture itself; those of a page show what the page chose."""
EMBED_LOOKS = (0.5, 1.0, 1.5)
"""Seconds before each look for the embeds of a message: Discord adds them when it has the page."""
SPOILER_MARK = "||"
"""What stands before and behind hidden words."""
RECENT_MS = 5000


class Completion:
    """Looks up what an event leaves out."""

    def __init__(
        self,
        api: Api,
        store: DiscordStore,
        channels: ChannelDirectory,
        users: UserDirectory,
        messages: MessageClient,
        hosts: Sequence[str] = (),
    ) -> None:
        self._api = api
        self._store = store
        self._channels = channels
        self._users = users
        self._messages = messages
        self._hosts = frozenset(hosts)

    async def complete(self, incoming: Incoming) -> Incoming:
        """Add all that is missing. Raises Rejected for a form that was opened too long ago."""
        incoming = replace(incoming, locale=await self._users.locale(incoming))
        reply = DiscordReply.read(incoming.reply)
        if reply.asked:
            incoming = decode.merge(incoming, await self.draft_of(incoming))
        elif reply.interaction:
            incoming = await self.locate(incoming)
        if reply.interaction and not reply.first:
            # Should it be refused, what was written is not lost: a form brings it back.
            draft = draft_of_event(incoming)
            if draft is not None:
                await self._store.save_form(reply.interaction, draft)
        incoming = await self._add_linked(incoming)
        incoming = await self._add_answered(incoming)
        await self._require_showable(incoming)
        return incoming

    async def _add_linked(self, incoming: Incoming) -> Incoming:
        """Attach the pictures that the words only link to, and take the links from the words."""
        addresses = links.links_in(incoming.words)
        if not addresses:
            return incoming
        own = [
            link for link in addresses if links.host_of(link) in self._hosts
        ]
        is_hidden = SPOILER_MARK in incoming.words
        pictures = tuple(linked(link) for link in own)
        if not pictures and not incoming.attachments:
            pictures = await self._embedded(incoming)
        # What was not attached has no name.
        is_embedded = not all(picture.name for picture in incoming.attachments)
        if not pictures and not is_embedded:
            return incoming
        words = incoming.words.replace(SPOILER_MARK, " ")
        for link in own or addresses:
            words = links.without(words, link)
        attached = incoming.attachments + pictures
        if is_hidden:
            attached = tuple(
                replace(picture, hidden=True) for picture in attached
            )
        return replace(incoming, words=words, attachments=attached)

    async def _embedded(self, incoming: Incoming) -> tuple[Attachment, ...]:
        """Read the message again until Discord has looked at its links, for some seconds."""
        message = DiscordReply.read(incoming.reply).message
        if incoming.kind is not Kind.MESSAGE or not message:
            return ()
        channel = channel_id(incoming.place)
        for seconds in EMBED_LOOKS:
            await asyncio.sleep(seconds)
            content = await self._messages.read(channel, message)
            embeds = content.get("embeds") or ()
            if embeds:
                pictures = [
                    embed
                    for embed in embeds
                    if embed.get("type") in PICTURE_EMBEDS
                ]
                row = {"id": message, "embeds": pictures}
                return pictures_in(row, channel)
        return ()

    async def _require_showable(self, incoming: Incoming) -> None:
        """Refuse what was linked or forwarded out of a channel for adults. Raises Rejected."""
        answered = incoming.answers
        pictures = incoming.attachments
        if answered is not None:
            pictures += answered.pictures
        origins = {channel_of(picture) for picture in pictures}
        foreign = origins - {"", incoming.place.channel, incoming.place.thread}
        if not foreign or is_direct(incoming.place):
            return
        if await self._channels.is_for_adults(incoming.place):
            return
        for channel in foreign:
            place = replace(incoming.place, channel=channel, thread="")
            place = await self._channels.find_thread(place)
            if await self._channels.is_restricted(place):
                raise Rejected("refuse.for_adults")

    async def locate(self, incoming: Incoming) -> Incoming:
        """Find its real place: a thread is in its parent channel, a direct message in a guild."""
        if not incoming.is_place_known:
            thread = await self._channels.find_thread(incoming.place)
            incoming = replace(incoming, place=thread, is_place_known=True)
        if is_direct(incoming.place):
            return await self._locate_direct(incoming)
        return incoming

    async def draft_of(self, incoming: Incoming) -> Incoming:
        """What the form was asked for.

        Raises Rejected when that was too long ago, or by another person.
        """
        draft = await self._store.form_draft(
            DiscordReply.read(incoming.reply).asked
        )
        if draft is None or draft.person.id != incoming.person.id:
            raise Rejected("refuse.too_late")
        workspace = draft.place.workspace
        if is_direct(draft.place):
            is_member = await self._channels.has_member(
                workspace, draft.person.id
            )
            if not is_member:
                raise Rejected("refuse.too_late")
        # To run one guild is not to run another.
        is_admin = incoming.is_admin and incoming.place.workspace == workspace
        return replace(draft, locale=incoming.locale, is_admin=is_admin)

    async def _locate_direct(self, incoming: Incoming) -> Incoming:
        """A direct message from us belongs to the guild it was sent for; so do words after it."""
        channel = channel_id(incoming.place)
        reply = DiscordReply.read(incoming.reply)
        message = _own_message(incoming) or reply.pressed
        if not message and not _is_plain(incoming):
            return incoming
        number = int(message) if message else None
        workspace = await self._store.workspace_of_direct(channel, number)
        if not workspace and _is_recent(reply):
            workspace = await self._look_again(channel, int(reply.pressed))
        if not workspace:
            return incoming
        # A former member cannot act for the guild.
        if not await self._channels.has_member(workspace, incoming.person.id):
            return incoming
        return replace(
            incoming, place=replace(incoming.place, workspace=workspace)
        )

    async def _look_again(self, channel: str, message: int) -> str | None:
        """A message can be seen, and its buttons pressed, before its number reaches us."""
        for seconds in LOOKS:
            await asyncio.sleep(seconds)
            workspace = await self._store.workspace_of_direct(channel, message)
            if workspace:
                return workspace
        return None

    async def _add_answered(self, incoming: Incoming) -> Incoming:
        """Read the message replied to, which Discord does not always send along."""
        answered = incoming.answers
        if (
            incoming.kind is not Kind.MESSAGE
            or answered is None
            or answered.is_ours
        ):
            return incoming
        if incoming.attachments or answered.pictures:
            return incoming
        channel = channel_id(incoming.place)
        message = await self._messages.read(channel, answered.message)
        author = str((message.get("author") or {}).get("id", ""))
        is_ours = author == str(self._api.user_id)
        pictures = () if is_ours else pictures_in(message, channel)
        answered = replace(
            answered,
            author=author,
            is_ours=is_ours,
            pictures=pictures,
            refusal="discord.no_picture_there",
        )
        return replace(incoming, answers=answered)


def draft_of_event(incoming: Incoming) -> Incoming | None:
    """What a form can bring back: a command, button or form that makes pictures."""
    if incoming.kind is Kind.BUTTON:
        return _draft_of_button(incoming)
    operation = incoming.operation
    if incoming.kind not in {Kind.COMMAND, Kind.FORM} or operation not in set(
        Action
    ):
        return None
    if not Action(operation).makes_pictures:
        return None
    return replace(incoming, kind=Kind.FORM)


def _draft_of_button(incoming: Incoming) -> Incoming | None:
    try:
        kind, step, index = decode_button(incoming.button)
    except Rejected:
        return None
    action = BUTTONS.get(kind)
    if action is None or not action.makes_pictures:
        return None
    return replace(
        incoming,
        kind=Kind.FORM,
        operation=action.value,
        target=step,
        index=index,
    )


def draft_of_form(form: Form, request: Request) -> Incoming:
    """What a form is asked for, to be merged with what is filled in."""
    fields = dict(form.typed)
    if any(field.name == FUNCTION for field in form.fields):
        fields[FUNCTION] = ""
    return Incoming(
        key=request.key,
        kind=Kind.FORM,
        place=request.place,
        person=request.person,
        locale=request.locale,
        is_admin=request.is_admin,
        operation=form.action.value,
        words=_prompt_of(form),
        fields=fields,
        attachments=request.attachments,
        mask=request.mask,
        target=form.target,
        index=form.index,
        reply=request.reply,
    )


def _prompt_of(form: Form) -> str:
    prompts = [field.value for field in form.fields if field.name == "prompt"]
    return prompts[0] if prompts else ""


def _is_plain(incoming: Incoming) -> bool:
    """Is it nothing but words?"""
    is_message = incoming.kind is Kind.MESSAGE and not incoming.attachments
    return is_message and not incoming.words.startswith("/")


def _own_message(incoming: Incoming) -> str:
    """The message from us that an event is about, as far as it tells."""
    answered = incoming.answers
    if answered is None or answered.is_ours is False:
        return ""
    is_pointed_at = incoming.kind in {Kind.REACTION, Kind.SHORTCUT}
    return answered.message if answered.is_ours or is_pointed_at else ""


def _is_recent(reply: DiscordReply) -> bool:
    """Was the message a moment old when its button was pressed?"""
    if not reply.pressed or not reply.interaction:
        return False
    # The first 42 bits of Discord's ids are milliseconds.
    age = (int(reply.interaction) >> 22) - (int(reply.pressed) >> 22)
    return age < RECENT_MS
