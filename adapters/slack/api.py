"""The one way to call Slack's Web API.

The workspace's token, a timeout, Retry-After, and errors as ours.

Nothing is repeated but what Slack said it did not take (429): a lost answer may have had its
effect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from core.errors import DeliveryError

TIMEOUT = 15
"""Seconds of one call."""
PATIENCE = 60.0
"""Seconds of Retry-After we wait in all before a call fails."""
PASSING = frozenset(
    {
        "ratelimited",
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
"""Workspace → its bot token; ``anew=True`` after Slack refused the last one. Raises DeliveryError."""


class SlackError(DeliveryError):
    """Slack said no: ``code`` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(
            "slack.refused", permanent=code not in PASSING, code=code or "no answer"
        )
        self.code = code


def session() -> aiohttp.ClientSession:
    """The one HTTP session for Slack: nothing from the environment.

    Make it inside the running loop.
    """
    return aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


def web_client(
    url: str, http: aiohttp.ClientSession, token: str | None = None
) -> AsyncWebClient:
    """The SDK's client, which repeats nothing by itself."""
    return AsyncWebClient(
        token=token, base_url=url, session=http, timeout=TIMEOUT, retry_handlers=[]
    )


class SlackApi:
    """Web API of every workspace. ``url`` ends in ``/api/``."""

    def __init__(self, url: str, http: aiohttp.ClientSession, tokens: Tokens) -> None:
        self._url = url
        self._http = http
        self._tokens = tokens

    async def say(
        self, workspace: str, method: str, **arguments: Any
    ) -> dict[str, Any]:
        """A method that takes JSON. Raises SlackError."""
        return await self._call(workspace, method, json=_given(arguments))

    async def look(
        self, workspace: str, method: str, **arguments: Any
    ) -> dict[str, Any]:
        """A method that reads. Raises SlackError."""
        return await self._call(
            workspace, method, http_verb="GET", params=_given(arguments)
        )

    async def form(
        self, workspace: str, method: str, **arguments: Any
    ) -> dict[str, Any]:
        """A method that takes a form, which the SDK would put into the address.

        Raises SlackError.
        """
        return await self._call(workspace, method, data=_given(arguments))

    async def _call(self, workspace: str, method: str, **how: Any) -> dict[str, Any]:
        waited, refused = 0.0, False
        while True:
            token = await self._tokens(workspace, anew=refused)
            try:
                answer = await web_client(self._url, self._http, token).api_call(
                    method, **how
                )
            except SlackApiError as error:
                code, wait = reason_of(error)
                if code in STALE_TOKEN and not refused:
                    refused = True
                    continue
                if wait is None or waited + wait > PATIENCE:
                    raise SlackError(code) from None
                await asyncio.sleep(wait)
                waited += wait
            except (TimeoutError, aiohttp.ClientError, OSError):
                # Their texts may hold the request, and with it the token.
                raise SlackError("") from None
            else:
                found = answer.data
                return dict(found) if isinstance(found, Mapping) else {}


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def reason_of(error: SlackApiError) -> tuple[str, float | None]:
    """Slack's own word, and after how many seconds to try again if it was not taken."""
    answer = error.response
    data = getattr(answer, "data", None)
    code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if getattr(answer, "status_code", None) != 429:
        return code, None
    after = str(answer.headers.get("Retry-After", "1"))
    return "ratelimited", min(float(after), PATIENCE + 1) if after.isdecimal() else 1.0
