"""What Discord delivers → Request; pure.

The workspace is the guild of the event, the key Discord's own id of it.

A direct message is a workspace of its own; both it and its channel are written "@" and the
channel's id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord

from core.button_ids import decode_button
from core.errors import Rejected
from core.forms import FUNCTION
from core.operations import BUTTONS, COMMANDS
from core.post import ButtonKind
from core.text import clean, has_words
from core.types import Action, Attachment, Person, Place, Request

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
PICTURES = ("picture1", "picture2", "picture3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button or menu entry: what it does; ``request`` is aimed already."""

    kind: ButtonKind
    request: Request


# Interactions


def command(interaction: discord.Interaction) -> Request:
    """A slash command with its typed options. Raises Rejected for one we never registered."""
    data = data_of(interaction)
    name, given = _flat(data)
    typed = TYPED.get(name)
    if typed is None:
        raise Rejected(
            "grammar.no_command", word=name[:40], allowed=[f"/{one}" for one in TYPED]
        )
    files = _resolved(data)
    mask = files.get(str(given.pop("mask-picture", "")))
    named = [str(given.pop(name)) for name in PICTURES if name in given]
    text = next(
        (
            str(given.pop(one))
            for one in ("prompt", "instruction", "id", "number")
            if one in given
        ),
        "",
    )
    action = Action.INPAINT if typed is Action.EDIT and mask else typed
    return _asked(
        interaction,
        action,
        text=plain(text),
        given={
            name: _value(value) for name, value in given.items() if value is not False
        },
        attachments=tuple(files[one] for one in named if one in files),
        mask=mask,
    )


def shortcut(interaction: discord.Interaction) -> Request:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    data = data_of(interaction)
    target = str(data.get("target_id", ""))
    message = (data.get("resolved") or {}).get("messages", {}).get(target) or {}
    pictures = shown_in({**message, "id": target}, str(interaction.channel_id or ""))
    return _asked(interaction, Action.EDIT, message=target, attachments=pictures)


def pressed(interaction: discord.Interaction) -> Pressed:
    """A button or a menu of a message of ours. Raises Rejected for an id we never made."""
    kind, step, index = decode_button(chosen(interaction))
    request = _asked(
        interaction, BUTTONS.get(kind, Action.HELP), target=step, index=index
    )
    return Pressed(kind=kind, request=request)


def filled(interaction: discord.Interaction) -> Request:
    """A modal sent back.

    What it was asked for is looked up by ``reply["asked"]`` (chat.complete).
    """
    data = data_of(interaction)
    found = MODAL.fullmatch(str(data.get("custom_id", "")))
    if found is None:
        raise Rejected("button.unknown")
    files, fields = _resolved(data), {}
    attachments: list[Attachment] = []
    mask = None
    for name, value in _fields(data.get("components") or ()):
        if name in {"pictures", "mask_picture"}:
            chosen = [files[str(one)] for one in value or () if str(one) in files]
            attachments += chosen if name == "pictures" else []
            mask = mask or (chosen[0] if chosen and name == "mask_picture" else None)
        else:
            fields[name] = _value(value)
    return _asked(
        interaction,
        Action.EDIT,
        text=plain(fields.pop("prompt", "")),
        given=fields,
        attachments=tuple(attachments),
        mask=mask,
        asked=found[1],
    )


def opened(interaction: discord.Interaction) -> tuple[Request, int] | None:
    """The button that opens a page of a form: whose it is, and which page.

    None for any other button.
    """
    found = PAGE.fullmatch(chosen(interaction))
    return (
        (_asked(interaction, Action.EDIT, asked=found[1]), int(found[2]))
        if found
        else None
    )


def merged(request: Request, asked: Request) -> Request:
    """What was filled in, on top of what it was asked for."""
    kept = {
        name: value for name, value in asked.given.items() if name not in request.given
    }
    given = {**kept, **settled(request.given, asked.action)}
    function = given.pop(FUNCTION, "")
    named = f"wanx.{function}"
    return replace(
        request,
        place=asked.place,
        action=Action(named) if named in set(Action) else asked.action,
        given=given,
        attachments=asked.attachments + request.attachments,
        mask=request.mask or asked.mask,
        target=asked.target,
        index=asked.index,
        reply={name: value for name, value in request.reply.items() if name != "asked"},
        is_admin=asked.is_admin,
    )


def settled(given: Mapping[str, str], action: Action) -> dict[str, str]:
    """Settings need the empty fields, which go back to defaults; elsewhere they say nothing.

    Ticks are yes or "".
    """
    if action is Action.SETTINGS:
        return {
            name: {"true": "yes", "false": ""}.get(value, value)
            for name, value in given.items()
        }
    return {
        name: "" if value == "true" else value
        for name, value in given.items()
        if value not in {"", "false"}
    }


def may_post(interaction: discord.Interaction, request: Request) -> bool:
    """May this person post pictures where they ask? Where they may not, we do not for them."""
    if interaction.guild_id is None:
        return True
    needed = (
        "send_messages_in_threads" if request.place.thread else "send_messages",
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


def reply_of(interaction: discord.Interaction, asked: str = "") -> dict[str, str]:
    """What it takes to answer; ``only``.

    Somebody brought us along, and we have no other voice there.
    """
    message = interaction.message if interaction.guild_id is None else None
    reply = {
        "interaction": str(interaction.id),
        "app": str(interaction.application_id),
        "token": interaction.token,
        "asked": asked,
        "pressed": str(message.id) if message else "",
        "only": "" if _is_member(interaction) else "yes",
    }
    return {name: value for name, value in reply.items() if value}


def _asked(
    interaction: discord.Interaction, action: Action, *, asked: str = "", **more: Any
) -> Request:
    guild = interaction.guild_id
    return Request(
        key=f"interaction:{interaction.id}",
        place=place(interaction.channel, interaction.channel_id, guild),
        person=_person(interaction.user),
        locale=str(interaction.locale),
        action=action,
        reply=reply_of(interaction, asked),
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


def said(message: discord.Message, us: int) -> Request | None:
    """A message that may be meant for us.

    In a direct message, mentioning us, replying, or in a thread; else None.

    ``reply["look"]`` names the message replied to, where what it shows is still to be looked up;
    ``reply["where"]`` is "unknown" for a thread we have not heard of since we connected: one that
    was archived.
    """
    if not _is_said(message):
        return None
    guild = message.guild.id if message.guild else None
    where = place(message.channel, message.channel.id, guild)
    is_unknown = guild is not None and isinstance(
        message.channel, discord.PartialMessageable
    )
    mentioned = {one.id for one in message.mentions}
    to_us = guild is None or us in mentioned
    answered = (
        message.reference.message_id
        if message.reference and message.type is discord.MessageType.reply
        else None
    )
    author, shown = _answered(message)
    words, pictures = plain(message.content), _attached(message)
    if not to_us:
        others = mentioned or (answered and author != us)
        if (
            others
            or not (where.thread or answered or is_unknown)
            or not (has_words(words) or pictures)
        ):
            return None
    looks = answered is not None and author != us and not (pictures or shown)
    reply = {
        "message": str(message.id),
        "look": str(answered) if looks else "",
        "where": "unknown" if is_unknown else "",
    }
    return Request(
        key=f"message:{message.channel.id}:{message.id}",
        place=where,
        person=_person(message.author),
        locale="",
        action=Action.SAID,
        text=words,
        attachments=pictures or (() if author == us else shown),
        message=str(answered) if answered and author == us else "",
        reply={name: value for name, value in reply.items() if value},
        is_admin=_runs_it(getattr(message.author, "guild_permissions", None)),
        to_us=to_us,
    )


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


def _answered(message: discord.Message) -> tuple[int | None, tuple[Attachment, ...]]:
    """Who wrote the message replied to, and its pictures.

    Nobody when Discord did not send it along.
    """
    found = message.reference.resolved if message.reference else None
    return (
        (found.author.id, _attached(found))
        if isinstance(found, discord.Message)
        else (None, ())
    )


def reacted(
    event: discord.RawReactionActionEvent, channel: Channel, us: int
) -> Request | None:
    """A reaction added or taken away.

    None when it is our own, a bot's, or to somebody else's message.
    """
    member = event.member
    if event.user_id == us or (member is not None and member.bot):
        return None
    if event.message_author_id is not None and event.message_author_id != us:
        return None
    emoji = event.emoji.name or ""
    added = event.event_type == "REACTION_ADD"
    return Request(
        key=f"reaction:{event.message_id}:{event.user_id}:{emoji[:40]}:",
        place=place(channel, event.channel_id, event.guild_id),
        person=_person(member) if member else Person(id=str(event.user_id), name=""),
        locale="",
        action=Action.REACTED,
        text=emoji[:100],
        message=str(event.message_id),
        reply={"where": "unknown"}
        if channel is None and event.guild_id is not None
        else {},
        is_admin=_runs_it(member.guild_permissions if member else None),
        added=added,
    )


def left(guild: int, member_since: int = 0) -> Request:
    """We were removed from a guild.

    Whoever is invited again and leaves again is forgotten again.
    """
    return Request(
        key=f"left:{guild}:{member_since}",
        place=Place(platform=PLATFORM, workspace=str(guild), channel=""),
        person=Person(id="", name=""),
        locale="",
        action=Action.LEFT,
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
