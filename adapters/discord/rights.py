"""What the bot and the people around it may do in a place of Discord. Pure."""

from typing import Any

import discord

from adapters.discord.entities import Channel

NO_VIEW = "discord.may_not_look"
NO_POST = "discord.may_not_speak"
NO_FILES = "discord.may_not_attach"
MEMBER_MAY_NOT = "discord.may_not_post"


def check_channel(channel: Channel, member: Any) -> str:
    """Return the message key of why no picture may be posted for a member in a channel.

    "" where it may, or where the client does not know the channel, the member or itself.
    """
    is_known = isinstance(channel, discord.abc.GuildChannel | discord.Thread)
    if not is_known or not isinstance(member, discord.Member):
        return ""
    us = channel.guild.me
    try:
        own_rights = channel.permissions_for(us) if us else None
        rights = channel.permissions_for(member)
    except discord.ClientException:
        # A thread whose parent is unknown.
        return ""
    return check_rights(rights, own_rights, in_thread=is_thread(channel))


def check_rights(
    rights: discord.Permissions,
    own_rights: discord.Permissions | None,
    *,
    in_thread: bool,
) -> str:
    """Return the message key of why no picture may be posted, "" where one may be.

    ``own_rights`` are the bot's, None where it is no member. What the member may not do, the bot
    must not do for them.
    """
    if not (_may_speak(rights, in_thread) and rights.attach_files):
        return MEMBER_MAY_NOT
    if own_rights is None:
        return ""
    if not own_rights.view_channel:
        return NO_VIEW
    if not _may_speak(own_rights, in_thread):
        return NO_POST
    return "" if own_rights.attach_files else NO_FILES


def is_thread(channel: Channel) -> bool:
    """Whether it is a thread, where posting needs a different permission."""
    return isinstance(channel, discord.Thread)


def _may_speak(rights: discord.Permissions, in_thread: bool) -> bool:
    if in_thread:
        return rights.send_messages_in_threads
    return rights.send_messages
