"""How Discord tells of its things: users, members, guilds, channels, messages."""

from datetime import UTC, datetime
from typing import Any

from tests.fakes.discord.things import (
    DM,
    FORUM,
    GROUP,
    MODAL,
    USE_EXTERNAL_APPS,
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


def user(one: User) -> Json:
    """A user."""
    return {
        "id": one.id,
        "username": one.name,
        "global_name": None if one.is_bot else one.name,
        "discriminator": "0000" if one.is_bot else "0",
        "avatar": None,
        "bot": one.is_bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
    }


def member(world: World, guild: Guild, one: User, *, full: bool = True) -> Json:
    """A member of a guild."""
    is_bot = one.id == world.bot.id
    found: Json = {
        "roles": [_bot_role_id(guild)] if is_bot else [],
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
    return {**found, "user": user(one)} if full else found


def _bot_role_id(guild: Guild) -> str:
    return str(int(guild.id) + 1)


def _role(id: str, name: str, permissions: int, **more: Any) -> Json:
    return {
        "id": id,
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
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


def guild(world: World, one: Guild) -> Json:
    """A guild as GUILD_CREATE tells it, with the bot's own role."""
    mine = [channel for channel in world.channels.values() if channel.guild == one.id]
    bot_role = _role(
        _bot_role_id(one),
        "Easel",
        one.bot_permissions,
        managed=True,
        position=1,
        tags={"bot_id": world.bot.id},
    )
    return {
        "id": one.id,
        "name": one.name,
        "owner_id": one.owner,
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
        "roles": [_role(one.id, "@everyone", 0), bot_role],
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
        "premium_tier": one.premium_tier,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": one.locale,
        "max_members": 500000,
        "joined_at": stamp(world.now() - 1000),
        "large": False,
        "unavailable": False,
        "member_count": len(one.permissions) + 1,
        "voice_states": [],
        "members": [member(world, one, world.bot)],
        "channels": [channel(world, found) for found in mine if not found.is_thread],
        "threads": [
            channel(world, found)
            for found in mine
            if found.is_thread and not found.archived
        ],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def channel(world: World, one: Channel) -> Json:
    """A channel, thread or direct message."""
    said = [
        found
        for found in world.messages
        if found.channel == one.id and not found.only_for
    ]
    last = said[-1].id if said else None
    if one.kind == DM:
        recipients = [user(world.users[one.recipient])]
        return {
            "id": one.id,
            "type": DM,
            "recipients": recipients,
            "last_message_id": last,
            "flags": 0,
        }
    if one.kind == GROUP:
        people = [user(world.users[who]) for who in sorted(one.members)]
        found: Json = {
            "id": one.id,
            "type": GROUP,
            "recipients": people,
            "last_message_id": last,
            "flags": 0,
        }
        return {**found, "name": one.name or None, "icon": None, "owner_id": one.owner}
    common: Json = {
        "id": one.id,
        "type": one.kind,
        "name": one.name,
        "guild_id": one.guild,
        "parent_id": one.parent or None,
        "last_message_id": last,
        "rate_limit_per_user": 0,
        "flags": 16 if one.tags_required else 0,
    }
    return common | (_thread(world, one, said) if one.is_thread else _room(world, one))


def _room(world: World, one: Channel) -> Json:
    role = _bot_role_id(world.guilds[one.guild])
    denied = (
        [{"id": role, "type": 0, "allow": "0", "deny": str(one.denied)}]
        if one.denied
        else []
    )
    found: Json = {
        "position": 0,
        "topic": None,
        "nsfw": one.nsfw,
        "permission_overwrites": denied,
    }
    if one.kind == FORUM:
        found |= {
            "available_tags": [],
            "default_reaction_emoji": None,
            "default_sort_order": None,
        }
        found |= {"default_forum_layout": 0}
    return found


def _thread(world: World, one: Channel, said: list[Message]) -> Json:
    me = {
        "id": one.id,
        "user_id": world.bot.id,
        "join_timestamp": stamp(world.now()),
        "flags": 0,
    }
    return {
        **({"member": me} if world.bot.id in one.members else {}),
        "owner_id": one.owner,
        "message_count": len(said),
        "member_count": len(one.members),
        "total_message_sent": len(said),
        "applied_tags": [],
        "thread_metadata": {
            "archived": one.archived,
            "locked": one.locked,
            "auto_archive_duration": one.auto_archive,
            "archive_timestamp": stamp(world.now()),
            "create_timestamp": stamp(world.now()),
        },
    }


def partial_channel(world: World, one: Channel, permissions: int) -> Json:
    """A channel as an interaction tells of it."""
    found = channel(world, one)
    found.pop("permission_overwrites", None)
    return (
        found if one.kind in {DM, GROUP} else {**found, "permissions": str(permissions)}
    )


def attachment(world: World, one: Attachment) -> Json:
    """An attachment, with a fresh link."""
    link = world.link(one)
    found: Json = {
        "id": one.id,
        "filename": one.filename,
        "size": len(one.data),
        "url": link,
        "proxy_url": link,
        "content_type": one.content_type,
        "content_scan_version": 2,
        "flags": 1 << 3 if one.spoiler else 0,
    }
    if one.size:
        found |= {
            "width": one.size[0],
            "height": one.size[1],
            "placeholder": "abc",
            "placeholder_version": 1,
        }
    if one.description:
        found["description"] = one.description
    return {**found, "ephemeral": True} if one.is_ephemeral else found


def message(world: World, one: Message, *, nonce: bool = False, depth: int = 1) -> Json:
    """A message in full."""
    shown: set[str] = set()
    embeds = [_resolved(world, one, embed, shown) for embed in one.embeds]
    components = [
        _resolved(world, one, found, shown) for found in _numbered(one.components)
    ]
    there = world.channels[one.channel]
    found: Json = {
        "id": one.id,
        "channel_id": one.channel,
        "author": user(world.users[one.author]),
        "content": one.content,
        "timestamp": stamp(one.created),
        "edited_timestamp": None if one.edited is None else stamp(one.edited),
        "tts": False,
        "mention_everyone": one.mention_everyone,
        "mentions": [
            user(world.users[mention])
            for mention in one.mentions
            if mention in world.users
        ],
        "mention_roles": one.mention_roles,
        "attachments": [
            attachment(world, file)
            for file in one.attachments
            if file.filename not in shown
        ],
        "embeds": embeds,
        "components": components,
        "pinned": False,
        "type": one.kind,
        "flags": one.flags,
    }
    if nonce and one.nonce:
        found["nonce"] = one.nonce
    if one.reactions:
        found["reactions"] = [
            _reaction(world, name, reaction) for name, reaction in one.reactions.items()
        ]
    if one.snapshots:
        found["message_snapshots"] = one.snapshots
    if one.id in world.channels and there.id != one.id:
        found["thread"] = channel(world, world.channels[one.id])
    return found | _of_interaction(world, one) | _referring(world, one, depth)


def _reaction(world: World, name: str, who: list[str]) -> Json:
    return {
        "count": len(who),
        "me": world.bot.id in who,
        "me_burst": False,
        "emoji": {"id": None, "name": name},
        "count_details": {"burst": 0, "normal": len(who)},
        "burst_colors": [],
    }


def _of_interaction(world: World, one: Message) -> Json:
    if one.interaction is None:
        return {}
    return {
        "webhook_id": world.app,
        "application_id": world.app,
        "interaction_metadata": interaction_metadata(world, one.interaction),
    }


def interaction_metadata(world: World, one: Interaction) -> Json:
    """What a message says of the interaction that made it."""
    found: Json = {
        "id": one.id,
        "type": one.kind,
        "user": user(world.users[one.user]),
        "authorizing_integration_owners": one.owners,
    }
    if one.kind == MODAL:
        found["triggering_interaction_metadata"] = {
            **found,
            "type": 2,
            "name": one.name or "edit",
        }
    elif one.message is not None:
        found["interacted_message_id"] = one.message.id
    elif one.name:
        found["name"] = one.name
    return found


def _referring(world: World, one: Message, depth: int) -> Json:
    if one.reference is None:
        return {}
    found: Json = {"message_reference": one.reference}
    if depth and one.reference.get("type", 0) == 0:
        try:
            there = world.find(one.reference["channel_id"], one.reference["message_id"])
        except No:
            return {**found, "referenced_message": None}
        found["referenced_message"] = message(world, there, depth=depth - 1)
    return found


def _numbered(components: list[Json]) -> list[Json]:
    """With the ids Discord gives to components that have none."""
    for number, one in enumerate(walk(components), 1):
        one.setdefault("id", number)
    return components


def _resolved(world: World, one: Message, found: Any, shown: set[str]) -> Any:
    """With links in place of attachment://.

    The names are noted, as they are no attachments any more.
    """
    if isinstance(found, list):
        return [_resolved(world, one, each, shown) for each in found]
    if not isinstance(found, dict):
        return found
    url = found.get("url")
    if isinstance(url, str) and url.startswith("attachment://"):
        name = url.removeprefix("attachment://")
        for file in one.attachments:
            if file.filename == name:
                shown.add(name)
                told = attachment(world, file)
                kept = ("url", "proxy_url", "width", "height", "content_type")
                return {
                    **found,
                    **{key: told[key] for key in kept if key in told},
                    "attachment_id": file.id,
                }
    return {key: _resolved(world, one, each, shown) for key, each in found.items()}


def may_read(world: World, one: Message) -> bool:
    """Whether our app is told what is in a message."""
    if (
        world.content_granted
        or one.author == world.bot.id
        or not one.guild
        or world.bot.id in _written(world, one)
    ):
        return True
    if one.reference is None or world.bot.id not in one.mentions:
        return False
    try:
        there = world.find(one.reference["channel_id"], one.reference["message_id"])
    except No:
        return False
    return there.author == world.bot.id and there.interaction is None


def _written(world: World, one: Message) -> list[str]:
    return [
        mention
        for mention in one.mentions
        if f"<@{mention}>" in one.content or f"<@!{mention}>" in one.content
    ]


def readable(world: World, one: Message, told: Json, *, intent: bool = False) -> Json:
    """As an app without the content intent gets it: empty unless exempt.

    The message it answers by the same rule.
    """
    found = dict(told)
    if not intent and not may_read(world, one):
        found |= {"content": "", "embeds": [], "attachments": [], "components": []}
        found.pop("message_snapshots", None)
    quoted = found.get("referenced_message")
    for there in world.messages:
        if quoted and there.id == quoted["id"]:
            found["referenced_message"] = readable(world, there, quoted, intent=intent)
    return found


def app_permissions(world: World, one: Channel) -> int:
    """What an interaction says the app may do there."""
    return world.bot_permissions(one) or USE_EXTERNAL_APPS
