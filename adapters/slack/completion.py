"""What only Slack knows about an event: who sent it, and which files came with it."""

import asyncio
from dataclasses import replace
from typing import Any

from adapters.slack import decode
from adapters.slack.api import SlackApi
from adapters.slack.membership import DIRECT, Membership
from adapters.slack.reply import SlackReply
from adapters.slack.text import Permalink, permalink_in
from adapters.slack.tokens import Installed, OneToken
from adapters.slack.users import LOOK_SECONDS, UserDirectory, UserProfile
from core import links
from core.errors import DeliveryError, Rejected
from core.i18n import negotiate
from core.incoming import Incoming, Kind, Quoted
from core.types import Person, Place


class Completion:
    """Looks up what an event leaves out. ``locale``: for people with none."""

    def __init__(
        self,
        api: SlackApi,
        users: UserDirectory,
        tokens: OneToken | Installed,
        locale: str,
    ) -> None:
        self._api = api
        self._users = users
        self._membership = Membership(api)
        self._tokens = tokens
        self._locale = locale

    async def complete(self, incoming: Incoming) -> Incoming | None:
        """Add the sender's name, language and rights, and missing files. None for bots."""
        profile, closed = await asyncio.gather(
            self._users.find(incoming.place.workspace, incoming.person.id),
            self._membership.check(incoming),
        )
        if profile is not None and profile.is_bot:
            return None
        incoming = self._introduce(incoming, profile)
        incoming = replace(incoming, closed=closed)
        link = permalink_in(incoming.words)
        if link is not None and not incoming.attachments:
            return await self._point_at(incoming, link)
        if _may_lack_files(incoming):
            return await self._add_files(incoming)
        return incoming

    async def locale_of(self, workspace: str, person: str) -> str:
        """The language to speak to a person in."""
        return self._locale_of(await self._users.find(workspace, person))

    def _locale_of(self, profile: UserProfile | None) -> str:
        if profile is None or not profile.locale:
            return self._locale
        return negotiate(profile.locale)

    def _introduce(
        self, incoming: Incoming, profile: UserProfile | None
    ) -> Incoming:
        name = incoming.person.name or incoming.person.id
        if profile is not None:
            name = profile.name
        return replace(
            incoming,
            person=Person(id=incoming.person.id, name=name),
            locale=incoming.locale or self._locale_of(profile),
            is_admin=profile is not None and profile.is_admin,
        )

    async def _add_files(self, incoming: Incoming) -> Incoming:
        """Look the message up again, and the one its thread hangs from."""
        ts = SlackReply.read(incoming.reply).ts
        root = incoming.place.thread or ts
        # Of a message that begins its own thread the look is a courtesy: distributed apps may
        # read so once a minute, and nobody shall wait for that.
        patience = LOOK_SECONDS if root == ts else None
        try:
            async with asyncio.timeout(patience):
                files = await self._files_by_message(incoming.place, root, ts)
        except TimeoutError:
            return incoming
        except DeliveryError as error:
            if not error.permanent:
                # Unread, the thread's picture would be passed over for another one.
                raise
            return incoming
        workspace = incoming.place.workspace
        pictures = decode.files(files.get(root), workspace)
        return replace(
            incoming,
            attachments=decode.files(files.get(ts), workspace),
            root=Quoted(message=root, pictures=pictures),
        )

    async def _point_at(self, incoming: Incoming, link: Permalink) -> Incoming:
        """Answer the message that the words link to, without the link.

        Raises Rejected for a message of another channel: not all who are here may read it.
        """
        place = incoming.place
        if link.channel != place.channel:
            raise Rejected("slack.other_channel")
        try:
            files = await self._files_by_message(
                place, link.thread or link.ts, link.ts
            )
        except DeliveryError as error:
            if not error.permanent:
                raise
            # It is gone: a message without a picture.
            files = {link.ts: None}
        pointed = Quoted(
            message=link.ts,
            # Only those of others are among the files.
            is_ours=False if link.ts in files else None,
            pictures=decode.files(files.get(link.ts), place.workspace),
        )
        words = links.without(incoming.words, link.address)
        return replace(incoming, words=words, answers=pointed)

    async def _files_by_message(
        self, place: Place, root: str, ts: str
    ) -> dict[str, Any]:
        """The files people posted in a message and at the root of its thread, by ts."""
        bot = await self._tokens.identity(place.workspace)
        answer = await self._api.get(
            place.workspace,
            "conversations.replies",
            channel=place.channel,
            ts=root,
            oldest=ts,
            inclusive="true",
            limit=1 if root == ts else 2,
        )
        return {
            message.get("ts"): message.get("files")
            for message in answer.get("messages", [])
            if message.get("user") != bot.user
        }


def _may_lack_files(incoming: Incoming) -> bool:
    """Is it a message to us without files, in a thread or a channel?

    Now and then Slack delivers a mention before the files that were sent with it. Direct messages
    come whole.
    """
    place = incoming.place
    if incoming.kind is not Kind.MESSAGE or not incoming.is_addressed:
        return False
    is_direct_message = place.channel.startswith(DIRECT) and not place.thread
    return not incoming.attachments and not is_direct_message
