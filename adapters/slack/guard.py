"""Slack over HTTP: signed deliveries at /slack/events, installing at /slack/install.

Whatever is odd gets 401 or 400.

The SDK's verifier raises on hostile headers and takes the same signature twice: it is asked only
after our own look.
"""

import hmac
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import structlog
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
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.slack.app import Payload, SlackApp
from core.i18n import translate

SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
STAMP = re.compile(r"[0-9]{1,12}")
WINDOW = 300
"""Seconds a signature is worth something, before and after its time."""
REMEMBERED = 50_000
MOST_FIELDS = 64

log = structlog.get_logger()


class SlackGuard:
    """Lets signed, fresh, well-formed deliveries through, each once."""

    def __init__(
        self, app: SlackApp, secret: str, now: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._verifier = SignatureVerifier(secret)
        self._now = now
        self._seen: OrderedDict[str, float] = OrderedDict()

    def routes(self) -> list[Route]:
        """Events, commands and interactivity in one place."""
        return [Route("/slack/events", self._deliver, methods=["POST"])]

    async def _deliver(self, request: Request) -> Response:
        body = await request.body()
        signature = self._signature(request, body)
        if signature is None:
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
        self._remember(signature)
        return PlainTextResponse("") if answer is None else JSONResponse(answer)

    def _signature(self, request: Request, body: bytes) -> str | None:
        """The signature, if it is one of Slack's over these very bytes, and fresh."""
        signatures = request.headers.getlist("x-slack-signature")
        stamps = request.headers.getlist("x-slack-request-timestamp")
        if len(signatures) != 1 or len(stamps) != 1:
            return None
        signature, stamp = signatures[0], stamps[0]
        if (
            not SIGNATURE.fullmatch(signature)
            or not STAMP.fullmatch(stamp)
            or abs(self._now() - int(stamp)) > WINDOW
        ):
            return None
        try:
            body.decode()
        except UnicodeDecodeError:
            return None
        made = self._verifier.generate_signature(timestamp=stamp, body=body)
        return (
            signature
            if made is not None and hmac.compare_digest(made, signature)
            else None
        )

    def _remember(self, signature: str) -> None:
        """A delivery that was taken is not taken again; one that failed may come again."""
        now = self._now()
        self._seen[signature] = now
        while self._seen and (
            len(self._seen) > REMEMBERED
            or now - next(iter(self._seen.values())) > 2 * WINDOW
        ):
            self._seen.popitem(last=False)


def _read(request: Request, body: bytes) -> Payload | None:
    """What a delivery says.

    None when it is neither JSON nor a form, too deep, or of too many fields.
    """
    try:
        delivery: Any
        if request.headers.get("content-type", "").startswith(
            "application/x-www-form-urlencoded"
        ):
            delivery = dict(
                parse_qsl(
                    body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS
                )
            )
            delivery = (
                json.loads(delivery["payload"]) if "payload" in delivery else delivery
            )
        else:
            delivery = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return delivery if isinstance(delivery, dict) else None


def callbacks(locale: str) -> AsyncCallbackOptions:
    """What somebody reads who has installed us, or could not."""

    async def success(arguments: AsyncSuccessArgs) -> BoltResponse:
        del arguments
        return _plain(200, translate("slack.installed", locale))

    async def failure(arguments: AsyncFailureArgs) -> BoltResponse:
        log.warning("not_installed", reason=arguments.reason)
        return _plain(
            arguments.suggested_status_code, translate("slack.install_failed", locale)
        )

    return AsyncCallbackOptions(success=success, failure=failure)


def _plain(status: int, text: str) -> BoltResponse:
    return BoltResponse(
        status=status, body=text, headers={"Content-Type": "text/plain; charset=utf-8"}
    )


def install_routes(flow: AsyncOAuthFlow, locale: str) -> list[Route]:
    """The page that leads to Slack, and where Slack leads back to."""

    def through(
        step: Callable[..., Awaitable[BoltResponse]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def handled(request: Request) -> Response:
            try:
                found = await step(to_async_bolt_request(request, b""))
            except (SlackClientError, aiohttp.ClientError, TimeoutError):
                return PlainTextResponse(translate("slack.install_failed", locale), 502)
            return to_starlette_response(found)

        return handled

    return [
        Route("/slack/install", through(flow.handle_installation), methods=["GET"]),
        Route("/slack/oauth_redirect", through(flow.handle_callback), methods=["GET"]),
    ]
