"""Slack over HTTP: signed deliveries at /slack/events, installation at /slack/install.

Malformed requests get 401 or 400.
"""

import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import structlog
from cachetools import TTLCache
from slack_bolt import BoltResponse
from slack_bolt.adapter.starlette.async_handler import (
    to_async_bolt_request,
    to_starlette_response,
)
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.state_utils import OAuthStateUtils
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.slack.app import Payload, SlackApp
from core.i18n import translate

SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
STAMP = re.compile(r"[0-9]{1,12}")
WINDOW = 300
"""Seconds a signature is valid for, before and after its time."""
MAX_SEEN = 50_000
MAX_REPORTED, REPORT_SECONDS = 10, 60
MAX_FIELDS = 64
FORM = "application/x-www-form-urlencoded"

log = structlog.get_logger()


class SlackGuard:
    """Lets signed, fresh, well-formed deliveries through, each once."""

    def __init__(
        self,
        app: SlackApp,
        secret: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._verifier = SignatureVerifier(secret)
        self._now = now
        self._reported: TTLCache[str, bool] = TTLCache(
            MAX_REPORTED,
            REPORT_SECONDS,
            now,
        )
        self._seen: TTLCache[str, bool] = TTLCache(MAX_SEEN, 2 * WINDOW, now)

    def routes(self) -> list[Route]:
        """Take events, commands and interactions at one path."""
        return [Route("/slack/events", self._deliver, methods=["POST"])]

    async def _deliver(self, request: Request) -> Response:
        body = await request.body()
        signature = _only_header(request, "x-slack-signature")
        stamp = _only_header(request, "x-slack-request-timestamp")
        fault = self._find_fault(signature, stamp, body)
        if fault:
            self._report(fault)
            return PlainTextResponse("", 401)
        delivery = _read(request, body)
        if delivery is None:
            return PlainTextResponse("", 400)
        if signature in self._seen:
            return PlainTextResponse("")
        try:
            answer = await self._app.deliver(delivery)
        except Exception:
            log.exception("not_taken")
            return PlainTextResponse("", 500)
        # Only now: a delivery that failed may come again.
        self._seen[signature] = True
        if answer is None:
            return PlainTextResponse("")
        return JSONResponse(answer)

    def _find_fault(self, signature: str, stamp: str, body: bytes) -> str:
        """Say why Slack cannot have sent these bytes just now; "" if it can."""
        # The SDK's verifier raises on hostile headers: our own look comes first.
        if not SIGNATURE.fullmatch(signature) or not STAMP.fullmatch(stamp):
            return "unsigned"
        if abs(self._now() - int(stamp)) > WINDOW:
            return "clock"
        if not _is_text(body):
            return "no text"
        expected = self._verifier.generate_signature(
            timestamp=stamp,
            body=body,
        )
        if expected is None or not hmac.compare_digest(expected, signature):
            return "signature"
        return ""

    def _report(self, fault: str) -> None:
        """Log it, once a minute: people only see that Easel did not respond."""
        if fault in self._reported:
            return
        self._reported[fault] = True
        log.warning(
            "slack_refused",
            reason=fault,
            setting="SLACK_SIGNING_SECRET",
        )


def _only_header(request: Request, name: str) -> str:
    """A header that came once; "" where it is missing or ambiguous."""
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else ""


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read(request: Request, body: bytes) -> Payload | None:
    """The delivery. None when it is neither JSON nor a form, too deep, or of too many fields."""
    kind = request.headers.get("content-type", "")
    try:
        delivery = (
            _read_form(body) if kind.startswith(FORM) else json.loads(body)
        )
    except (ValueError, RecursionError):
        return None
    return delivery if isinstance(delivery, dict) else None


def _read_form(body: bytes) -> Any:
    pairs = parse_qsl(
        body.decode(),
        keep_blank_values=True,
        max_num_fields=MAX_FIELDS,
    )
    form = dict(pairs)
    # An interaction is one field of JSON, a command fields of its own.
    return json.loads(form["payload"]) if "payload" in form else form


class LaxStates(OAuthStateUtils):
    """The SDK's cookie of an installation, which no other site's form may bring along.

    The page that Slack leads back to needs it, so that "Strict" would be too much.
    """

    def build_set_cookie_for_new_state(self, state: str) -> str:
        """Say for how long, and from where, a browser sends it."""
        cookie = super().build_set_cookie_for_new_state(state)
        return f"{cookie}; SameSite=Lax"


def callbacks(locale: str) -> AsyncCallbackOptions:
    """The pages after an installation, whether it worked or not."""

    async def success(arguments: AsyncSuccessArgs) -> BoltResponse:
        del arguments
        return _plain(200, translate("slack.installed", locale))

    async def failure(arguments: AsyncFailureArgs) -> BoltResponse:
        log.warning("not_installed", reason=arguments.reason)
        return _plain(
            arguments.suggested_status_code,
            translate("slack.install_failed", locale),
        )

    return AsyncCallbackOptions(success=success, failure=failure)


def _plain(status: int, text: str) -> BoltResponse:
    return BoltResponse(
        status=status,
        body=text,
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )


def install_routes(flow: AsyncOAuthFlow, locale: str) -> list[Route]:
    """The page that leads to Slack, and the one Slack leads back to."""

    def endpoint(
        handle: Callable[..., Awaitable[BoltResponse]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            try:
                response = await handle(to_async_bolt_request(request, b""))
            except (SlackClientError, aiohttp.ClientError, TimeoutError):
                return PlainTextResponse(
                    translate("slack.install_failed", locale), 502
                )
            return to_starlette_response(response)

        return serve

    install = endpoint(flow.handle_installation)
    redirect = endpoint(flow.handle_callback)
    return [
        Route("/slack/install", install, methods=["GET"]),
        Route("/slack/oauth_redirect", redirect, methods=["GET"]),
    ]
