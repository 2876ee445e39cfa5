"""How a message comes about and changes: its limits, files, mentions and pings, and who is told."""

import re
from collections.abc import Iterable
from typing import Any

from tests.fakes.discord import limits, payloads
from tests.fakes.discord.rest import Asked
from tests.fakes.discord.things import (
    ATTACH_FILES,
    DM,
    EMBED_LINKS,
    EPHEMERAL,
    FORUM,
    LOADING,
    MANAGE_THREADS,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    V2,
    VIEW_CHANNEL,
    Attachment,
    Channel,
    Event,
    Interaction,
    Json,
    Message,
    No,
    walk,
)
from tests.fakes.discord.world import World

SUPPRESS_EMBEDS = 1 << 2
SILENT = 1 << 12


class Posting:
    """Messages of the bot, however they are posted."""

    def __init__(self, world: World) -> None:
        self.world = world

    # Rights

    def viewed(self, channel_id: str) -> Channel:
        """A channel the bot may look into."""
        channel = self.world.channels.get(channel_id)
        if channel is None:
            raise No(404, 10003, "Unknown Channel")
        if not self.world.bot_permissions(channel) & VIEW_CHANNEL:
            raise No(403, 50001, "Missing Access")
        return channel

    def permit(self, channel: Channel, *needed: int) -> None:
        """Refuse what the bot has no permission for."""
        has = self.world.bot_permissions(channel)
        if not all(has & permission for permission in needed):
            raise No(403, 50013, "Missing Permissions")

    def may_send(self, channel: Channel, asked: Json, *, files: bool) -> None:
        """Refuse what cannot be sent there; sending brings an archived thread back."""
        if channel.kind == DM:
            if self.world.users[channel.recipient].closed:
                raise No(403, 50007, "Cannot send messages to this user")
            return
        if channel.kind == FORUM:
            raise No(400, 50008, "Cannot send messages in a non-text channel")
        self.permit(
            channel,
            SEND_MESSAGES_IN_THREADS if channel.is_thread else SEND_MESSAGES,
        )
        self.permit(
            channel,
            *([ATTACH_FILES] if files else []),
            *([EMBED_LINKS] if asked.get("embeds") else []),
        )
        if (
            channel.locked
            and not self.world.bot_permissions(channel) & MANAGE_THREADS
        ):
            raise No(400, 160005, "Thread is locked")
        if channel.is_thread:
            channel.members.add(self.world.bot.id)
        if channel.archived:
            channel.archived = False
            self.publish_channel("THREAD_UPDATE", channel)

    # Making

    def make(
        self,
        asked: Asked,
        channel: Channel,
        *,
        interaction: Interaction | None = None,
        body: Json | None = None,
    ) -> Message:
        """Check and make a new message, without sending it."""
        body = asked.json if body is None else body
        flags = int(body.get("flags") or 0)
        self._check(body, asked, flags)
        is_forward = (body.get("message_reference") or {}).get("type") == 1
        if not (
            any(body.get(name) for name in ("content", "embeds", "components"))
            or asked.files
            or is_forward
        ):
            raise No(400, 50006, "Cannot send an empty message")
        self._check_sizes(asked, channel, interaction)
        message = Message(
            id=self.world.number(),
            channel=channel.id,
            guild=channel.guild,
            author=self.world.bot.id,
            created=self.world.now(),
            content=body.get("content") or "",
            embeds=body.get("embeds") or [],
            components=body.get("components") or [],
            flags=flags,
            nonce=str(body.get("nonce") or ""),
            reference=self._reference(body, channel),
            interaction=interaction,
        )
        message.only_for = (
            interaction.user if interaction and flags & EPHEMERAL else ""
        )
        message.attachments = self._attach_uploads(
            asked, body, channel, message
        )
        message.kind = 19 if message.reference and not is_forward else 0
        return message

    def post(self, message: Message, body: Json) -> Message:
        """It stands there; people are pinged, the gateway is told."""
        self._mention(message, body)
        self._ping(message)
        self.world.messages.append(message)
        self.publish_message("MESSAGE_CREATE", message)
        return message

    def revise(
        self, message: Message, asked: Asked, body: Json | None = None
    ) -> Message:
        """Change a message; what is not named stays."""
        body = asked.json if body is None else body
        flags = message.flags | (
            int(body.get("flags") or 0) & (V2 | SUPPRESS_EMBEDS)
        )
        listed = body.get("attachments")
        attachments = [
            attachment
            for attachment in message.attachments
            if listed is None
            or attachment.id in {str(entry["id"]) for entry in listed}
        ]
        self._check(
            body,
            asked,
            flags,
            attached=[attachment.filename for attachment in attachments],
        )
        self._check_gallery(body, asked, flags)
        self._check_sizes(
            asked, self.world.channels[message.channel], message.interaction
        )
        for name in ("content", "embeds", "components"):
            if name in body:
                setattr(
                    message,
                    name,
                    body[name] or ("" if name == "content" else []),
                )
        if flags & V2 and not message.flags & V2:
            message.content, message.embeds = "", []
        new = self._attach_uploads(
            asked, body, self.world.channels[message.channel], message
        )
        message.attachments = [*attachments, *new]
        if not (
            message.content
            or message.embeds
            or message.components
            or message.attachments
        ):
            raise No(400, 50006, "Cannot send an empty message")
        if "content" in body or "components" in body:
            self._mention(message, body)
        message.flags = flags & ~LOADING
        message.edits += 1
        message.edited = self.world.now()
        self.publish_message("MESSAGE_UPDATE", message)
        return message

    def remove(self, message: Message) -> None:
        """Delete it."""
        message.deleted = True
        if not message.only_for:
            payload = {"id": message.id, "channel_id": message.channel}
            if message.guild:
                payload["guild_id"] = message.guild
            self.world.publish(
                Event(
                    name="MESSAGE_DELETE",
                    data=payload,
                    guild=message.guild,
                    channel=message.channel,
                )
            )

    def _check(
        self,
        body: Json,
        asked: Asked,
        flags: int,
        attached: Iterable[str] = (),
    ) -> None:
        self.world.check(
            "message",
            limits.message,
            body,
            asked.names,
            flags,
            attached=list(attached),
        )

    def _check_gallery(self, body: Json, asked: Asked, flags: int) -> None:
        """discord-api-docs#7529."""
        components = str(body.get("components"))
        is_new = flags & V2 and any(
            f"attachment://{name}" in components for name in asked.names
        )
        if is_new and not self.world.galleries_by_edit:
            raise No(
                400,
                50035,
                "Invalid Form Body: unfurled media attachment not found",
            )

    def _check_sizes(
        self, asked: Asked, channel: Channel, interaction: Interaction | None
    ) -> None:
        limit = self.world.upload_limit(channel)
        if interaction:
            limit = max(limit, self.world.users[interaction.user].upload_limit)
        if any(len(content) > limit for _, content in asked.files.values()):
            raise No(413, 40005, "Request entity too large")
        if asked.files and self.world.filters_files:
            raise No(400, 20009, "Explicit content cannot be sent")

    def _attach_uploads(
        self, asked: Asked, body: Json, channel: Channel, message: Message
    ) -> list[Attachment]:
        described = {
            str(attachment["id"]): attachment
            for attachment in body.get("attachments") or []
        }
        gone = (
            {"gone": self.world.now() + self.world.ephemeral_life}
            if message.only_for
            else {}
        )
        attachments = []
        for number, (name, content) in asked.files.items():
            about: Json = described.get(str(number), {})
            if described and not about:
                self.world.violations.append(
                    f"message: files[{number}] is not among the attachments"
                )
            facts: dict[str, Any] = {
                "description": about.get("description") or "",
                **gone,
            }
            spoiler = bool(about.get("is_spoiler"))
            attachments.append(
                self.world.attach(
                    about.get("filename") or name,
                    content,
                    channel.id,
                    spoiler=spoiler,
                    **facts,
                )
            )
        return attachments

    def _reference(self, body: Json, channel: Channel) -> Json | None:
        """What it answers or forwards."""
        reference = body.get("message_reference")
        if not reference:
            return None
        if not self.world.bot_permissions(channel) & READ_MESSAGE_HISTORY:
            raise No(
                400,
                160002,
                "Cannot reply without permission to read message history",
            )
        kind, where = (
            reference.get("type") or 0,
            str(reference.get("channel_id") or channel.id),
        )
        try:
            self.world.find(where, str(reference["message_id"]))
        except No:
            if reference.get("fail_if_not_exists") is False:
                return None
            raise No(
                400,
                50035,
                "Invalid Form Body: message_reference: Unknown message",
            ) from None
        resolved = {
            "type": kind,
            "channel_id": where,
            "message_id": str(reference["message_id"]),
        }
        return (
            {**resolved, "guild_id": channel.guild}
            if channel.guild
            else resolved
        )

    # Mentions

    def _mention(self, message: Message, body: Json) -> None:
        """Who is mentioned, by Discord's defaults where nothing is said."""
        allowed = body.get("allowed_mentions")
        if allowed is None:
            is_hook = message.interaction is not None
            allowed = {
                "parse": ["users"]
                if is_hook
                else ["users", "roles", "everyone"],
                "replied_user": True,
            }
        said = "\n".join(
            [
                message.content,
                *(
                    component["content"]
                    for component in walk(message.components)
                    if component["type"] == 10
                ),
            ]
        )
        message.mentions = _mentioned_ids(
            r"<@!?(\d+)>", said, "users", allowed
        )
        message.mention_roles = _mentioned_ids(
            r"<@&(\d+)>", said, "roles", allowed
        )
        message.mention_everyone = bool(
            re.search("@everyone|@here", said)
        ) and "everyone" in allowed.get("parse", [])
        replied = self._reply_author(message)
        if (
            replied
            and allowed.get("replied_user")
            and replied not in message.mentions
        ):
            message.mentions.append(replied)

    def _ping(self, message: Message) -> None:
        """Each mention in a new message makes a sound, unless it is silent."""
        if not message.only_for and not message.flags & SILENT:
            users = [
                ("user", mention)
                for mention in message.mentions
                if mention != self.world.bot.id
            ]
            roles = [("role", role) for role in message.mention_roles]
            self.world.pinged(
                message,
                users + roles + [("everyone", "")] * message.mention_everyone,
            )

    def _reply_author(self, message: Message) -> str:
        if message.reference is None or message.reference["type"] != 0:
            return ""
        try:
            return self.world.find(
                message.reference["channel_id"],
                message.reference["message_id"],
            ).author
        except No:
            return ""

    # Telling

    def publish_message(self, name: str, message: Message) -> None:
        """Send a message to the gateway, unless it is for one person only."""
        if message.only_for:
            return
        payload = payloads.message(
            self.world, message, nonce=name == "MESSAGE_CREATE"
        )
        payload["channel_type"] = self.world.channels[message.channel].kind
        if message.guild:
            payload["guild_id"] = message.guild
            if message.interaction is None:
                author = self.world.users[message.author]
                payload["member"] = payloads.member(
                    self.world,
                    self.world.guilds[message.guild],
                    author,
                    full=False,
                )
        self.world.publish(
            Event(
                name=name,
                data=payload,
                guild=message.guild,
                channel=message.channel,
                message=message,
            )
        )

    def publish_channel(
        self, name: str, channel: Channel, **more: Any
    ) -> None:
        """Send a channel or thread to the gateway."""
        payload = {**payloads.channel(self.world, channel), **more}
        self.world.publish(
            Event(
                name=name,
                data=payload,
                guild=channel.guild,
                channel=channel.id,
            )
        )

    def shown(self, message: Message, *, nonce: bool = False) -> Json:
        """A message as REST answers it."""
        payload = payloads.message(self.world, message, nonce=nonce)
        return payloads.readable(
            self.world, message, payload, intent=self.world.content_granted
        )


def _mentioned_ids(
    pattern: str, said: str, kind: str, allowed: Json
) -> list[str]:
    ids = list(dict.fromkeys(re.findall(pattern, said)))
    listed = {str(mention) for mention in allowed.get(kind) or []}
    return [
        mention
        for mention in ids
        if kind in (allowed.get("parse") or []) or mention in listed
    ]
