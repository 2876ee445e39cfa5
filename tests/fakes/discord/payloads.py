"""How Discord describes its objects: users, members, guilds, channels, messages."""

from datetime import UTC, datetime
from typing import Any

from tests.fakes.discord.things import (
    DM,
    FORUM,
    GROUP,
    MODAL,
    ORDINARY,
    USE_EXTERNAL_APPS,
    VOICE,
    Attachment,
    Channel,
    Guild,
    Interaction,
    Json,
    Message,
    No,
    User,
    walk,
)
from tests.fakes.discord.world import World


def stamp(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def user(user: User) -> Json:
    """A user."""
    return {
        "id": user.id,
        "username": user.name,
        "global_name": None if user.is_bot else user.name,
        "discriminator": "0000" if user.is_bot else "0",
        "avatar": None,
        "bot": user.is_bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
    }


def member(
    world: World, guild: Guild, one: User, *, full: bool = True
) -> Json:
    """A member of a guild."""
    is_bot = one.id == world.bot.id
    own_role = _role_id(guild, guild.permissions.get(one.id, 0))
    payload: Json = {
        "roles": [_bot_role_id(guild) if is_bot else own_role],
        "nick": guild.nicks.get(one.id),
        "avatar": None,
        "joined_at": stamp(world.now() - 1000),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    return {**payload, "user": user(one)} if full else payload


def _bot_role_id(guild: Guild) -> str:
    return str(int(guild.id) + 1)


def _role_id(guild: Guild, permissions: int) -> str:
    """The role of members with these permissions."""
    return str(int(guild.id) + 1000 + permissions % 1_000_003)


def member_role(guild: Guild, permissions: int) -> Json:
    """The role that gives members these permissions."""
    id = _role_id(guild, permissions)
    return _role(id, f"members {permissions}", permissions)


def _role(id: str, name: str, permissions: int, **more: Any) -> Json:
    return {
        "id": id,
        "name": name,
        "color": 0,
        "colors": {
            "primary_color": 0,
            "secondary_color": None,
            "tertiary_color": None,
        },
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": 0,
        "permissions": str(permissions),
        "managed": False,
        "mentionable": False,
        "flags": 0,
        **more,
    }


def guild(world: World, guild: Guild) -> Json:
    """A guild as GUILD_CREATE tells it, with the bot's own role."""
    mine = [
        channel
        for channel in world.channels.values()
        if channel.guild == guild.id
    ]
    bot_role = _role(
        _bot_role_id(guild),
        "Easel",
        guild.bot_permissions,
        managed=True,
        position=1,
        tags={"bot_id": world.bot.id},
    )
    held = {ORDINARY, *guild.permissions.values()}
    members = [member_role(guild, permissions) for permissions in sorted(held)]
    return {
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "roles": [_role(guild.id, "@everyone", 0), bot_role, *members],
        "emojis": [],
        "stickers": [],
        "features": [],
        "mfa_level": 0,
        "nsfw_level": 0,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "premium_tier": guild.premium_tier,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": guild.locale,
        "max_members": 500000,
        "joined_at": stamp(world.now() - 1000),
        "large": False,
        "unavailable": False,
        "member_count": len(guild.permissions) + 1,
        "voice_states": [],
        "members": [member(world, guild, world.bot)],
        "channels": [
            channel(world, room) for room in mine if not room.is_thread
        ],
        "threads": [
            channel(world, room)
            for room in mine
            if room.is_thread and not room.archived
        ],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def channel(world: World, channel: Channel) -> Json:
    """A channel, thread or direct message."""
    said = [
        payload
        for payload in world.messages
        if payload.channel == channel.id and not payload.only_for
    ]
    last = said[-1].id if said else None
    if channel.kind == DM:
        recipients = [user(world.users[channel.recipient])]
        return {
            "id": channel.id,
            "type": DM,
            "recipients": recipients,
            "last_message_id": last,
            "flags": 0,
        }
    if channel.kind == GROUP:
        people = [
            user(world.users[member]) for member in sorted(channel.members)
        ]
        payload: Json = {
            "id": channel.id,
            "type": GROUP,
            "recipients": people,
            "last_message_id": last,
            "flags": 0,
        }
        return {
            **payload,
            "name": channel.name or None,
            "icon": None,
            "owner_id": channel.owner,
        }
    common: Json = {
        "id": channel.id,
        "type": channel.kind,
        "name": channel.name,
        "guild_id": channel.guild,
        "parent_id": channel.parent or None,
        "last_message_id": last,
        "rate_limit_per_user": 0,
        "flags": 16 if channel.tags_required else 0,
    }
    return common | (
        _thread(world, channel, said)
        if channel.is_thread
        else _room(world, channel)
    )


def _room(world: World, channel: Channel) -> Json:
    role = _bot_role_id(world.guilds[channel.guild])
    denied = (
        [{"id": role, "type": 0, "allow": "0", "deny": str(channel.denied)}]
        if channel.denied
        else []
    )
    payload: Json = {
        "position": 0,
        "topic": None,
        "nsfw": channel.nsfw,
        "permission_overwrites": denied,
    }
    if channel.kind == VOICE:
        payload |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if channel.kind == FORUM:
        payload |= {
            "available_tags": [],
            "default_reaction_emoji": None,
            "default_sort_order": None,
        }
        payload |= {"default_forum_layout": 0}
    return payload


def _thread(world: World, channel: Channel, said: list[Message]) -> Json:
    me = {
        "id": channel.id,
        "user_id": world.bot.id,
        "join_timestamp": stamp(world.now()),
        "flags": 0,
    }
    return {
        **({"member": me} if world.bot.id in channel.members else {}),
        "owner_id": channel.owner,
        "message_count": len(said),
        "member_count": len(channel.members),
        "total_message_sent": len(said),
        "applied_tags": [],
        "thread_metadata": {
            "archived": channel.archived,
            "locked": channel.locked,
            "auto_archive_duration": channel.auto_archive,
            "archive_timestamp": stamp(world.now()),
            "create_timestamp": stamp(world.now()),
        },
    }


def partial_channel(world: World, one: Channel, permissions: int) -> Json:
    """A channel as an interaction describes it."""
    payload = channel(world, one)
    payload.pop("permission_overwrites", None)
    return (
        payload
        if one.kind in {DM, GROUP}
        else {**payload, "permissions": str(permissions)}
    )


def attachment(world: World, attachment: Attachment) -> Json:
    """An attachment, with a fresh link."""
    link = world.link(attachment)
    payload: Json = {
        "id": attachment.id,
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": link,
        "proxy_url": link,
        "content_type": attachment.content_type,
        "content_scan_version": 2,
        "flags": 1 << 3 if attachment.spoiler else 0,
    }
    if attachment.size:
        payload |= {
            "width": attachment.size[0],
            "height": attachment.size[1],
            "placeholder": "abc",
            "placeholder_version": 1,
        }
    if attachment.description:
        payload["description"] = attachment.description
    return (
        {**payload, "ephemeral": True} if attachment.is_ephemeral else payload
    )


def message(
    world: World, message: Message, *, nonce: bool = False, depth: int = 1
) -> Json:
    """A message in full."""
    referenced: set[str] = set()
    embeds = [
        _with_links(world, message, embed, referenced)
        for embed in message.embeds
    ]
    components = [
        _with_links(world, message, payload, referenced)
        for payload in _with_numbers(message.components)
    ]
    place = world.channels[message.channel]
    payload: Json = {
        "id": message.id,
        "channel_id": message.channel,
        "author": user(world.users[message.author]),
        "content": message.content,
        "timestamp": stamp(message.created),
        "edited_timestamp": None
        if message.edited is None
        else stamp(message.edited),
        "tts": False,
        "mention_everyone": message.mention_everyone,
        "mentions": [
            user(world.users[mention])
            for mention in message.mentions
            if mention in world.users
        ],
        "mention_roles": message.mention_roles,
        "attachments": [
            attachment(world, file)
            for file in message.attachments
            if file.filename not in referenced
        ],
        "embeds": embeds,
        "components": components,
        "pinned": False,
        "type": message.kind,
        "flags": message.flags,
    }
    if nonce and message.nonce:
        payload["nonce"] = message.nonce
    if message.reactions:
        payload["reactions"] = [
            _reaction(world, name, reaction)
            for name, reaction in message.reactions.items()
        ]
    if message.snapshots:
        payload["message_snapshots"] = message.snapshots
    if message.id in world.channels and place.id != message.id:
        payload["thread"] = channel(world, world.channels[message.id])
    return (
        payload
        | _of_interaction(world, message)
        | _referring(world, message, depth)
    )


def _reaction(world: World, name: str, who: list[str]) -> Json:
    return {
        "count": len(who),
        "me": world.bot.id in who,
        "me_burst": False,
        "emoji": {"id": None, "name": name},
        "count_details": {"burst": 0, "normal": len(who)},
        "burst_colors": [],
    }


def _of_interaction(world: World, message: Message) -> Json:
    if message.interaction is None:
        return {}
    return {
        "webhook_id": world.app,
        "application_id": world.app,
        "interaction_metadata": interaction_metadata(
            world, message.interaction
        ),
    }


def interaction_metadata(world: World, interaction: Interaction) -> Json:
    """What a message says of the interaction that made it."""
    payload: Json = {
        "id": interaction.id,
        "type": interaction.kind,
        "user": user(world.users[interaction.user]),
        "authorizing_integration_owners": interaction.owners,
    }
    if interaction.kind == MODAL:
        payload["triggering_interaction_metadata"] = {
            **payload,
            "type": 2,
            "name": interaction.name or "edit",
        }
    elif interaction.message is not None:
        payload["interacted_message_id"] = interaction.message.id
    elif interaction.name:
        payload["name"] = interaction.name
    return payload


def _referring(world: World, one: Message, depth: int) -> Json:
    if one.reference is None:
        return {}
    payload: Json = {"message_reference": one.reference}
    if depth and one.reference.get("type", 0) == 0:
        try:
            original = world.find(
                one.reference["channel_id"], one.reference["message_id"]
            )
        except No:
            return {**payload, "referenced_message": None}
        payload["referenced_message"] = message(
            world, original, depth=depth - 1
        )
    return payload


def _with_numbers(components: list[Json]) -> list[Json]:
    """With the ids Discord gives to components that have none."""
    for number, component in enumerate(walk(components), 1):
        component.setdefault("id", number)
    return components


def _with_links(
    world: World, message: Message, found: Any, shown: set[str]
) -> Any:
    """Put links in place of attachment://.

    Their names are noted, as they are no attachments any more.
    """
    if isinstance(found, list):
        return [_with_links(world, message, part, shown) for part in found]
    if not isinstance(found, dict):
        return found
    url = found.get("url")
    if isinstance(url, str) and url.startswith("attachment://"):
        name = url.removeprefix("attachment://")
        for file in message.attachments:
            if file.filename == name:
                shown.add(name)
                described = attachment(world, file)
                fields = (
                    "url",
                    "proxy_url",
                    "width",
                    "height",
                    "content_type",
                )
                return {
                    **found,
                    **{
                        key: described[key]
                        for key in fields
                        if key in described
                    },
                    "attachment_id": file.id,
                }
    return {
        key: _with_links(world, message, part, shown)
        for key, part in found.items()
    }


def may_read(world: World, message: Message) -> bool:
    """Whether our app gets the content of a message."""
    if (
        world.content_granted
        or message.author == world.bot.id
        or not message.guild
        or world.bot.id in _written(world, message)
    ):
        return True
    if message.reference is None or world.bot.id not in message.mentions:
        return False
    try:
        message = world.find(
            message.reference["channel_id"], message.reference["message_id"]
        )
    except No:
        return False
    return message.author == world.bot.id and message.interaction is None


def _written(world: World, message: Message) -> list[str]:
    return [
        mention
        for mention in message.mentions
        if f"<@{mention}>" in message.content
        or f"<@!{mention}>" in message.content
    ]


def readable(
    world: World, message: Message, told: Json, *, intent: bool = False
) -> Json:
    """A message as an app without the content intent gets it: empty unless exempt.

    The message it answers follows the same rule.
    """
    payload = dict(told)
    if not intent and not may_read(world, message):
        payload |= {
            "content": "",
            "embeds": [],
            "attachments": [],
            "components": [],
        }
        payload.pop("message_snapshots", None)
    quoted = payload.get("referenced_message")
    for sent in world.messages:
        if quoted and sent.id == quoted["id"]:
            payload["referenced_message"] = readable(
                world, sent, quoted, intent=intent
            )
    return payload


def app_permissions(world: World, channel: Channel) -> int:
    """What an interaction says the app may do there."""
    return world.bot_permissions(channel) or USE_EXTERNAL_APPS
