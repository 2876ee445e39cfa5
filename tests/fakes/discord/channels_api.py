"""REST of channels, messages, threads and reactions."""

import re
from urllib.parse import unquote

from tests.fakes.discord import limits, payloads
from tests.fakes.discord.posting import Posting
from tests.fakes.discord.rest import Asked, Route
from tests.fakes.discord.things import (
    ADD_REACTIONS,
    ATTACH_FILES,
    CREATE_PUBLIC_THREADS,
    DM,
    FORUM,
    MANAGE_MESSAGES,
    MANAGE_THREADS,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    TEXT,
    Channel,
    Event,
    Json,
    Message,
    No,
)
from tests.fakes.discord.world import NONCE_LIFE, World

CHANNEL = "/channels/{channel_id}"
MESSAGE = CHANNEL + "/messages/{message_id}"
REACTION = MESSAGE + "/reactions/{emoji_name}"


class ChannelsApi:
    """What the bot does in channels."""

    def __init__(self, world: World, posting: Posting) -> None:
        self.world = world
        self.posting = posting

    def routes(self) -> list[Route]:
        """Where everything is."""
        return [
            ("GET", CHANNEL, self.get_channel),
            ("PATCH", CHANNEL, self.update_channel),
            ("DELETE", CHANNEL, self.delete_channel),
            ("GET", CHANNEL + "/messages", self.list_messages),
            ("POST", CHANNEL + "/messages", self.create_message),
            ("GET", MESSAGE, self.get_message),
            ("PATCH", MESSAGE, self.update_message),
            ("DELETE", MESSAGE, self.delete_message),
            ("POST", MESSAGE + "/threads", self.create_thread_from_message),
            ("POST", CHANNEL + "/threads", self.create_thread),
            ("PUT", CHANNEL + "/thread-members/@me", self.join_thread),
            ("DELETE", CHANNEL + "/thread-members/@me", self.leave_thread),
            (
                "PUT",
                CHANNEL + "/thread-members/{user_id}",
                self.add_thread_member,
            ),
            ("GET", CHANNEL + "/thread-members", self.list_thread_members),
            ("POST", CHANNEL + "/typing", self.trigger_typing_indicator),
            ("PUT", REACTION + "/@me", self.add_my_message_reaction),
            ("DELETE", REACTION + "/@me", self.delete_my_message_reaction),
            (
                "DELETE",
                REACTION + "/{user_id}",
                self.delete_user_message_reaction,
            ),
            ("GET", REACTION, self.list_message_reactions_by_emoji),
            ("POST", "/users/@me/channels", self.create_dm),
        ]

    # Channels

    def get_channel(self, asked: Asked) -> Json:
        return payloads.channel(self.world, self._channel(asked))

    def update_channel(self, asked: Asked) -> Json:
        channel, body = self._channel(asked), asked.json
        if not channel.is_thread:
            raise No(403, 50013, "Missing Permissions")
        if channel.archived and body.get("archived") is not False:
            raise No(400, 50083, "Thread is archived")
        is_mine = channel.owner == self.world.bot.id and not channel.locked
        # "When setting archived to false, when locked is also false, only SEND_MESSAGES is
        # required."
        only_opens = body == {"archived": False} and not channel.locked
        if "locked" in body or not (is_mine or only_opens):
            self.posting.permit(channel, MANAGE_THREADS)
        self.world.check(
            "thread", limits.thread_name, {"name": channel.name, **body}
        )
        channel.name = body.get("name", channel.name)
        channel.archived = bool(body.get("archived", channel.archived))
        channel.locked = bool(body.get("locked", channel.locked))
        channel.auto_archive = body.get(
            "auto_archive_duration", channel.auto_archive
        )
        self.posting.publish_channel("THREAD_UPDATE", channel)
        return payloads.channel(self.world, channel)

    def delete_channel(self, asked: Asked) -> Json:
        channel = self._channel(asked)
        if channel.is_thread:
            self.posting.permit(channel, MANAGE_THREADS)
        elif channel.kind != DM:
            self.posting.permit(channel, 1 << 4)
        payload = payloads.channel(self.world, channel)
        self.removed(channel)
        return payload

    def removed(self, channel: Channel) -> None:
        """A channel or thread is gone, and all in it."""
        gone = [
            thread
            for thread in self.world.channels.values()
            if channel.id in {thread.id, thread.parent}
        ]
        for thread in gone:
            name = "THREAD_DELETE" if thread.is_thread else "CHANNEL_DELETE"
            self.posting.publish_channel(name, thread)
            del self.world.channels[thread.id]
            self.world.messages = [
                said
                for said in self.world.messages
                if said.channel != thread.id
            ]

    def create_dm(self, asked: Asked) -> Json:
        user = self.world.users.get(str(asked.json.get("recipient_id")))
        if user is None:
            raise No(400, 50033, "Invalid Recipient(s)")
        return payloads.channel(self.world, self.world.direct(user))

    def trigger_typing_indicator(self, asked: Asked) -> None:
        channel = self._channel(asked)
        if channel.kind != DM:
            self.posting.permit(
                channel,
                SEND_MESSAGES_IN_THREADS
                if channel.is_thread
                else SEND_MESSAGES,
            )
        channel.typing += 1

    # Messages

    def list_messages(self, asked: Asked) -> list[Json]:
        channel, limit = (
            self._channel(asked),
            int(asked.query.get("limit", 50)),
        )
        if not 1 <= limit <= 100:
            raise No(400, 50035, "Invalid Form Body: limit")
        if not self.world.bot_permissions(channel) & READ_MESSAGE_HISTORY:
            return []
        messages = sorted(
            self.world.seen_by(None, channel),
            key=lambda message: int(message.id),
        )
        page = _page(messages, asked, limit)
        return [self.posting.shown(message) for message in reversed(page)]

    def get_message(self, asked: Asked) -> Json:
        channel = self._channel(asked)
        if not self.world.bot_permissions(channel) & READ_MESSAGE_HISTORY:
            raise No(403, 50001, "Missing Access")
        return self.posting.shown(self._message(asked))

    def create_message(self, asked: Asked) -> Json:
        channel = self._channel(asked)
        self.posting.may_send(channel, asked.json, files=bool(asked.files))
        first = self._first(channel, asked.json)
        if first is None:
            first = self.posting.post(
                self.posting.make(asked, channel), asked.json
            )
        return self.posting.shown(first, nonce=True)

    def _first(self, channel: Channel, body: Json) -> Message | None:
        """The message already posted with this nonce, for some minutes."""
        nonce = str(body.get("nonce") or "")
        if not nonce or not body.get("enforce_nonce"):
            return None
        for message in self.world.messages:
            is_it = (
                message.nonce == nonce
                and message.channel == channel.id
                and message.author == self.world.bot.id
            )
            if (
                is_it
                and not message.deleted
                and self.world.now() - message.created < NONCE_LIFE
            ):
                return message
        return None

    def update_message(self, asked: Asked) -> Json:
        channel, message = self._channel(asked), self._message(asked)
        if channel.archived:
            raise No(400, 50083, "Thread is archived")
        if message.author != self.world.bot.id:
            raise No(
                403, 50005, "Cannot edit a message authored by another user"
            )
        if asked.files and channel.kind != DM:
            self.posting.permit(channel, ATTACH_FILES)
        return self.posting.shown(self.posting.revise(message, asked))

    def delete_message(self, asked: Asked) -> None:
        channel, message = self._channel(asked), self._message(asked)
        if channel.archived:
            raise No(400, 50083, "Thread is archived")
        if message.author != self.world.bot.id:
            self.posting.permit(channel, MANAGE_MESSAGES)
        self.posting.remove(message)

    # Threads

    def create_thread_from_message(self, asked: Asked) -> Json:
        channel, message = self._channel(asked), self._message(asked)
        if channel.kind != TEXT:
            raise No(400, 50024, "Cannot execute action on this channel type")
        self.posting.permit(channel, CREATE_PUBLIC_THREADS)
        if message.id in self.world.channels:
            raise No(
                400,
                160004,
                "A thread has already been created for this message",
            )
        return payloads.channel(
            self.world, self._thread(asked, channel, message.id)
        )

    def create_thread(self, asked: Asked) -> Json:
        channel, body = self._channel(asked), asked.json
        if channel.kind not in {TEXT, FORUM}:
            raise No(400, 50024, "Cannot execute action on this channel type")
        if channel.kind == TEXT:
            self.posting.permit(channel, CREATE_PUBLIC_THREADS)
            return payloads.channel(
                self.world, self._thread(asked, channel, "")
            )
        self.posting.permit(channel, SEND_MESSAGES)
        if channel.tags_required and not body.get("applied_tags"):
            raise No(
                400,
                40066,
                "There are no tags available that can be set by non-moderators",
            )
        thread = self._thread(asked, channel, "")
        message = self.posting.make(
            asked, thread, body=body.get("message") or {}
        )
        message.id = thread.id
        self.posting.post(message, body.get("message") or {})
        return {
            **payloads.channel(self.world, thread),
            "message": self.posting.shown(message),
        }

    def _thread(self, asked: Asked, parent: Channel, id: str) -> Channel:
        body = asked.json
        self.world.check("thread", limits.thread_name, body)
        thread = self.world.channel(
            body["name"],
            self.world.guilds[parent.guild],
            id=id,
            kind=PRIVATE_THREAD
            if body.get("type") == PRIVATE_THREAD
            else PUBLIC_THREAD,
            parent=parent.id,
            owner=self.world.bot.id,
            nsfw=parent.nsfw,
            auto_archive=body.get("auto_archive_duration") or 4320,
            members={self.world.bot.id},
        )
        self.posting.publish_channel(
            "THREAD_CREATE", thread, newly_created=True
        )
        return thread

    def join_thread(self, asked: Asked) -> None:
        self._open_thread(asked).members.add(self.world.bot.id)

    def leave_thread(self, asked: Asked) -> None:
        self._open_thread(asked).members.discard(self.world.bot.id)

    def add_thread_member(self, asked: Asked) -> None:
        self._open_thread(asked).members.add(asked.where["user_id"])

    def list_thread_members(self, asked: Asked) -> list[Json]:
        thread = self._channel(asked)
        joined = payloads.stamp(self.world.now())
        return [
            {
                "id": thread.id,
                "user_id": member,
                "join_timestamp": joined,
                "flags": 0,
            }
            for member in thread.members
        ]

    def _open_thread(self, asked: Asked) -> Channel:
        thread = self._channel(asked)
        if thread.archived:
            raise No(400, 50083, "Thread is archived")
        return thread

    # Reactions

    def add_my_message_reaction(self, asked: Asked) -> None:
        channel, message, emoji = (
            self._channel(asked),
            self._message(asked),
            _emoji(asked),
        )
        if channel.archived:
            raise No(400, 50083, "Thread is archived")
        self.posting.permit(
            channel,
            READ_MESSAGE_HISTORY,
            *([] if emoji in message.reactions else [ADD_REACTIONS]),
        )
        if len(message.reactions) >= 20 and emoji not in message.reactions:
            raise No(400, 30010, "Maximum number of reactions reached (20)")
        self.react(message, emoji, self.world.bot.id, added=True)

    def delete_my_message_reaction(self, asked: Asked) -> None:
        self._channel(asked)
        self.react(
            self._message(asked), _emoji(asked), self.world.bot.id, added=False
        )

    def delete_user_message_reaction(self, asked: Asked) -> None:
        channel = self._channel(asked)
        self.posting.permit(channel, MANAGE_MESSAGES)
        if channel.kind == DM:
            raise No(403, 50003, "Cannot execute action on a DM channel")
        self.react(
            self._message(asked),
            _emoji(asked),
            asked.where["user_id"],
            added=False,
        )

    def list_message_reactions_by_emoji(self, asked: Asked) -> list[Json]:
        self._channel(asked)
        after, limit = (
            int(asked.query.get("after", 0)),
            int(asked.query.get("limit", 25)),
        )
        users = sorted(
            self._message(asked).reactions.get(_emoji(asked), []), key=int
        )
        return [
            payloads.user(self.world.users[user])
            for user in users
            if int(user) > after
        ][:limit]

    def react(
        self, message: Message, emoji: str, user: str, *, added: bool
    ) -> None:
        """Someone's reaction comes or goes; told only when it changes something."""
        users = message.reactions.setdefault(emoji, [])
        if (user in users) == added:
            return
        users.append(user) if added else users.remove(user)
        if not users:
            del message.reactions[emoji]
        payload: Json = {
            "user_id": user,
            "channel_id": message.channel,
            "message_id": message.id,
            "emoji": {"id": None, "name": emoji},
            "burst": False,
            "type": 0,
        }
        if message.guild:
            payload["guild_id"] = message.guild
        if added:
            payload["message_author_id"] = message.author
            if message.guild:
                guild = self.world.guilds[message.guild]
                payload["member"] = payloads.member(
                    self.world, guild, self.world.users[user]
                )
        name = "MESSAGE_REACTION_ADD" if added else "MESSAGE_REACTION_REMOVE"
        self.world.publish(
            Event(
                name=name,
                data=payload,
                guild=message.guild,
                channel=message.channel,
            )
        )

    def _channel(self, asked: Asked) -> Channel:
        return self.posting.viewed(asked.where["channel_id"])

    def _message(self, asked: Asked) -> Message:
        return self.world.find(
            asked.where["channel_id"], asked.where["message_id"]
        )


def _page(messages: list[Message], asked: Asked, limit: int) -> list[Message]:
    """The part of a channel, oldest first, that before, after or around ask for."""
    query = asked.query
    if "after" in query:
        return [
            message
            for message in messages
            if int(message.id) > int(query["after"])
        ][:limit]
    if "around" in query:
        before = sum(
            int(message.id) < int(query["around"]) for message in messages
        )
        begin = max(0, before - limit // 2)
        return messages[begin : begin + limit]
    ends = int(query.get("before", 1 << 63))
    return [message for message in messages if int(message.id) < ends][-limit:]


def _emoji(asked: Asked) -> str:
    name = unquote(asked.where["emoji_name"])
    if re.fullmatch(r"[\w ]*[A-Za-z][\w ]*", name):
        raise No(400, 10014, "Unknown Emoji")
    return name
