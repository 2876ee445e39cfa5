"""The one way to call Slack's Web API.

It adds the workspace's token, a timeout, Retry-After, and errors of our own kind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from core.errors import DeliveryError
from core.log import log

Json = dict[str, Any]
"""A JSON object."""

TIMEOUT = 15
"""Seconds of one call."""
PATIENCE = 60.0
"""Seconds of Retry-After that a call may wait in all before it fails."""
PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "",
    }
)
"""Errors that may be gone in a moment; every other one is Slack's last word."""
STALE_TOKEN = frozenset({"token_expired", "invalid_auth"})
Tokens = Callable[..., Awaitable[str]]
"""Workspace → its bot token; ``reread=True`` after Slack refused the last one. Raises
DeliveryError."""


class SlackError(DeliveryError):
    """Slack said no: ``code`` is its own word for why, "" when it did not answer."""

    def __init__(self, code: str) -> None:
        super().__init__(
            "slack.refused",
            permanent=code not in PASSING,
            code=code or "no answer",
        )
        self.code = code


def session(proxy: str | None = None) -> aiohttp.ClientSession:
    """Open the one HTTP session for Slack. It takes nothing from the environment.

    ``proxy`` is the address of the proxy before Slack. Call it inside the running loop.
    """
    return aiohttp.ClientSession(
        proxy=proxy,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def web_client(
    url: str,
    http: aiohttp.ClientSession,
    token: str | None = None,
) -> AsyncWebClient:
    """The SDK's client, which repeats nothing by itself."""
    client = AsyncWebClient(
        token=token,
        base_url=url,
        session=http,
        timeout=TIMEOUT,
        retry_handlers=[],
    )
    # The SDK read one from the environment, for every host: the session knows better.
    client.proxy = None
    return client


class SlackApi:
    """The Web API of every workspace. ``url`` ends in ``/api/``."""

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        tokens: Tokens,
    ) -> None:
        self._url = url
        self._http = http
        self._tokens = tokens

    async def post_json(
        self,
        workspace: str,
        method: str,
        **arguments: Any,
    ) -> Json:
        """Call a method that takes JSON. Raises SlackError."""
        return await self._call(
            workspace,
            method,
            json=_without_none(arguments),
        )

    async def get(self, workspace: str, method: str, **arguments: Any) -> Json:
        """Call a method that reads. Raises SlackError."""
        params = _without_none(arguments)
        return await self._call(
            workspace,
            method,
            http_verb="GET",
            params=params,
        )

    async def post_form(
        self,
        workspace: str,
        method: str,
        **arguments: Any,
    ) -> Json:
        """Call a method that takes a form. Raises SlackError."""
        # In the body: of arguments alone the SDK would make a part of the address.
        return await self._call(
            workspace,
            method,
            data=_without_none(arguments),
        )

    async def _call(self, workspace: str, method: str, **request: Any) -> Json:
        waited = 0.0
        is_stale = False
        while True:
            token = await self._tokens(workspace, reread=is_stale)
            client = web_client(self._url, self._http, token)
            try:
                response = await client.api_call(method, **request)
            except SlackApiError as error:
                code, retry_after = reason_of(error)
                # Another process may have renewed the token: read it again, once.
                if code in STALE_TOKEN and not is_stale:
                    is_stale = True
                    continue
                # Only what Slack says it did not take is repeated: a lost answer may have had
                # its effect.
                if retry_after is None or waited + retry_after > PATIENCE:
                    raise SlackError(code) from None
                log.info("throttled", side="slack", seconds=retry_after)
                await asyncio.sleep(retry_after)
                waited += retry_after
            except (TimeoutError, aiohttp.ClientError, OSError):
                # Their texts may hold the request, and with it the token.
                raise SlackError("") from None
            else:
                return (
                    dict(response.data)
                    if isinstance(response.data, Mapping)
                    else {}
                )


def _without_none(arguments: Mapping[str, Any]) -> Json:
    return {
        name: argument
        for name, argument in arguments.items()
        if argument is not None
    }


def reason_of(error: SlackApiError) -> tuple[str, float | None]:
    """Slack's own word for why, and after how many seconds to try again if it took nothing."""
    response = error.response
    status = getattr(response, "status_code", None)
    if status != 429:
        body = getattr(response, "data", None)
        # A proxy's error is a page, not JSON.
        if not isinstance(body, Mapping):
            return "", None
        return str(body.get("error", "")), None
    seconds = str(response.headers.get("Retry-After", "1"))
    retry_after = float(seconds) if seconds.isdecimal() else 1.0
    return "ratelimited", min(retry_after, PATIENCE + 1)
