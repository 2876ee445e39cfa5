"""Words that only one person in a channel can read."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from adapters.slack.api import SlackApi, SlackError
from adapters.slack.reply import SlackReply
from core.post import PostedMessage
from core.types import Person, Place
from core.url_policy import is_allowed

RESPONSE_TIMEOUT = aiohttp.ClientTimeout(total=10)


class EphemeralClient:
    """Ephemeral messages. ``response_hosts``: hosts that a response_url may name."""

    def __init__(
        self,
        api: SlackApi,
        http: aiohttp.ClientSession,
        response_hosts: tuple[str, ...],
    ) -> None:
        self._api = api
        self._http = http
        self._response_hosts = response_hosts

    async def post(
        self,
        place: Place,
        message: Mapping[str, Any],
        to: Person,
        reply: Mapping[str, str],
    ) -> PostedMessage | None:
        """Post in the channel, else as the response to an event. None where neither is possible."""
        thread = place.thread
        if thread == SlackReply.read(reply).ts:
            # In a thread that nobody has begun yet it would stay unseen.
            thread = ""
        try:
            answer = await self._api.post_json(
                place.workspace,
                "chat.postEphemeral",
                channel=place.channel,
                user=to.id,
                thread_ts=thread or None,
                link_names=False,
                parse="none",
                **message,
            )
        except SlackError as error:
            if not error.permanent:
                raise
        else:
            ts = str(answer.get("message_ts", ""))
            return PostedMessage(place=place, message=ts)
        if await self.respond(reply, message):
            return PostedMessage(place=place, message="")
        return None

    async def respond(
        self,
        reply: Mapping[str, str],
        message: Mapping[str, Any],
    ) -> bool:
        """Use an event's response_url: it works five times within half an hour."""
        url = SlackReply.read(reply).response_url
        if not is_allowed(url, self._response_hosts):
            return False
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            **message,
        }
        try:
            async with self._http.post(
                url,
                json=body,
                allow_redirects=False,
                timeout=RESPONSE_TIMEOUT,
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
