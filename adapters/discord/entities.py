"""Places, people and words as Discord has them; pure."""

import re
from typing import Any

import discord

from core.text import clean
from core.types import Person, Place

PLATFORM = "discord"
DIRECT = "@"
MENTION = re.compile(
    r"<(?:@[!&]?|#)[0-9]{1,20}>|<(/[^:>]{1,100}):[0-9]{1,20}>"
)
EMOJI = re.compile(r"<a?:(\w{1,32}):[0-9]{1,20}>")
Channel = Any
"""A channel as discord.py knows it, a bare one by its id, or None."""
LONGEST_NAME = 80


def place(
    channel: Channel,
    channel_id: int | None,
    guild: int | None,
) -> Place:
    """Where it is: a thread stands in its parent; a direct message counts as a workspace."""
    number = str(channel_id or "")
    if guild is None:
        direct = f"{DIRECT}{number}"
        return Place(platform=PLATFORM, workspace=direct, channel=direct)
    workspace = str(guild)
    is_thread = isinstance(channel, discord.Thread)
    parent = channel.parent_id if is_thread else None
    if not parent:
        return Place(platform=PLATFORM, workspace=workspace, channel=number)
    return Place(
        platform=PLATFORM,
        workspace=workspace,
        channel=str(parent),
        thread=number,
    )


def plain(text: str) -> str:
    """The words as they are read: mentions fall away, emoji of a guild's own by their name."""
    without_mentions = MENTION.sub(lambda mention: mention[1] or "", text)
    with_names = EMOJI.sub(r":\1:", without_mentions)
    return clean(with_names)


def runs_guild(rights: discord.Permissions | None) -> bool:
    if rights is None:
        return False
    return rights.manage_guild or rights.administrator


def person_of(user: Any) -> Person:
    id_ = str(user.id)
    display_name = getattr(user, "display_name", "") or ""
    name = clean(str(display_name)).replace("\n", " ")
    return Person(id=id_, name=name[:LONGEST_NAME] or id_)
