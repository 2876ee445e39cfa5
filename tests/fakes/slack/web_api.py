"""Slack's Web API, uploads, private files and response addresses on loopback."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.fakes.slack import limits
from tests.fakes.slack.world import (
    Channel,
    Fault,
    File,
    Message,
    Workspace,
    World,
    given,
)

Json = dict[str, Any]
LOGIN_PAGE = "<!DOCTYPE html><html><body>Sign in to Slack</body></html>"
READS = frozenset(
    {
        "auth.test",
        "users.info",
        "users.conversations",
        "files.info",
        "files.getUploadURLExternal",
        "conversations.replies",
        "conversations.history",
        "chat.getPermalink",
        "oauth.v2.access",
    }
)
"""Methods that take no JSON body."""
RULES: dict[str, tuple[str, str]] = {
    "auth.test": ("special", ""),
    "apps.connections.open": ("3", "app"),
    "chat.postMessage": ("special", "chat:write"),
    "chat.update": ("3", "chat:write"),
    "chat.delete": ("3", "chat:write"),
    "chat.postEphemeral": ("4", "chat:write"),
    "chat.getPermalink": ("special", ""),
    "files.getUploadURLExternal": ("4", "files:write"),
    "files.completeUploadExternal": ("4", "files:write"),
    "files.info": ("4", "files:read"),
    "files.delete": ("3", "files:write"),
    "users.info": ("4", "users:read"),
    "users.conversations": ("3", "channels:read"),
    "conversations.open": ("3", "im:write"),
    "conversations.replies": ("3", "channels:history"),
    "conversations.history": ("3", "channels:history"),
    "views.open": ("4", ""),
    "views.publish": ("4", ""),
    "assistant.threads.setStatus": ("special", "chat:write"),
    "oauth.v2.access": ("special", "none"),
}
"""Tier and scope of each method we know."""


class No(Exception):
    """ok: false, and why."""


class WebApi:
    """The HTTP side of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.codes: dict[str, Workspace] = {}
        self.refreshes: dict[str, Workspace] = {}
        self.app_token = "xapp-1-A1-test"
        self.issue_socket_url: Callable[[], str] = lambda: ""
        self.strange: list[str] = []
        self.upload_faults: list[int] = []
        self.download_faults: list[int] = []

    def routes(self, app: web.Application) -> None:
        """Where everything is."""
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/upload/v1/{file}", self._upload)
        app.router.add_get("/files-pri/{spot}/{name}", self._file)
        app.router.add_post("/commands/{hook}", self._hook)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix(
            "Bearer "
        ) or str(arguments.pop("token", ""))
        if "token" in request.query:
            self.world.violations.append(f"{method}: a token in the address")
        self.world.calls.append((method, arguments))
        faults = self.world.faults[method]
        fault = faults.popleft() if faults else Fault()
        await asyncio.sleep(fault.seconds)
        answer: Json = {"ok": False, "error": fault.error or "internal_error"}
        headers: dict[str, str] = {}
        if fault == Fault(seconds=fault.seconds) or fault.effect:
            status, answer, headers = await self._answer(
                method, token, arguments, request
            )
        else:
            status = fault.status
        if fault.drop:
            assert request.transport
            request.transport.close()
            return web.Response()
        if fault.retry_after is not None:
            return web.json_response(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers={"Retry-After": str(fault.retry_after)},
            )
        if fault.effect and fault.status != 200:
            return web.Response(
                status=fault.status,
                text="<html>bad gateway</html>",
                content_type="text/html",
            )
        if status >= 500:
            return web.Response(
                status=status,
                text="<html>bad gateway</html>",
                content_type="text/html",
            )
        return web.json_response(answer, status=status, headers=headers)

    async def _answer(
        self, method: str, token: str, arguments: Json, request: web.Request
    ) -> tuple[int, Json, dict[str, str]]:
        """Status, body and headers of a call that no fault befalls."""
        if (
            method in READS
            and request.content_type == "application/json"
            and request.can_read_body
        ):
            self.world.violations.append(f"{method} takes no JSON")
        tier, scope = RULES.get(method, ("", "unknown"))
        if scope in {"app", "none", "unknown"}:
            return 200, self._without_bot(scope, token, arguments), {}
        workspace = self.world.by_token(token)
        refused = _refusal(workspace, scope)
        if workspace is None or refused:
            return 200, {"ok": False, **refused}, {}
        wait = self.world.use(workspace.id, method, tier)
        if wait is not None:
            return (
                429,
                {"ok": False, "error": "ratelimited"},
                {"Retry-After": str(int(wait) + 1)},
            )
        dated = {"Date": self.world.date} if self.world.date else {}
        return (
            200,
            self._done(method, workspace, arguments),
            {"x-oauth-scopes": workspace.scopes, **dated},
        )

    def _without_bot(self, scope: str, token: str, arguments: Json) -> Json:
        """Methods that take no bot token."""
        if scope == "none":
            return self._oauth(arguments)
        if scope == "unknown":
            return {"ok": False, "error": "unknown_method"}
        is_ours = token == self.app_token
        return (
            {"ok": True, "url": self.issue_socket_url()}
            if is_ours
            else {"ok": False, "error": "invalid_auth"}
        )

    def _done(
        self, method: str, workspace: Workspace, arguments: Json
    ) -> Json:
        do: Callable[[Workspace, Json], Json] = getattr(
            self, _function(method)
        )
        try:
            return {"ok": True, **do(workspace, arguments)}
        except No as no:
            return {"ok": False, "error": str(no)}
        except limits.Wrong as wrong:
            code = str(wrong) if " " not in str(wrong) else "invalid_blocks"
            return {
                "ok": False,
                "error": code,
                "response_metadata": {"messages": [str(wrong)]},
            }

    # Methods

    def _auth_test(self, workspace: Workspace, _: Json) -> Json:
        return {
            "team_id": workspace.id,
            "team": "Test",
            "user": "easel",
            "user_id": workspace.bot_user,
            "bot_id": workspace.bot,
            "enterprise_id": workspace.enterprise,
            "is_enterprise_install": workspace.is_all,
        }

    def _channel(self, workspace: Workspace, name: object) -> str:
        channel = workspace.channels.get(str(name))
        if channel is None:
            raise No("channel_not_found")
        if workspace.bot_user not in channel.members:
            # What people say among themselves does not even exist for a bot.
            raise No(
                "channel_not_found" if channel.is_im else "not_in_channel"
            )
        if channel.archived:
            raise No("is_archived")
        return channel.id

    def _chat_post_message(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        if (
            workspace.channels[channel].is_im
            and workspace.id not in self.world.workspaces
        ):
            raise No("channel_not_found")
        said = self._say(workspace, channel, arguments, update=False)
        self.world.messages.append(said)
        return {
            "channel": channel,
            "ts": said.ts,
            "message": self.world.message_json(said),
        }

    def _say(
        self,
        workspace: Workspace,
        channel: str,
        arguments: Json,
        *,
        update: bool,
    ) -> Message:
        blocks = given(arguments, "blocks")
        whole = {**arguments, "blocks": blocks}
        self.world.check(
            "message",
            limits.message,
            whole,
            self.world.file_type,
            update=update,
        )
        thread = str(arguments.get("thread_ts") or "")
        return Message(
            channel=channel,
            ts=self.world.stamp(),
            user=workspace.bot_user,
            text=str(arguments.get("text") or ""),
            blocks=blocks or [],
            thread_ts=thread,
            metadata=given(arguments, "metadata"),
            client_msg_id=str(arguments.get("client_msg_id") or ""),
        )

    def _chat_update(self, workspace: Workspace, arguments: Json) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        message = self.world.find(channel, str(arguments.get("ts")))
        if message is None:
            raise No("message_not_found")
        if message.user != workspace.bot_user or message.files:
            raise No("cant_update_message")
        new = self._say(workspace, channel, arguments, update=True)
        message.text, message.blocks, message.metadata = (
            new.text,
            new.blocks,
            new.metadata,
        )
        message.edits += 1
        return {"channel": channel, "ts": message.ts, "text": message.text}

    def _chat_delete(self, workspace: Workspace, arguments: Json) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        message = self.world.find(channel, str(arguments.get("ts")))
        if message is None:
            raise No("message_not_found")
        if message.user != workspace.bot_user:
            raise No("cant_delete_message")
        message.deleted = True
        return {"channel": channel, "ts": message.ts}

    def _chat_post_ephemeral(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        user = str(arguments.get("user"))
        if user not in workspace.channels[channel].members:
            raise No("user_not_in_channel")
        said = self._say(workspace, channel, arguments, update=False)
        said.only_for = user
        self.world.messages.append(said)
        return {"message_ts": said.ts}

    def _chat_get_permalink(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        stamp = str(arguments["message_ts"]).replace(".", "")
        return {
            "permalink": f"https://test.slack.com/archives/{arguments['channel']}/p{stamp}"
        }

    def _files_get_upload_urlexternal(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        if int(arguments.get("length") or 0) < 1 or not arguments.get(
            "filename"
        ):
            raise No("invalid_arguments")
        if len(str(arguments.get("alt_txt") or "")) > 1000:
            raise No("alt_txt_too_large")
        name = str(arguments["filename"])
        kinds = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
        file = File(
            id=self.world.number("F"),
            name=name,
            data=b"",
            owner=workspace.bot_user,
            mimetype=kinds.get(
                name.rpartition(".")[2], "application/octet-stream"
            ),
            alt=str(arguments.get("alt_txt") or ""),
            ready=float("inf"),
        )
        self.world.files[file.id] = file
        return {
            "upload_url": f"{self.world.base}/upload/v1/{file.id}",
            "file_id": file.id,
        }

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        if request.headers.get("Authorization"):
            self.world.violations.append(
                "a token was sent to the upload address"
            )
        if self.upload_faults:
            return web.Response(status=self.upload_faults.pop())
        file = self.world.files[request.match_info["file"]]
        file.data = content
        return web.Response(text=f"OK - {len(content)}")

    def _files_complete_upload_external(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        files = [
            self.world.files.get(uploaded["id"])
            for uploaded in given(arguments, "files") or []
        ]
        if not files or any(
            file is None or not file.data or file.deleted for file in files
        ):
            raise No("file_not_found")
        complete = [file for file in files if file is not None]
        for uploaded in complete:
            uploaded.ready = time.monotonic() + self.world.ready_after
        answer = {
            "files": [
                {"id": uploaded.id, "title": uploaded.name}
                for uploaded in complete
            ]
        }
        if not arguments.get("channel_id"):
            return answer
        channel = self._channel(workspace, arguments["channel_id"])
        dropped = self.world.drop_shares_with_alt and any(
            uploaded.alt for uploaded in complete
        )
        if self.world.dropped_shares > 0:
            self.world.dropped_shares -= 1
            dropped = True
        if dropped:
            return answer
        asyncio.get_running_loop().call_later(
            self.world.share_after,
            self._share,
            workspace,
            channel,
            arguments,
            complete,
        )
        return answer

    def _share(
        self,
        workspace: Workspace,
        channel: str,
        arguments: Json,
        files: list[File],
    ) -> None:
        living = [file for file in files if not file.deleted]
        if not living:
            return
        said = Message(
            channel=channel,
            ts=self.world.stamp(),
            user=workspace.bot_user,
            text=str(arguments.get("initial_comment") or ""),
            thread_ts=str(arguments.get("thread_ts") or ""),
            files=[shared.id for shared in living],
        )
        self.world.messages.append(said)
        for shared in living:
            shared.shares[channel] = said.ts

    def _files_info(self, workspace: Workspace, arguments: Json) -> Json:
        file = self.world.files.get(str(arguments.get("file")))
        if file is None or file.deleted:
            raise No("file_not_found")
        return {"file": self.world.file_json(file, full=True)}

    def _files_delete(self, workspace: Workspace, arguments: Json) -> Json:
        file = self.world.files.get(str(arguments.get("file")))
        if file is None or file.deleted:
            raise No("file_deleted")
        if file.owner != workspace.bot_user:
            raise No("cant_delete_file")
        # Its message stays: "This file was deleted."
        file.deleted = True
        return {}

    def _users_info(self, workspace: Workspace, arguments: Json) -> Json:
        user = workspace.users.get(str(arguments.get("user")))
        if user is None:
            raise No("user_not_found")
        profile = {
            "id": user.id,
            "team_id": user.home or workspace.id,
            "is_stranger": bool(user.home),
            "name": user.name,
            "real_name": user.name,
            "is_admin": user.is_admin,
            "is_bot": user.is_bot,
            "profile": {"display_name": user.name},
        }
        if str(arguments.get("include_locale")) == "true":
            profile["locale"] = user.locale
        return {"user": profile}

    def _users_conversations(self, workspace: Workspace, _: Json) -> Json:
        mine = [
            channel
            for channel in workspace.channels.values()
            if workspace.bot_user in channel.members and not channel.is_im
        ]
        return {
            "channels": [
                {"id": joined.id, "name": joined.name} for joined in mine
            ]
        }

    def _conversations_open(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        user = str(arguments.get("users"))
        if user not in workspace.users:
            raise No("user_not_found")
        return {"channel": {"id": self.direct(workspace, user)}}

    def direct(self, workspace: Workspace, user: str) -> str:
        """The direct message of a person and the bot."""
        name = "D" + user[1:]
        members = {user, workspace.bot_user}
        workspace.channels.setdefault(
            name, Channel(id=name, name="", members=members, is_im=True)
        )
        return name

    def _conversations_replies(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        thread = str(arguments.get("ts"))
        replies = [
            message
            for message in self._history_of(channel)
            if thread in {message.ts, message.thread_ts}
        ]
        if not replies:
            raise No("thread_not_found")
        oldest = float(arguments.get("oldest") or 0)
        # Slack gives the thread's first message whatever is asked for.
        recent = [
            message
            for message in replies
            if float(message.ts) >= oldest or message.ts == thread
        ]
        return {
            "messages": [
                self._history_json(message, arguments)
                for message in recent[: int(arguments.get("limit") or 1000)]
            ]
        }

    def _conversations_history(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        channel = self._channel(workspace, arguments.get("channel"))
        messages = [
            message
            for message in self._history_of(channel)
            if not message.thread_ts
        ][::-1]
        return {
            "messages": [
                self._history_json(message, arguments)
                for message in messages[: int(arguments.get("limit") or 100)]
            ]
        }

    def _history_of(self, channel: str) -> list[Message]:
        return [
            message
            for message in self.world.messages
            if message.channel == channel
            and not message.deleted
            and not message.only_for
        ]

    def _history_json(self, message: Message, arguments: Json) -> Json:
        payload = self.world.message_json(message)
        if str(arguments.get("include_all_metadata")) != "true":
            payload.pop("metadata", None)
        return payload

    def _views_open(self, workspace: Workspace, arguments: Json) -> Json:
        trigger = str(arguments.get("trigger_id"))
        ends = self.world.triggers.pop(trigger, None)
        if ends is None:
            raise No("exchanged_trigger_id")
        if time.monotonic() > ends:
            raise No("expired_trigger_id")
        view = given(arguments, "view")
        self.world.check("modal", limits.view, view, self.world.file_type)
        opened = {
            **view,
            "id": self.world.number("V"),
            "team_id": workspace.id,
        }
        self.world.views[trigger] = opened
        return {"view": opened}

    def _views_publish(self, workspace: Workspace, arguments: Json) -> Json:
        view = given(arguments, "view")
        self.world.check("home", limits.view, view, self.world.file_type)
        self.world.homes[str(arguments.get("user_id"))] = view
        return {"view": view}

    def _assistant_threads_set_status(
        self, workspace: Workspace, arguments: Json
    ) -> Json:
        self._channel(workspace, arguments.get("channel_id"))
        self.world.statuses.append(arguments)
        return {}

    def _oauth(self, arguments: Json) -> Json:
        if arguments.get("grant_type") == "refresh_token":
            workspace = self.refreshes.pop(
                str(arguments.get("refresh_token")), None
            )
            if workspace is None:
                return {"ok": False, "error": "invalid_refresh_token"}
            workspace.token = f"xoxe.{self.world.number('xoxb-')}"
            workspace.expires = time.time() + 43_200
            return self._installation(workspace)
        workspace = self.codes.pop(str(arguments.get("code")), None)
        if workspace is None:
            return {"ok": False, "error": "invalid_code"}
        return self._installation(workspace)

    def _installation(self, workspace: Workspace) -> Json:
        refresh = self.world.number("xoxe-1-")
        self.refreshes[refresh] = workspace
        return {
            "ok": True,
            "app_id": "A1",
            "authed_user": {"id": next(iter(workspace.users))},
            "scope": workspace.scopes,
            "token_type": "bot",
            "access_token": workspace.token,
            "bot_user_id": workspace.bot_user,
            "refresh_token": refresh,
            "expires_in": 43_200,
            "team": None
            if workspace.is_all
            else {"id": workspace.id, "name": "Test"},
            "enterprise": {"id": workspace.enterprise, "name": "Org"}
            if workspace.enterprise
            else None,
            "is_enterprise_install": workspace.is_all,
        }

    # Files and response addresses

    async def _file(self, request: web.Request) -> web.Response:
        if self.download_faults:
            return web.Response(status=self.download_faults.pop())
        token = request.headers.get("Authorization", "").removeprefix(
            "Bearer "
        )
        workspace = self.world.by_token(token)
        file = self.world.files.get(
            request.match_info["spot"].partition("-")[2]
        )
        if file is None or file.deleted:
            return web.Response(status=404)
        if workspace is None or "files:read" not in workspace.scopes:
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        return web.Response(body=file.data, content_type=file.mimetype)

    async def _hook(self, request: web.Request) -> web.Response:
        used = self.world.hooks.get(request.match_info["hook"])
        if used is None or len(used) >= 5:
            return web.Response(status=404, text="used_url")
        used.append(json.loads(await request.text()))
        return web.Response(text="ok")


def _function(method: str) -> str:
    return "_" + re.sub(
        "[A-Z]+", lambda found: f"_{found[0].lower()}", method
    ).replace(".", "_")


def _refusal(workspace: Workspace | None, scope: str) -> Json:
    if workspace is None:
        return {"error": "invalid_auth"}
    if workspace.is_revoked:
        return {"error": "token_revoked"}
    if workspace.expires is not None and time.time() > workspace.expires:
        return {"error": "token_expired"}
    if scope and scope not in workspace.scopes.split(","):
        return {"error": "missing_scope", "needed": scope}
    return {}


async def _arguments(request: web.Request) -> Json:
    """Arguments from the address, a form or JSON."""
    query: Json = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        return {**query, **json.loads(await request.text() or "{}")}
    return {**query, **dict(await request.post())}
