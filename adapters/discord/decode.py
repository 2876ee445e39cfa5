"""What Discord delivers → Incoming; pure, facts only.

The workspace is the guild of the event, the key Discord's own id of it.

A direct message counts as a workspace; both it and its channel are written "@" and the
channel's id.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import discord

from adapters.discord import rights
from adapters.discord.entities import (
    PLATFORM,
    Channel,
    person_of,
    place,
    plain,
    runs_guild,
)
from adapters.discord.pictures import attachment, pictures_in, pictures_of
from adapters.discord.reply import DiscordReply
from core.errors import Rejected
from core.incoming import Incoming, Kind, Mentions, Quoted
from core.operations import COMMANDS
from core.text import clean
from core.types import Attachment, Person, Place

Row = Mapping[str, Any]
"""An object of Discord's JSON."""

MODAL = re.compile(r"m1:([0-9]{1,20})")
PAGE = re.compile(r"p1:([0-9]{1,20}):([0-9]{1,2})")
"""Ids of a modal and of the button that opens one: the interaction that asked, and which page of
the form."""
EVERYONE = re.compile(r"@(?:everyone|here)\b")
TYPED = {command.written: action for action, command in COMMANDS.items()}
SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
"""Kinds of messages that a person wrote."""
SUBCOMMAND = discord.AppCommandOptionType.subcommand.value
WORDS = ("prompt", "instruction", "id", "number", "page")
"""Options that are the words of a command."""
PICTURES = ("picture1", "picture2", "picture3")


# Interactions


def command(interaction: discord.Interaction) -> Incoming:
    """A slash command with its typed options. Raises Rejected for one never registered."""
    name, options = _flatten(data_of(interaction))
    if name not in TYPED:
        allowed = [f"/{written}" for written in TYPED]
        raise Rejected("grammar.no_command", word=name[:40], allowed=allowed)
    files = _resolved_files(interaction)
    mask_number = str(options.pop("mask-picture", ""))
    numbers = [str(options.pop(name)) for name in PICTURES if name in options]
    words = ""
    for option in WORDS:
        if option in options:
            # The first of them alone: any other is an option that the command does not have.
            words = plain(str(options.pop(option)))
            break
    return _interaction(
        interaction,
        Kind.COMMAND,
        operation=TYPED[name].value,
        words=words,
        fields=_option_texts(options),
        attachments=_attachments(files, numbers),
        mask=files.get(mask_number),
    )


def _option_texts(options: Mapping[str, Any]) -> dict[str, str]:
    """The options as text; a tick that was taken away is no option."""
    return {
        name: _field_text(value)
        for name, value in options.items()
        if value is not False
    }


def _attachments(
    files: Mapping[str, Attachment],
    numbers: Iterable[str],
) -> tuple[Attachment, ...]:
    return tuple(files[number] for number in numbers if number in files)


def shortcut(interaction: discord.Interaction) -> Incoming:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    data = data_of(interaction)
    number = str(data.get("target_id", ""))
    resolved = data.get("resolved") or {}
    messages = resolved.get("messages") or {}
    message_row = messages.get(number) or {}
    pointed = {**message_row, "id": number}
    channel = str(interaction.channel_id or "")
    pictures = pictures_in(pointed, channel)
    answers = Quoted(message=number, pictures=pictures)
    return _interaction(interaction, Kind.SHORTCUT, answers=answers)


def button(interaction: discord.Interaction) -> Incoming:
    """A button or a menu of the bot's message."""
    return _interaction(
        interaction,
        Kind.BUTTON,
        button=chosen_id(interaction),
    )


def form(interaction: discord.Interaction) -> Incoming:
    """A modal sent back.

    What it was asked for is looked up by the reply's ``asked`` (chat.complete).
    """
    data = data_of(interaction)
    custom_id = str(data.get("custom_id", ""))
    modal = MODAL.fullmatch(custom_id)
    if modal is None:
        raise Rejected("button.unknown")
    files = _resolved_files(interaction)
    components = data.get("components") or ()
    fields: dict[str, str] = {}
    pictures: tuple[Attachment, ...] = ()
    masks: tuple[Attachment, ...] = ()
    for name, value in _fields(components):
        if name == "pictures":
            pictures = _attachments(files, map(str, value or ()))
        elif name == "mask_picture":
            masks = _attachments(files, map(str, value or ()))
        else:
            fields[name] = _field_text(value)
    return _interaction(
        interaction,
        Kind.FORM,
        asked=modal[1],
        words=plain(fields.pop("prompt", "")),
        fields=fields,
        attachments=pictures,
        mask=masks[0] if masks else None,
    )


def form_page(interaction: discord.Interaction) -> tuple[Incoming, int] | None:
    """The button that opens a page of a form: the form's event, and which page.

    None for any other button.
    """
    page = PAGE.fullmatch(chosen_id(interaction))
    if page is None:
        return None
    incoming = _interaction(interaction, Kind.FORM, asked=page[1])
    number = int(page[2])
    return incoming, number


def merge(incoming: Incoming, draft: Incoming) -> Incoming:
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


def data_of(interaction: discord.Interaction) -> Row:
    """What was chosen, as Discord sent it."""
    return interaction.data or {}


def chosen_id(interaction: discord.Interaction) -> str:
    """The id of the button pressed, or of the entry chosen."""
    data = data_of(interaction)
    values = data.get("values") or [data.get("custom_id")]
    return str(values[0])


def reply_of(
    interaction: discord.Interaction,
    asked: str = "",
) -> DiscordReply:
    """What it takes to answer."""
    is_direct = interaction.guild_id is None
    message = interaction.message
    pressed = str(message.id) if message and is_direct else ""
    return DiscordReply(
        interaction=str(interaction.id),
        app=str(interaction.application_id),
        token=interaction.token,
        asked=asked,
        pressed=pressed,
        only=not _is_member(interaction),
    )


def _interaction(
    interaction: discord.Interaction,
    kind: Kind,
    *,
    asked: str = "",
    **facts: Any,
) -> Incoming:
    guild = interaction.guild_id
    is_in_charge = runs_guild(interaction.permissions)
    return Incoming(
        key=f"interaction:{interaction.id}",
        kind=kind,
        place=place(interaction.channel, interaction.channel_id, guild),
        person=person_of(interaction.user),
        locale=str(interaction.locale),
        may_show_form=True,
        reply=reply_of(interaction, asked).to_json(),
        is_admin=is_in_charge and guild is not None,
        closed=_closed(interaction),
        **facts,
    )


def _closed(interaction: discord.Interaction) -> str:
    """Why no picture may be posted there for this person, "" where it may."""
    if interaction.guild_id is None:
        return ""
    own_rights = None
    if _is_member(interaction):
        own_rights = interaction.app_permissions
    return rights.check_rights(
        interaction.permissions,
        own_rights,
        in_thread=rights.is_thread(interaction.channel),
    )


def _is_member(interaction: discord.Interaction) -> bool:
    """Is the bot a member there, or did a person bring it along (a user install)?"""
    if interaction.guild_id is None:
        return interaction.context.dm_channel is not False
    if interaction.is_guild_integration():
        return True
    return interaction.client.get_guild(interaction.guild_id) is not None


def _resolved_files(interaction: discord.Interaction) -> dict[str, Attachment]:
    """Files given with a command or a modal, by id. Discord keeps them for a while only."""
    resolved = data_of(interaction).get("resolved") or {}
    rows: Row = resolved.get("attachments") or {}
    files: dict[str, Attachment] = {}
    for number, row in rows.items():
        files[str(number)] = attachment(row)
    return files


def _flatten(data: Row) -> tuple[str, dict[str, Any]]:
    """The command as it is typed ("wanx style"), and its options by name."""
    name = str(data.get("name", ""))
    rows = data.get("options") or []
    if rows and rows[0].get("type") == SUBCOMMAND:
        subcommand = rows[0]
        name = f"{name} {subcommand['name']}"
        rows = subcommand.get("options") or []
    options: dict[str, Any] = {}
    for row in rows:
        option = str(row["name"])
        options[option] = row.get("value")
    return name, options


def _fields(
    components: Iterable[Row],
) -> Iterator[tuple[str, Any]]:
    """What was filled in, by the field's id."""
    for component in components:
        # A label holds one component, an action row a list of them.
        row = component.get("components") or [component]
        field = component.get("component") or row[0]
        if "custom_id" not in field:
            continue
        name = str(field["custom_id"])
        if "values" in field:
            yield name, field["values"]
        else:
            yield name, field.get("value")


def _field_text(value: Any) -> str:
    """As the grammar reads it; a tick is "true" or "false"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value is None else clean(str(value))


# Messages and reactions


def message(said: discord.Message, us: int) -> Incoming | None:
    """A person's message, None for any other."""
    if not _is_persons(said):
        return None
    guild = said.guild.id if said.guild else None
    channel = said.channel
    # A thread that was archived when the bot connected, and of which it has not heard since.
    is_partial = isinstance(channel, discord.PartialMessageable)
    is_unknown = guild is not None and is_partial
    server_rights = getattr(said.author, "guild_permissions", None)
    return Incoming(
        key=f"message:{channel.id}:{said.id}",
        kind=Kind.MESSAGE,
        place=place(channel, channel.id, guild),
        person=person_of(said.author),
        is_direct=guild is None,
        words=plain(said.content),
        mentions=_mentions(said, us),
        attachments=pictures_of(said),
        answers=_answered(said, us),
        is_place_known=not is_unknown,
        closed=rights.check_channel(channel, said.author),
        reply=DiscordReply(message=str(said.id)).to_json(),
        is_admin=runs_guild(server_rights),
    )


def _is_persons(said: discord.Message) -> bool:
    if said.author.bot or said.webhook_id or said.type not in SPOKEN:
        return False
    # Words from a guild that the bot has left come without it, but are no direct message.
    guild_id = getattr(said.channel, "guild_id", None)
    return said.guild is not None or guild_id is None


def _mentions(said: discord.Message, us: int) -> Mentions:
    # A reply also counts its author among the people mentioned: only the words name us.
    named = set(said.raw_mentions)
    people = named | {user.id for user in said.mentions}
    roles = set(said.raw_role_mentions)
    own_roles = {
        role.id for role in said.role_mentions if _is_own_role(role, us)
    }
    # Without the right to it nobody is called, but it is said to all the same.
    names_everyone = EVERYONE.search(said.content) is not None
    is_to_all = said.mention_everyone or names_everyone
    others = people - {us}
    other_roles = roles - own_roles
    return Mentions(
        us=us in named or bool(own_roles),
        people=bool(others),
        groups=bool(other_roles) or is_to_all,
    )


def _is_own_role(role: discord.Role, us: int) -> bool:
    """Discord makes a role of the bot's name when it is invited; people often pick that."""
    return role.tags is not None and role.tags.bot_id == us


def _answered(said: discord.Message, us: int) -> Quoted | None:
    """The message replied to; its author unknown when Discord did not send it along."""
    reference = said.reference
    if said.type is not discord.MessageType.reply:
        return None
    if reference is None or reference.message_id is None:
        return None
    number = str(reference.message_id)
    answered = reference.resolved
    if not isinstance(answered, discord.Message):
        return Quoted(message=number)
    is_ours = answered.author.id == us
    return Quoted(
        message=number,
        author=str(answered.author.id),
        is_ours=is_ours,
        pictures=() if is_ours else pictures_of(answered),
    )


def reaction(
    event: discord.RawReactionActionEvent,
    channel: Channel,
    us: int,
) -> Incoming | None:
    """A reaction added or taken away; None when it is a bot's, this one's included."""
    member = event.member
    if event.user_id == us or (member is not None and member.bot):
        return None
    person = Person(id=str(event.user_id), name="")
    author = event.message_author_id
    is_ours = None if author is None else author == us
    message_id = str(event.message_id)
    emoji = event.emoji.name or ""
    return Incoming(
        key=f"reaction:{message_id}:{event.user_id}:{emoji[:40]}:",
        kind=Kind.REACTION,
        place=place(channel, event.channel_id, event.guild_id),
        person=person_of(member) if member else person,
        answers=Quoted(message=message_id, is_ours=is_ours),
        emoji=emoji[:100],
        is_added=event.event_type == "REACTION_ADD",
        is_place_known=channel is not None or event.guild_id is None,
        closed=rights.check_channel(channel, member),
        is_admin=runs_guild(member.guild_permissions if member else None),
    )


def removal(guild: int, member_since: int = 0) -> Incoming:
    """The bot was removed from a guild; once for each time it had been invited."""
    return Incoming(
        key=f"left:{guild}:{member_since}",
        kind=Kind.REMOVED,
        place=Place(platform=PLATFORM, workspace=str(guild), channel=""),
        person=Person(id="", name=""),
    )
