"""People in the Slack on loopback: they type, upload, press, react.

The bot receives their actions as Slack delivers them.
"""

import asyncio
import copy
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.fakes.slack.socket import SocketServer
from tests.fakes.slack.web_api import WebApi
from tests.fakes.slack.world import (
    Channel,
    File,
    Message,
    User,
    Workspace,
    World,
)

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "samples" / "slack"
SECRET = "slack-signing-secret"
RETRIES = (0.0, 0.2, 0.5)
"""Seconds before a failed event is delivered again; in the real Slack at once, a minute, five
minutes."""


def sample(name: str) -> Json:
    """A payload as Slack documents it."""
    answer: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return answer


PATIENCE = 60.0
"""Seconds until a wait is given up. What comes sooner is not waited for, however busy the machine.
"""


class Slack:
    """One Slack with one workspace and two channels, to begin with."""

    def __init__(
        self,
        world: World,
        api: WebApi,
        socket: SocketServer,
        http: aiohttp.ClientSession,
    ) -> None:
        self.world = world
        self.api = api
        self.socket = socket
        self.url = ""
        self._http = http
        self.workspace = world.workspace()
        self.general = self.channel("general")
        self.acknowledged: list[float] = []
        self.event_copies = 1
        self.hook_uses = 0

    def settings(self, *, socket: bool = False) -> dict[str, str]:
        """The variables that lead an Easel here."""
        host = self.world.base.removeprefix("http://")
        settings = {
            "SLACK_BOT_TOKEN": self.workspace.token,
            "EASEL_SLACK_API_URL": f"{self.world.base}/api/",
            "EASEL_SLACK_FILE_HOSTS": host,
            "EASEL_DRAIN_SECONDS": "0",
        }
        return {
            **settings,
            **(
                {"SLACK_APP_TOKEN": self.api.app_token}
                if socket
                else {"SLACK_SIGNING_SECRET": SECRET}
            ),
        }

    def channel(
        self,
        name: str,
        *,
        invited: bool = True,
        workspace: Workspace | None = None,
    ) -> str:
        """A new channel; everybody is in it, the bot if invited."""
        team = workspace or self.workspace
        channel = Channel(
            id=self.world.number("C"), name=name, members=set(team.users)
        )
        if not invited:
            channel.members.discard(team.bot_user)
        team.channels[channel.id] = channel
        return channel.id

    def conversation(self, *people: "Somebody") -> str:
        """A direct message between people; the bot is not in it."""
        members = {somebody.id for somebody in people}
        channel = Channel(
            id=self.world.number("D"), name="", members=members, is_im=True
        )
        self.workspace.channels[channel.id] = channel
        return channel.id

    def person(
        self, name: str, *, workspace: Workspace | None = None, **more: Any
    ) -> "Somebody":
        """Someone new, a member of every channel."""
        team = workspace or self.workspace
        user = User(id=self.world.number("U"), name=name, **more)
        team.users[user.id] = user
        for channel in team.channels.values():
            if not channel.is_im:
                channel.members.add(user.id)
        return Somebody(slack=self, workspace=team, user=user)

    # Deliveries

    async def event(
        self, name: str, workspace: Workspace | None = None, **changes: Any
    ) -> None:
        """An event, once or ``event_copies`` times, again while it is not acknowledged."""
        team = workspace or self.workspace
        body = sample(name)
        body["event"] |= changes
        await self.deliver_event(self.addressed(body, team))

    def addressed(self, body: Json, workspace: Workspace) -> Json:
        """As sent to our installation in that workspace."""
        body |= {"team_id": workspace.id, "event_id": self.world.number("Ev")}
        if workspace.enterprise:
            body["enterprise_id"] = workspace.enterprise
        body["authorizations"][0] |= {
            "team_id": None if workspace.is_all else workspace.id,
            "user_id": workspace.bot_user,
            "enterprise_id": workspace.enterprise,
            "is_enterprise_install": workspace.is_all,
        }
        return body

    async def deliver_event(self, body: Json) -> None:
        """Deliver until acknowledged, as Slack does."""
        await asyncio.gather(
            *(
                self._deliver_event(copy.deepcopy(body))
                for _ in range(self.event_copies)
            )
        )

    async def _deliver_event(self, body: Json) -> None:
        if not self.url:
            await self.socket.deliver("events_api", body)
            return
        for attempt, seconds in enumerate((0.0, *RETRIES)):
            await asyncio.sleep(seconds)
            headers = (
                {
                    "X-Slack-Retry-Num": str(attempt),
                    "X-Slack-Retry-Reason": "http_error",
                }
                if attempt
                else {}
            )
            status, _ = await self.post(
                json.dumps(body).encode(), "application/json", headers
            )
            if status == 200:
                return

    async def command(
        self, workspace: Workspace, user: User, channel: str, text: str
    ) -> Json:
        """A slash command; what the acknowledgement said."""
        name, _, rest = text.partition(" ")
        body = sample("slash_command") | {
            "team_id": workspace.id,
            "channel_id": channel,
            "user_id": user.id,
            "user_name": user.name,
            "command": name,
            "text": rest,
            "trigger_id": self.world.trigger(),
            "response_url": self.hook(),
            "is_enterprise_install": "true" if workspace.is_all else "false",
        }
        if workspace.enterprise:
            body["enterprise_id"] = workspace.enterprise
        if not self.url:
            return await self.socket.deliver("slash_commands", body) or {}
        _, answer = await self.post(
            urlencode(body).encode(), "application/x-www-form-urlencoded"
        )
        return _json(answer)

    def hook(self) -> str:
        """A response address."""
        name = self.world.number("hook")
        self.world.hooks[name] = [{}] * self.hook_uses
        return f"{self.world.base}/commands/{name}"

    def last_response(self) -> str:
        """What came to the newest response address; "" while nothing did."""
        used = list(self.world.hooks.values())[-1]
        return json.dumps(used, ensure_ascii=False) if used else ""

    async def interact(self, body: Json) -> Json:
        """A press, a shortcut, a modal; what the acknowledgement said."""
        if not self.url:
            return await self.socket.deliver("interactive", body) or {}
        content = urlencode({"payload": json.dumps(body)}).encode()
        _, answer = await self.post(
            content, "application/x-www-form-urlencoded"
        )
        return _json(answer)

    async def post(
        self, data: bytes, kind: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Signed, to the request address; the time until the answer is kept."""
        signed = {**sign(data), "Content-Type": kind, **(headers or {})}
        began = time.perf_counter()
        try:
            async with self._http.post(
                f"{self.url}/slack/events", data=data, headers=signed
            ) as answer:
                text = await answer.text()
                self.acknowledged.append(time.perf_counter() - began)
                return answer.status, text
        except aiohttp.ClientError:
            return 0, ""

    async def until(
        self, found: Callable[[], Any], seconds: float = PATIENCE
    ) -> Any:
        """Wait until a condition holds; else fail with what is there instead."""
        ends = time.monotonic() + seconds
        while not (answer := found()):
            if time.monotonic() > ends:
                raise AssertionError(
                    "\n".join(map(str, self.world.messages[-8:]))
                )
            await asyncio.sleep(0.02)
        return answer


class Somebody:
    """A person in a workspace."""

    def __init__(
        self, *, slack: Slack, workspace: Workspace, user: User
    ) -> None:
        self.slack = slack
        self.workspace = workspace
        self.user = user
        self.id = user.id

    @property
    def direct(self) -> str:
        """The direct message with the bot."""
        return self.slack.api.direct(self.workspace, self.id)

    @property
    def easel(self) -> str:
        """How the bot is mentioned."""
        return f"<@{self.workspace.bot_user}>"

    async def types(self, text: str, channel: str = "") -> Json:
        """A slash command."""
        return await self.slack.command(
            self.workspace, self.user, channel or self.slack.general, text
        )

    def uploads(
        self, photo: Path | bytes, name: str = "photo.png", **more: Any
    ) -> File:
        """A file that belongs to them."""
        content = photo if isinstance(photo, bytes) else photo.read_bytes()
        name = name if isinstance(photo, bytes) else photo.name
        kind = "image/jpeg" if name.endswith("jpg") else "image/png"
        file = File(
            id=self.slack.world.number("F"),
            name=name,
            data=content,
            owner=self.id,
            mimetype=kind,
            **more,
        )
        self.slack.world.files[file.id] = file
        return file

    async def says(
        self,
        text: str,
        channel: str = "",
        *,
        thread: str = "",
        files: Sequence[File] = (),
        as_events: Sequence[str] = ("message", "app_mention"),
        bare: bool = False,
    ) -> str:
        """A message; its ts.

        A mention is told of twice, by message and by app_mention, in the order of ``as_events``.

        ``bare``: app_mention without its files.
        """
        world = self.slack.world
        channel = channel or self.slack.general
        said = Message(
            channel=channel,
            ts=world.stamp(),
            user=self.id,
            text=text,
            thread_ts=thread,
            files=[file.id for file in files],
        )
        world.messages.append(said)
        described = [world.file_json(file, full=False) for file in files]
        common: Json = {
            "user": self.id,
            "channel": channel,
            "text": text,
            "ts": said.ts,
            "event_ts": said.ts,
        }
        if thread:
            common["thread_ts"] = thread
        is_direct = self.workspace.channels[channel].is_im
        for kind in as_events:
            if kind == "app_mention" and (self.easel not in text or is_direct):
                continue
            with_files = (
                {"files": described}
                if described and not (bare and kind == "app_mention")
                else {}
            )
            share = (
                {"subtype": "file_share"}
                if described and kind == "message"
                else {}
            )
            where = {}
            if kind == "message":
                where["channel_type"] = "im" if is_direct else "channel"
            await self.slack.event(
                kind, self.workspace, **common, **with_files, **share, **where
            )
        return said.ts

    async def reacts(
        self, message: Message, emoji: str, *, added: bool = True
    ) -> None:
        """Add a reaction, or take it away."""
        target = {
            "type": "message",
            "channel": message.channel,
            "ts": message.ts,
        }
        name = "reaction_added" if added else "reaction_removed"
        await self.slack.event(
            name, self.workspace, user=self.id, reaction=emoji, item=target
        )

    async def presses(self, message: Message, label: str) -> Json:
        """A button, or an entry of a menu, by its label."""
        action = next(
            button for name, button in message.buttons.items() if label in name
        )
        return await self.slack.interact(self.press(message, action))

    def press(self, message: Message, action: Json) -> Json:
        """The payload of a press."""
        body = sample("block_actions_button")
        body["actions"] = [{**action, "action_ts": "1.0", "block_id": "b"}]
        body["container"] |= {
            "message_ts": message.ts,
            "channel_id": message.channel,
        }
        described = self.slack.world.message_json(message)
        if "thread_ts" in described:
            body["container"]["thread_ts"] = described["thread_ts"]
        if message.only_for:
            body.pop("message")
            body["container"]["is_ephemeral"] = True
        else:
            body["message"] = described
        body["channel"] = {"id": message.channel, "name": "general"}
        return self.by_me(body)

    def by_me(self, body: Json) -> Json:
        """With my name on it, and a fresh trigger."""
        body |= {"trigger_id": self.slack.world.trigger()}
        if "response_url" in body:
            body["response_url"] = self.slack.hook()
        body["user"] = {
            "id": self.id,
            "username": self.user.name,
            "name": self.user.name,
            "team_id": self.workspace.id,
        }
        body["team"] = (
            None
            if self.workspace.is_all
            else {"id": self.workspace.id, "domain": "test"}
        )
        body["is_enterprise_install"] = self.workspace.is_all
        if self.workspace.enterprise:
            body["enterprise"] = {
                "id": self.workspace.enterprise,
                "name": "Org",
            }
        return body

    async def chooses_edit(self, message: Message) -> None:
        """ "Edit this image" on a message."""
        body = sample("message_action")
        body["message"] = self.slack.world.message_json(message)
        body["channel"] = {"id": message.channel, "name": "general"}
        await self.slack.interact(self.by_me(body))

    async def opens_home(self) -> Json:
        """The home tab, once it is there."""
        self.slack.world.homes.pop(self.id, None)
        await self.slack.event(
            "app_home_opened",
            self.workspace,
            user=self.id,
            channel=self.direct,
        )
        published: Json = await self.slack.until(
            lambda: self.slack.world.homes.get(self.id)
        )
        return published

    async def view(self) -> Json:
        """The modal that opened."""
        opened: Json = await self.slack.until(lambda: self.slack.world.views)
        return opened.pop(next(iter(opened)))  # type: ignore[no-any-return]

    async def fills(self, view: Json, **fields: Any) -> Json:
        """Send a modal back: text, a choice, True, or files, by field.

        What the acknowledgement said.
        """
        values = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                element, name = block["element"], block["block_id"]
                values[name] = {
                    element["action_id"]: _fill_element(
                        element, fields.get(name), self.slack.world
                    )
                }
        body = sample("view_submission")
        body["view"] |= {
            name: view[name]
            for name in ("id", "callback_id", "private_metadata")
        }
        body["view"]["state"] = {"values": values}
        return await self.slack.interact(self.by_me(body))

    def sees(self, channel: str = "") -> list[Message]:
        """What is there for their eyes."""
        return self.slack.world.seen_by(self.id, channel or self.slack.general)

    async def reads(
        self,
        words: str,
        channel: str = "",
        *,
        button: str = "",
        after: int = 0,
    ) -> Message:
        """The newest message of the bot that holds the words (and the button), once there."""

        def found() -> Message | None:
            for see in reversed(self.sees(channel)[after:]):
                is_it = (
                    see.user == self.workspace.bot_user and words in see.words
                )
                if is_it and (
                    not button or any(button in name for name in see.buttons)
                ):
                    return see
            return None

        message: Message = await self.slack.until(found)
        return message

    async def result(
        self, prompt: str, channel: str = ""
    ) -> tuple[Message, Message]:
        """The caption of a result, and the message with its pictures."""
        caption = await self.reads(prompt, channel, button="🔄")
        thread = caption.thread_ts or caption.ts

        def shown() -> Message | None:
            for see in reversed(self.sees(caption.channel)):
                if (
                    see.files
                    and see.thread_ts == thread
                    and see.user == self.workspace.bot_user
                ):
                    return see
            return None

        return caption, await self.slack.until(shown)


def _fill_element(element: Json, value: Any, world: World) -> Json:
    kind = element["type"]
    if kind == "plain_text_input":
        return {
            "type": kind,
            "value": element.get("initial_value") if value is None else value,
        }
    if kind == "static_select":
        chosen = {"value": value} if value else element.get("initial_option")
        return {"type": kind, "selected_option": chosen}
    if kind in {"multi_static_select", "checkboxes"}:
        # Several of a menu by their values, or True for a tick.
        chosen = element.get("initial_options", [])
        if value is not None:
            chosen = [
                option
                for option in element["options"]
                if value is True or option["value"] in value
            ]
        return {"type": kind, "selected_options": chosen}
    if kind == "file_input":
        return {
            "type": kind,
            "files": [
                world.file_json(file, full=False) for file in value or ()
            ],
        }
    if kind == "conversations_select":
        return {
            "type": kind,
            "selected_conversation": value
            or element.get("initial_conversation"),
        }
    return {
        "type": kind,
        "selected_users": element.get("initial_users", [])
        if value is None
        else value,
    }


def _json(text: str) -> Json:
    try:
        answer = json.loads(text or "{}")
    except ValueError:
        return {"text": text}
    return answer if isinstance(answer, dict) else {}


def sign(
    data: bytes, at: float | None = None, secret: str = SECRET
) -> dict[str, str]:
    """Slack's two headers."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(
        secret.encode(), f"v0:{stamp}:".encode() + data, hashlib.sha256
    ).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
    }


@asynccontextmanager
async def slack(world: World | None = None) -> AsyncIterator[Slack]:
    """Everything on a free port of loopback; at the end no payload may have broken a limit."""
    world = world or World()
    api, socket = WebApi(world), SocketServer()
    app = web.Application(client_max_size=1 << 26)
    api.routes(app)
    socket.routes(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    world.base = f"http://127.0.0.1:{port}"
    api.issue_socket_url = lambda: socket.issue(
        f"{world.base.replace('http', 'ws', 1)}/link"
    )
    async with aiohttp.ClientSession() as http:
        try:
            yield Slack(world, api, socket, http)
        finally:
            await runner.cleanup()
    assert not world.violations, world.violations
