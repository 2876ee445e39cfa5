"""What Discord delivers → Incoming; pure, facts only.

The workspace is the guild of the event, the key Discord's own id of it.

A direct message is a workspace of its own; both it and its channel are written "@" and the
channel's id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import discord

from adapters.discord.reply import DiscordReply
from core.errors import Rejected
from core.incoming import Incoming, Kind, Mentions, Quoted
from core.operations import COMMANDS
from core.text import clean
from core.types import Attachment, Person, Place

PLATFORM = "discord"
DIRECT = "@"
MODAL = re.compile(r"m1:([0-9]{1,20})")
PAGE = re.compile(r"p1:([0-9]{1,20}):([0-9]{1,2})")
"""Ids of a modal and of the button that opens one: the interaction that asked, and which page of
the form."""
MENTION = re.compile(r"<(?:@[!&]?|#)[0-9]{1,20}>|<(/[^:>]{1,100}):[0-9]{1,20}>")
EMOJI = re.compile(r"<a?:(\w{1,32}):[0-9]{1,20}>")
MOST_PICTURES = 10
TYPED = {command.written: action for action, command in COMMANDS.items()}
IMAGE_NAMES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tiff",
    ".tif",
    ".heic",
    ".heif",
    ".avif",
)
SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
"""Kinds of message that are a person's words."""
Channel = Any
"""A channel as discord.py knows it, a bare one by its id, or None."""
WORDS = ("prompt", "instruction", "id", "number")
"""Options that are the words of a command."""
PICTURES = ("picture1", "picture2", "picture3")


# Interactions


def command(interaction: discord.Interaction) -> Incoming:
    """A slash command with its typed options. Raises Rejected for one we never registered."""
    data = data_of(interaction)
    name, options = _flat(data)
    typed = TYPED.get(name)
    if typed is None:
        raise Rejected(
            "grammar.no_command", word=name[:40], allowed=[f"/{one}" for one in TYPED]
        )
    files = _resolved(data)
    mask = files.get(str(options.pop("mask-picture", "")))
    pictures = [str(options.pop(name)) for name in PICTURES if name in options]
    # The first of them alone: any other is an option that the command does not have.
    words = [name for name in WORDS if name in options][:1]
    text = plain(str(options.pop(words[0]))) if words else ""
    return _asked(
        interaction,
        Kind.COMMAND,
        operation=typed.value,
        words=text,
        fields={
            name: _value(value) for name, value in options.items() if value is not False
        },
        attachments=tuple(files[id] for id in pictures if id in files),
        mask=mask,
    )


def shortcut(interaction: discord.Interaction) -> Incoming:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    data = data_of(interaction)
    target = str(data.get("target_id", ""))
    message = (data.get("resolved") or {}).get("messages", {}).get(target) or {}
    pictures = shown_in({**message, "id": target}, str(interaction.channel_id or ""))
    return _asked(
        interaction, Kind.SHORTCUT, answers=Quoted(message=target, pictures=pictures)
    )


def pressed(interaction: discord.Interaction) -> Incoming:
    """A button or a menu of a message of ours."""
    return _asked(interaction, Kind.BUTTON, button=chosen(interaction))


def filled(interaction: discord.Interaction) -> Incoming:
    """A modal sent back.

    What it was asked for is looked up by the reply's ``asked`` (chat.complete).
    """
    data = data_of(interaction)
    modal = MODAL.fullmatch(str(data.get("custom_id", "")))
    if modal is None:
        raise Rejected("button.unknown")
    files, fields = _resolved(data), {}
    pictures: list[Attachment] = []
    masks: list[Attachment] = []
    for name, value in _fields(data.get("components") or ()):
        if name in {"pictures", "mask_picture"}:
            attached = [files[str(id)] for id in value or () if str(id) in files]
            (pictures if name == "pictures" else masks).extend(attached)
        else:
            fields[name] = _value(value)
    return _asked(
        interaction,
        Kind.FORM,
        asked=modal[1],
        words=plain(fields.pop("prompt", "")),
        fields=fields,
        attachments=tuple(pictures),
        mask=masks[0] if masks else None,
    )


def opened(interaction: discord.Interaction) -> tuple[Incoming, int] | None:
    """The button that opens a page of a form: whose it is, and which page.

    None for any other button.
    """
    page = PAGE.fullmatch(chosen(interaction))
    if page is None:
        return None
    return _asked(interaction, Kind.FORM, asked=page[1]), int(page[2])


def merged(incoming: Incoming, draft: Incoming) -> Incoming:
    """What was filled in, on top of what it was asked for."""
    reply = replace(DiscordReply.read(incoming.reply), asked="")
    return replace(
        incoming,
        place=draft.place,
        operation=draft.operation,
        fields={**draft.fields, **incoming.fields},
        attachments=draft.attachments + incoming.attachments,
        mask=incoming.mask or draft.mask,
        target=draft.target,
        index=draft.index,
        reply=reply.to_json(),
        is_admin=draft.is_admin,
    )


def may_post(interaction: discord.Interaction, incoming: Incoming) -> bool:
    """May this person post pictures where they ask? Where they may not, we do not for them."""
    if interaction.guild_id is None:
        return True
    needed = (
        "send_messages_in_threads" if incoming.place.thread else "send_messages",
        "attach_files",
    )
    return all(getattr(interaction.permissions, one) for one in needed)


def data_of(interaction: discord.Interaction) -> Mapping[str, Any]:
    """What was chosen, as Discord tells it."""
    return interaction.data or {}


def chosen(interaction: discord.Interaction) -> str:
    """The id of the button pressed, or of the entry chosen."""
    data = data_of(interaction)
    values = data.get("values") or [data.get("custom_id")]
    return str(values[0])


def reply_of(interaction: discord.Interaction, asked: str = "") -> DiscordReply:
    """What it takes to answer."""
    message = interaction.message if interaction.guild_id is None else None
    return DiscordReply(
        interaction=str(interaction.id),
        app=str(interaction.application_id),
        token=interaction.token,
        asked=asked,
        pressed=str(message.id) if message else "",
        only=not _is_member(interaction),
    )


def _asked(
    interaction: discord.Interaction, kind: Kind, *, asked: str = "", **more: Any
) -> Incoming:
    guild = interaction.guild_id
    return Incoming(
        key=f"interaction:{interaction.id}",
        kind=kind,
        place=place(interaction.channel, interaction.channel_id, guild),
        person=_person(interaction.user),
        locale=str(interaction.locale),
        may_show_form=True,
        reply=reply_of(interaction, asked).to_json(),
        is_admin=guild is not None and _runs_it(interaction.permissions),
        **more,
    )


def _is_member(interaction: discord.Interaction) -> bool:
    """Are we there ourselves, or did somebody bring us along (a user install)?"""
    if interaction.guild_id is None:
        return interaction.context.dm_channel is not False
    return (
        interaction.is_guild_integration()
        or interaction.client.get_guild(interaction.guild_id) is not None
    )


# Messages and reactions


def said(message: discord.Message, us: int) -> Incoming | None:
    """A person's message, None for any other."""
    if not _is_said(message):
        return None
    guild = message.guild.id if message.guild else None
    # A thread that was archived when we connected: we have not heard of it since.
    is_unknown = guild is not None and isinstance(
        message.channel, discord.PartialMessageable
    )
    return Incoming(
        key=f"message:{message.channel.id}:{message.id}",
        kind=Kind.MESSAGE,
        place=place(message.channel, message.channel.id, guild),
        person=_person(message.author),
        is_direct=guild is None,
        words=plain(message.content),
        mentions=_mentions(message, us),
        attachments=_attached(message),
        answers=_answered(message, us),
        is_place_known=not is_unknown,
        reply=DiscordReply(message=str(message.id)).to_json(),
        is_admin=_runs_it(getattr(message.author, "guild_permissions", None)),
    )


def _mentions(message: discord.Message, us: int) -> Mentions:
    people = {user.id for user in message.mentions}
    ours = {role.id for role in message.role_mentions if _is_own_role(role, us)}
    groups = set(message.raw_role_mentions) - ours
    return Mentions(
        us=us in people or bool(ours),
        people=bool(people - {us}),
        groups=bool(groups) or message.mention_everyone,
    )


def _is_own_role(role: discord.Role, us: int) -> bool:
    """Discord makes a role of the bot's name when it is invited; people often pick that."""
    return role.tags is not None and role.tags.bot_id == us


def _is_said(message: discord.Message) -> bool:
    """Are these a person's words, said where we are?"""
    # Words from a guild that we have left are no direct message.
    is_elsewhere = (
        message.guild is None and getattr(message.channel, "guild_id", None) is not None
    )
    return (
        not (message.author.bot or message.webhook_id or is_elsewhere)
        and message.type in SPOKEN
    )


def _answered(message: discord.Message, us: int) -> Quoted | None:
    """The message replied to; its author unknown when Discord did not send it along."""
    reference = message.reference
    is_reply = message.type is discord.MessageType.reply
    if reference is None or reference.message_id is None or not is_reply:
        return None
    number = str(reference.message_id)
    answered = reference.resolved
    if not isinstance(answered, discord.Message):
        return Quoted(message=number)
    is_ours = answered.author.id == us
    pictures = () if is_ours else _attached(answered)
    author = str(answered.author.id)
    return Quoted(message=number, author=author, is_ours=is_ours, pictures=pictures)


def reacted(
    event: discord.RawReactionActionEvent, channel: Channel, us: int
) -> Incoming | None:
    """A reaction added or taken away; None when it is our own, or a bot's."""
    member = event.member
    if event.user_id == us or (member is not None and member.bot):
        return None
    emoji = event.emoji.name or ""
    author = event.message_author_id
    answered = Quoted(
        message=str(event.message_id), is_ours=None if author is None else author == us
    )
    return Incoming(
        key=f"reaction:{event.message_id}:{event.user_id}:{emoji[:40]}:",
        kind=Kind.REACTION,
        place=place(channel, event.channel_id, event.guild_id),
        person=_person(member) if member else Person(id=str(event.user_id), name=""),
        answers=answered,
        emoji=emoji[:100],
        is_added=event.event_type == "REACTION_ADD",
        is_place_known=channel is not None or event.guild_id is None,
        is_admin=_runs_it(member.guild_permissions if member else None),
    )


def left(guild: int, member_since: int = 0) -> Incoming:
    """We were removed from a guild.

    Whoever is invited again and leaves again is forgotten again.
    """
    return Incoming(
        key=f"left:{guild}:{member_since}",
        kind=Kind.REMOVED,
        place=Place(platform=PLATFORM, workspace=str(guild), channel=""),
        person=Person(id="", name=""),
    )


# Nouns


def place(channel: Channel, channel_id: int | None, guild: int | None) -> Place:
    """Where it is: a thread stands in its parent; a direct message is a workspace of its own."""
    if guild is None:
        direct = f"{DIRECT}{channel_id or ''}"
        return Place(platform=PLATFORM, workspace=direct, channel=direct)
    parent = (
        getattr(channel, "parent_id", None)
        if isinstance(channel, discord.Thread)
        else None
    )
    inside = str(channel_id or "")
    return Place(
        platform=PLATFORM,
        workspace=str(guild),
        channel=str(parent or inside),
        thread=inside if parent else "",
    )


def plain(text: str) -> str:
    """The words as they are read: mentions fall away, emoji of a guild's own by their name."""
    return clean(EMOJI.sub(r":\1:", MENTION.sub(lambda found: found[1] or "", text)))


def _file(one: Mapping[str, Any], channel: str, message: str) -> Attachment:
    size = one.get("size")
    return Attachment(
        ref=f"{channel} {message} {one.get('id', '')} {one.get('url', '')}",
        name=str(one.get("filename") or "")[:80],
        size=size if isinstance(size, int) and size >= 0 else None,
    )


def shown_in(message: Mapping[str, Any], channel: str) -> tuple[Attachment, ...]:
    """Pictures of a message as Discord's API tells of it.

    Its files, what its embeds show, what it forwards.
    """
    own = str(message.get("id", ""))
    sources = [
        message,
        *(one.get("message") or {} for one in message.get("message_snapshots") or ()),
    ]
    found = [
        (_file(one, channel, own), _kind(one))
        for source in sources
        for one in source.get("attachments") or ()
    ]
    embeds = [one for source in sources for one in source.get("embeds") or ()]
    shown = [
        (one.get("image") or one.get("thumbnail") or {}).get("proxy_url")
        for one in embeds
    ]
    return _pictures(
        found + [(_embedded(url, channel, own), "image/") for url in shown if url]
    )


def _kind(one: Mapping[str, Any]) -> str:
    kind = str(one.get("content_type") or "")
    return kind or (
        "image/" if str(one.get("filename", "")).lower().endswith(IMAGE_NAMES) else ""
    )


def _attached(message: discord.Message) -> tuple[Attachment, ...]:
    """Pictures of a message, what it forwards included."""
    channel, own = str(message.channel.id), str(message.id)
    sources: list[Any] = [message, *message.message_snapshots]
    files = [
        {**one.to_dict(), "size": one.size}
        for source in sources
        for one in source.attachments
    ]
    found = [(_file(one, channel, own), _kind(one)) for one in files]
    embeds = [one for source in sources for one in source.embeds]
    shown = [one.image.proxy_url or one.thumbnail.proxy_url for one in embeds]
    return _pictures(
        found + [(_embedded(url, channel, own), "image/") for url in shown if url]
    )


def _embedded(url: str, channel: str, message: str) -> Attachment:
    return Attachment(ref=f"{channel} {message}  {url}", name="embed")


def _pictures(found: Sequence[tuple[Attachment, str]]) -> tuple[Attachment, ...]:
    """The pictures; when there are none, whatever came, so that it is refused with words."""
    pictures = [one for one, kind in found if kind.startswith("image/")]
    return tuple((pictures or [one for one, _ in found])[:MOST_PICTURES])


def _resolved(data: Mapping[str, Any]) -> dict[str, Attachment]:
    """Files given with a command or a modal, by id. Discord keeps them for a while only."""
    found: Mapping[str, Any] = (data.get("resolved") or {}).get("attachments") or {}
    return {str(name): _file(one, "", "") for name, one in found.items()}


def _flat(data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The command as it is typed ("wanx style"), and its options by name."""
    name, options = str(data.get("name", "")), data.get("options") or []
    if (
        options
        and options[0].get("type") == discord.AppCommandOptionType.subcommand.value
    ):
        name, options = f"{name} {options[0]['name']}", options[0].get("options") or []
    return name, {str(one["name"]): one.get("value") for one in options}


def _fields(components: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Any]]:
    """What was filled in, by the field's id."""
    for one in components:
        inner = (
            one.get("component") or next(iter(one.get("components") or ()), None) or one
        )
        if "custom_id" in inner:
            yield (
                str(inner["custom_id"]),
                inner["values"] if "values" in inner else inner.get("value"),
            )


def _value(value: Any) -> str:
    """As the grammar reads it: yes is an option without a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(str(one) for one in value)
    return "" if value is None else clean(str(value))


def _runs_it(rights: discord.Permissions | None) -> bool:
    return rights is not None and (rights.manage_guild or rights.administrator)


def _person(user: Any) -> Person:
    name = clean(str(getattr(user, "display_name", "") or "")).replace("\n", " ")[:80]
    return Person(id=str(user.id), name=name or str(user.id))
