"""The objects of a Discord.

Users, guilds, channels, messages, attachments, interactions, faults.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TEXT, DM, VOICE, GROUP, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 2, 3, 11, 12
FORUM = 15
THREADS = frozenset({10, PUBLIC_THREAD, PRIVATE_THREAD})
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
EPHEMERAL, LOADING, V2 = 1 << 6, 1 << 7, 1 << 15
MIB = 1 << 20

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
SEND_MESSAGES_IN_THREADS = 1 << 38
USE_EXTERNAL_APPS = 1 << 50
MINIMAL = 309237763136
"""The permissions that an app of our kind asks for."""
ORDINARY = MINIMAL | USE_EXTERNAL_APPS | 1 << 31


class No(Exception):
    """Discord says no: an HTTP status and its own error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status, self.code, self.message = status, code, message


@dataclass(kw_only=True)
class User:
    """A user.

    ``closed``: takes no direct messages; ``upload_limit``: what their Nitro allows, in bytes.
    """

    id: str
    name: str
    locale: str = "en-US"
    is_bot: bool = False
    closed: bool = False
    upload_limit: int = 0


@dataclass(kw_only=True)
class Guild:
    """A server. ``permissions`` of members by user id; ``installed``: our bot is a member of it."""

    id: str
    name: str
    owner: str
    bot_permissions: int = MINIMAL
    permissions: dict[str, int] = field(default_factory=dict)
    nicks: dict[str, str] = field(default_factory=dict)
    premium_tier: int = 0
    locale: str = "en-US"
    installed: bool = True
    unavailable: bool = False

    @property
    def upload_limit(self) -> int:
        """Bytes a file may have here."""
        return {2: 50, 3: 100}.get(self.premium_tier, 10) * MIB


@dataclass(kw_only=True)
class Channel:
    """A channel, thread or direct message. ``denied``: permissions taken from the bot here."""

    id: str
    kind: int = TEXT
    name: str = ""
    guild: str = ""
    parent: str = ""
    owner: str = ""
    recipient: str = ""
    nsfw: bool = False
    denied: int = 0
    archived: bool = False
    locked: bool = False
    auto_archive: int = 4320
    members: set[str] = field(default_factory=set)
    tags_required: bool = False
    typing: int = 0

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS


@dataclass(kw_only=True)
class Attachment:
    """A file in a message; an ephemeral one is ``gone`` at some time."""

    id: str
    filename: str
    data: bytes
    content_type: str
    channel: str
    description: str = ""
    spoiler: bool = False
    size: tuple[int, int] | None = None
    gone: float = float("inf")

    @property
    def is_ephemeral(self) -> bool:
        return self.gone != float("inf")


@dataclass(kw_only=True)
class Interaction:
    """Something a person did to the app, and how it was answered."""

    id: str
    token: str
    kind: int
    user: str
    channel: str
    guild: str
    created: float
    name: str = ""
    command_type: int = 1
    owners: dict[str, str] = field(default_factory=dict)
    message: "Message | None" = None
    began: float = 0.0
    ack_type: int | None = None
    ack_seconds: float = 0.0
    refused: bool = False
    original: "Message | None" = None
    messages: list["Message"] = field(default_factory=list)
    followups: int = 0
    modal: Json | None = None
    choices: list[Json] | None = None

    @property
    def ephemeral(self) -> list["Message"]:
        """What only that person sees of the answers."""
        return [
            message
            for message in self.messages
            if message.only_for and not message.deleted
        ]

    @property
    def error(self) -> str:
        """What the person is told when no one acknowledged."""
        return "This interaction failed" if self.ack_type is None else ""


@dataclass(kw_only=True)
class Message:
    """A message; ``only_for`` someone when it is ephemeral."""

    id: str
    channel: str
    guild: str
    author: str
    created: float
    kind: int = 0
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)
    flags: int = 0
    nonce: str = ""
    reference: Json | None = None
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    interaction: Interaction | None = None
    only_for: str = ""
    edited: float | None = None
    edits: int = 0
    deleted: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> list[bytes]:
        """The bytes of what is attached."""
        return [attachment.data for attachment in self.attachments]

    @property
    def is_loading(self) -> bool:
        """It still says that the app is thinking."""
        return bool(self.flags & LOADING)

    @property
    def words(self) -> str:
        """All that can be read in it."""
        texts = [self.content]
        for embed in self.embeds:
            texts += [
                embed.get("title", ""),
                embed.get("description", ""),
                embed.get("footer", {}).get("text", ""),
            ]
            texts += [embed.get("author", {}).get("name", "")]
            texts += [
                f"{part['name']}\n{part['value']}"
                for part in embed.get("fields", [])
            ]
        texts += [
            part["content"]
            for part in walk(self.components)
            if part["type"] == 10
        ]
        return "\n".join(text for text in texts if text)

    @property
    def buttons(self) -> dict[str, Json]:
        """Its buttons by label (or emoji), and the options of its menus."""
        labels: dict[str, Json] = {}
        for component in walk(self.components):
            if component["type"] == 2:
                emoji = component.get("emoji", {}).get("name") or ""
                labels[f"{emoji} {component.get('label') or ''}".strip()] = (
                    component
                )
            for option in (
                component.get("options", []) if component["type"] == 3 else []
            ):
                labels[option["label"]] = {**component, "chosen": option}
        return labels

    @property
    def menus(self) -> list[Json]:
        """Its select menus."""
        return [
            component
            for component in walk(self.components)
            if component["type"] in {3, 5, 6, 7, 8}
        ]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong once with a route: instead of its effect, or after it when ``effect``.

    ``status`` with Discord's ``code``; a 429 with ``retry_after`` (with ``Via`` unless ``via`` is
    False); ``page``: something in between answers 200 with a page; ``drop`` closes the connection,
    ``reset`` resets it; ``seconds`` pass first.
    """

    status: int = 200
    code: int = 0
    message: str = "fault"
    effect: bool = False
    page: bool = False
    drop: bool = False
    reset: bool = False
    seconds: float = 0.0
    retry_after: float | None = None
    is_global: bool = False
    scope: str = "user"
    via: bool = True

    @property
    def is_only_slow(self) -> bool:
        return (
            self.status == 200
            and self.retry_after is None
            and not self.page
            and not self.drop
            and not self.reset
        )


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that reached Discord."""

    route: str
    parameters: dict[str, str]
    body: Any
    files: dict[str, int]
    status: int = 0


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something told to the gateway. ``message`` is redacted for apps that may not read it."""

    name: str
    data: Json
    guild: str = ""
    channel: str = ""
    message: Message | None = None


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component, those inside others too."""
    for component in components:
        yield component
        yield from walk(component.get("components", []))
        for name in ("accessory", "component"):
            if name in component:
                yield from walk([component[name]])
