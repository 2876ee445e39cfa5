"""A Discord in memory: what there is, its virtual clock, and the faults a test asks for."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from PIL import Image

from tests.fakes.discord import limits
from tests.fakes.discord.things import (
    DM,
    GROUP,
    MANAGE_THREADS,
    MIB,
    ORDINARY,
    PRIVATE_THREAD,
    Attachment,
    Call,
    Channel,
    Event,
    Fault,
    Guild,
    Interaction,
    Json,
    Message,
    No,
    User,
)

DISCORD_EPOCH = 1_420_070_400_000
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
LINK_LIFE = 86_400
NONCE_LIFE = 300
TOKEN_LIFE = 900


class World:
    """Everything Discord knows.

    ``strict_rates``: 5 messages in ``rate_window`` and 50 requests a second hold.
    ``content_granted``: the app has the message-content intent. ``galleries_by_edit``: a new upload
    may be shown by a gallery in an edit (discord-api-docs#7529 says no). ``filters_files``: its
    filter takes every file for explicit.
    """

    def __init__(
        self, *, strict_rates: bool = False, content_granted: bool = False
    ) -> None:
        self.strict_rates = strict_rates
        self.content_granted = content_granted
        self.galleries_by_edit = False
        self.filters_files = False
        self.patience = 3.0
        self.rate_window = 5.0
        self.down_until = 0.0
        self.request_limit = 25 * MIB
        self.ephemeral_life = 3600.0
        self.base = ""
        self.gateway_base = ""
        self.offset = 0.0
        self._last = 0
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: list[Message] = []
        self.attachments: dict[str, Attachment] = {}
        self.interactions: dict[str, Interaction] = {}
        self.commands: dict[str, list[Json]] = {}
        self.syncs: Counter[str] = Counter()
        self.pings: list[tuple[str, str, str]] = []
        self.violations: list[str] = []
        self.deprecated: list[str] = []
        self.invalid_requests: list[str] = []
        self.calls: list[Call] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.limited: Counter[str] = Counter()
        self.uses: defaultdict[str, deque[float]] = defaultdict(deque)
        self.publish: Callable[[Event], None] = lambda _: None
        self.bot = self.user("easel", is_bot=True)
        self.app = self.bot.id
        self.token = f"{base64.b64encode(self.app.encode()).decode().rstrip('=')}.for.tests"

    @property
    def gateway_address(self) -> str:
        """Where the gateway is: elsewhere than the rest, if so set."""
        return (self.gateway_base or self.base).replace("http", "ws", 1)

    # Clock and names

    def now(self) -> float:
        """The time it is here."""
        return time.time() + self.offset

    def forward(self, seconds: float) -> None:
        """Let time pass without waiting: links, tokens and nonces age."""
        self.offset += seconds

    def number(self) -> str:
        """A new id, newer than all before it."""
        self._last = max(
            self._last + 1, (int(self.now() * 1000) - DISCORD_EPOCH) << 22
        )
        return str(self._last)

    # Things

    def user(self, name: str, **more: Any) -> User:
        """Someone new."""
        user = User(id=self.number(), name=name, **more)
        self.users[user.id] = user
        return user

    def guild(self, name: str, owner: User, **more: Any) -> Guild:
        """A new server, its owner in it."""
        guild = Guild(id=self.number(), name=name, owner=owner.id, **more)
        guild.permissions[owner.id] = (1 << 50) - 1
        self.guilds[guild.id] = guild
        return guild

    def join(
        self, user: User, guild: Guild, permissions: int = ORDINARY
    ) -> None:
        """Someone becomes a member."""
        guild.permissions[user.id] = permissions

    def channel(
        self, name: str = "", guild: Guild | None = None, **more: Any
    ) -> Channel:
        """A new channel."""
        channel = Channel(
            id=more.pop("id", "") or self.number(),
            name=name,
            guild=guild.id if guild else "",
            **more,
        )
        self.channels[channel.id] = channel
        return channel

    def direct(self, user: User) -> Channel:
        """The direct message of a person and the bot."""
        for channel in self.channels.values():
            if channel.kind == DM and channel.recipient == user.id:
                return channel
        return self.channel(kind=DM, recipient=user.id)

    def attach(
        self, filename: str, data: bytes, channel: str, **more: Any
    ) -> Attachment:
        """Keep a file; its type is told from its name only, as Discord does."""
        name = re.sub(r"[^\w.\-]+", "_", filename) or "unknown"
        ending = name.rpartition(".")[2].lower()
        kind = TYPES.get(ending, "application/octet-stream")
        size = _size(data) if kind.startswith("image/") else None
        attachment = Attachment(
            id=self.number(),
            filename=name,
            data=data,
            content_type=kind,
            channel=channel,
            size=size,
            **more,
        )
        attachment.spoiler = attachment.spoiler or name.startswith("SPOILER_")
        self.attachments[attachment.id] = attachment
        return attachment

    def find(self, channel: str, message: str) -> Message:
        """A message that is there for everybody."""
        for candidate in reversed(self.messages):
            if (
                candidate.id == message
                and candidate.channel == channel
                and not candidate.deleted
                and not candidate.only_for
            ):
                return candidate
        raise No(404, 10008, "Unknown Message")

    def seen_by(
        self, user: User | None, channel: Channel | None
    ) -> list[Message]:
        """What someone sees, in a channel or anywhere."""
        mine = {"", user.id} if user else {""}
        messages = [
            message
            for message in self.messages
            if not message.deleted and message.only_for in mine
        ]
        return [
            message
            for message in messages
            if channel is None or message.channel == channel.id
        ]

    # Permissions

    def bot_permissions(self, channel: Channel) -> int:
        """What the bot may do in a channel; in its thread it is the same."""
        if channel.kind == DM:
            return ORDINARY
        if channel.kind == GROUP:
            return 0
        guild = self.guilds[channel.guild]
        parent = self.channels.get(channel.parent, channel)
        has = (
            guild.bot_permissions & ~channel.denied & ~parent.denied
            if guild.installed
            else 0
        )
        is_shut_out = (
            channel.kind == PRIVATE_THREAD
            and self.bot.id not in channel.members
        )
        return 0 if is_shut_out and not has & MANAGE_THREADS else has

    def upload_limit(self, channel: Channel) -> int:
        """Bytes a bot's file may have in a channel."""
        return (
            self.guilds[channel.guild].upload_limit
            if channel.guild
            else 10 * MIB
        )

    # Links

    def link(self, file: Attachment) -> str:
        """A fresh signed link."""
        where = (
            f"ephemeral-attachments/{self.app}"
            if file.is_ephemeral
            else f"attachments/{file.channel}"
        )
        path = f"/cdn/{where}/{file.id}/{file.filename}"
        begins = int(self.now())
        ends = begins + LINK_LIFE
        signature = sign(path, ends, begins)
        return f"{self.base}{path}?ex={ends:x}&is={begins:x}&hm={signature}&"

    def check(
        self,
        what: str,
        check: Callable[..., None],
        *arguments: Any,
        **named: Any,
    ) -> None:
        """Note a broken limit and refuse; tests assert that there is none."""
        try:
            check(*arguments, **named)
        except limits.Wrong as wrong:
            arguments_text = json.dumps(
                arguments[0], ensure_ascii=False, default=str
            )[:600]
            self.violations.append(f"{what}: {wrong} in {arguments_text}")
            raise No(400, 50035, f"Invalid Form Body: {wrong}") from wrong

    def pinged(
        self, message: Message, pings: Iterable[tuple[str, str]]
    ) -> None:
        """Someone's phone made a sound."""
        self.pings += [(kind, user, message.id) for kind, user in pings]


def sign(path: str, ends: int, begins: int) -> str:
    """The signature of a link."""
    return hmac.new(
        b"cdn", f"{path} {ends:x} {begins:x}".encode(), hashlib.sha256
    ).hexdigest()


def _size(data: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(BytesIO(data)) as opened:
            return opened.size
    except (OSError, ValueError):
        return None
