"""A Slack in memory.

Workspaces, people, channels, messages, files, and the faults a test asks for.
"""

import itertools
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.slack import limits

Json = dict[str, Any]
ALL_SCOPES = (
    "app_mentions:read,channels:history,chat:write,commands,files:read,files:write,groups:history,im:history,"
    "im:write,mpim:history,reactions:read,users:read"
)
FIRST_TOKEN = "xoxb-test-1"
CONVERSATIONS = frozenset({"conversations.replies", "conversations.history"})
TIERS = {"1": 1, "2": 20, "3": 50, "4": 100}
"""Calls a minute a method may be made in a workspace; we grant no more than the least Slack
promises."""


@dataclass(kw_only=True)
class User:
    """A user; ``home`` is their team when it is another one (Slack Connect)."""

    id: str
    name: str
    locale: str = "en-US"
    is_admin: bool = False
    home: str = ""
    is_bot: bool = False


@dataclass(kw_only=True)
class Channel:
    """A channel, or a direct message of ``members``."""

    id: str
    name: str
    members: set[str]
    archived: bool = False
    is_im: bool = False


@dataclass(kw_only=True)
class File:
    """A file: seen by Slack after ``ready``; ``shares`` by channel."""

    id: str
    name: str
    data: bytes
    owner: str
    mimetype: str = "image/png"
    alt: str = ""
    ready: float = 0.0
    shares: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    external: bool = False
    connect: bool = False


@dataclass(kw_only=True)
class Message:
    """A message; ``only_for`` someone when it is ephemeral."""

    channel: str
    ts: str
    user: str
    text: str = ""
    thread_ts: str = ""
    blocks: list[Json] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    metadata: Json | None = None
    only_for: str = ""
    edits: int = 0
    deleted: bool = False
    client_msg_id: str = ""

    @property
    def words(self) -> str:
        """What is read in its blocks, else its text."""
        texts: list[str] = []
        for block in self.blocks:
            parts = block["elements"] if block["type"] == "rich_text" else []
            for part in parts:
                elements = part["elements"]
                texts += [
                    element["text"]
                    for element in elements
                    if element["type"] == "text"
                ]
        return "\n".join(texts) or self.text

    @property
    def buttons(self) -> dict[str, Json]:
        """Its buttons by label, the entries of its menus too."""
        labels: dict[str, Json] = {}
        for block in self.blocks:
            for element in (
                block.get("elements", []) if block["type"] == "actions" else []
            ):
                if element["type"] == "button":
                    labels[element["text"]["text"]] = element
                else:
                    for option in element["options"]:
                        labels[option["text"]["text"]] = {
                            **element,
                            "selected_option": option,
                        }
        return labels


@dataclass(kw_only=True)
class Workspace:
    """One team with our bot in it.

    ``is_all``: the bot is installed in all teams of its enterprise at once. ``is_revoked``: it was
    removed, and its token works no more.
    """

    id: str
    token: str
    bot_user: str
    bot: str
    enterprise: str | None = None
    is_all: bool = False
    is_revoked: bool = False
    scopes: str = ALL_SCOPES
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    expires: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One failure of a method.

    An ``error`` or ``status``, before or after its ``effect``; or silence.
    """

    error: str = ""
    status: int = 200
    retry_after: int | None = None
    effect: bool = False
    drop: bool = False
    seconds: float = 0.0


class World:
    """Everything Slack knows.

    ``ready_after``: seconds until a file is looked at. ``strict_rates``: tiers hold.
    ``is_distributed``: our app is, and not in the marketplace, so it may read a conversation once a
    minute. ``date``: what its clock says, where it is not ours.
    """

    def __init__(
        self,
        *,
        ready_after: float = 0.0,
        share_after: float = 0.0,
        strict_rates: bool = False,
        is_distributed: bool = False,
    ) -> None:
        self.workspaces: dict[str, Workspace] = {}
        self.messages: list[Message] = []
        self.files: dict[str, File] = {}
        self.views: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}
        self.calls: list[tuple[str, Json]] = []
        self.violations: list[str] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.dropped_shares = 0
        self.drop_shares_with_alt = False
        self.triggers: dict[str, float] = {}
        self.hooks: dict[str, list[Any]] = {}
        self.ready_after = ready_after
        self.share_after = share_after
        self.strict_rates = strict_rates
        self.is_distributed = is_distributed
        self.statuses: list[Json] = []
        self.limited: Counter[str] = Counter()
        self.date = ""
        self._used: defaultdict[tuple[str, str], deque[float]] = defaultdict(
            deque
        )
        self._numbers = itertools.count(1)
        self._stamps = itertools.count(int(time.time()))

    def number(self, prefix: str) -> str:
        """A new id."""
        return f"{prefix}{next(self._numbers):09d}"

    def stamp(self) -> str:
        """A new message's ts."""
        return f"{next(self._stamps)}.{next(self._numbers):06d}"

    def workspace(
        self, id: str = "T00000001", token: str = FIRST_TOKEN, **more: Any
    ) -> Workspace:
        """A new one, with its bot."""
        workspace = Workspace(
            id=id,
            token=token,
            bot_user=f"UBOT{id[1:]}",
            bot=f"B{id[1:]}",
            **more,
        )
        workspace.users[workspace.bot_user] = User(
            id=workspace.bot_user, name="easel", is_bot=True
        )
        self.workspaces[id] = workspace
        return workspace

    def by_token(self, token: str) -> Workspace | None:
        """The workspace with this token."""
        return next(
            (
                workspace
                for workspace in self.workspaces.values()
                if workspace.token == token
            ),
            None,
        )

    def use(self, workspace: str, method: str, tier: str) -> float | None:
        """Count a call; seconds to wait when it is one too many."""
        is_read = self.is_distributed and method in CONVERSATIONS
        if is_read:
            tier = "1"
        if not (self.strict_rates or is_read) or tier not in TIERS:
            return None
        now, used = time.monotonic(), self._used[workspace, method]
        while used and now - used[0] > 60:
            used.popleft()
        if len(used) >= TIERS[tier]:
            self.limited[method] += 1
            return 60 - (now - used[0])
        used.append(now)
        return None

    def trigger(self) -> str:
        """A trigger for one view, alive three seconds."""
        trigger = self.number("trigger.")
        self.triggers[trigger] = time.monotonic() + 3
        return trigger

    def file_type(self, file: str) -> str | None:
        """What Slack found a file to be, None before it has looked."""
        entry = self.files.get(file)
        return (
            entry.mimetype
            if entry and time.monotonic() >= entry.ready and not entry.deleted
            else None
        )

    def find(self, channel: str, ts: str) -> Message | None:
        """A message that is still there."""
        for message in self.messages:
            if (
                message.channel == channel
                and message.ts == ts
                and not message.deleted
                and not message.only_for
            ):
                return message
        return None

    def seen_by(self, user: str, channel: str) -> list[Message]:
        """What someone sees in a channel, threads included."""
        messages = [
            message
            for message in self.messages
            if message.channel == channel and not message.deleted
        ]
        return [
            message
            for message in messages
            if message.only_for in {"", user} and not self._is_unseen(message)
        ]

    def _is_unseen(self, message: Message) -> bool:
        """Ephemeral messages in a thread are only shown if there is an active thread already."""
        if not message.only_for or not message.thread_ts:
            return False
        return not any(
            other.thread_ts == message.thread_ts and not other.only_for
            for other in self.messages
        )

    def file_json(self, file: File, *, full: bool) -> Json:
        """A file as Slack describes it."""
        if file.deleted:
            return {"id": file.id, "mode": "tombstone"}
        if file.connect and not full:
            return {
                "id": file.id,
                "mode": "file_access",
                "file_access": "check_file_info",
            }
        looked = time.monotonic() >= file.ready
        address = f"{self.base}/files-pri/T1-{file.id}/{file.name}"
        if file.external:
            address = "https://elsewhere.example/picture.png"
        return {
            "id": file.id,
            "name": file.name,
            "mimetype": file.mimetype if looked else "",
            "size": len(file.data),
            "mode": "external" if file.external else "hosted",
            "is_external": file.external,
            "url_private": address,
            "url_private_download": address,
            "shares": {
                "public": {
                    name: [{"ts": ts}] for name, ts in file.shares.items()
                }
            }
            if file.shares
            else {},
        }

    base: str = ""

    def message_json(self, message: Message) -> Json:
        """A message as conversations.history tells it."""
        payload: Json = {
            "type": "message",
            "user": message.user,
            "text": message.text,
            "ts": message.ts,
        }
        is_answered = any(
            other.thread_ts == message.ts and other.channel == message.channel
            for other in self.messages
        )
        if message.thread_ts or is_answered:
            # The first message of a thread names itself once somebody has answered it.
            payload["thread_ts"] = message.thread_ts or message.ts
        if message.files:
            payload["files"] = [
                self.file_json(self.files[name], full=False)
                for name in message.files
            ]
        if message.metadata:
            payload["metadata"] = message.metadata
        if message.user.startswith("UBOT"):
            payload["bot_id"] = "B" + message.user[4:]
        return payload

    def check(
        self, what: str, check: Any, *arguments: Any, **named: Any
    ) -> None:
        """Note a broken limit; tests assert that there is none."""
        try:
            check(*arguments, **named)
        except limits.Wrong as wrong:
            self.violations.append(
                f"{what}: {wrong} in {json.dumps(arguments[0], ensure_ascii=False)[:600]}"
            )
            raise


def given(found: Mapping[str, Any], name: str) -> Any:
    """An argument that may have come as JSON in a form."""
    argument = found.get(name)
    if isinstance(argument, str) and argument[:1] in "[{":
        return json.loads(argument)
    return argument
