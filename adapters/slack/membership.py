"""Whether the bot is a member of a channel. Slack delivers commands from every channel."""

import asyncio

from cachetools import TTLCache

from adapters.slack.api import SlackApi
from adapters.slack.users import LOOK_SECONDS
from core.errors import DeliveryError
from core.incoming import Incoming, Kind
from core.types import Place

TYPED = frozenset({Kind.COMMAND, Kind.SHORTCUT, Kind.FORM})
"""What comes from channels that we are not in, too."""
UNINVITED = frozenset({"not_in_channel", "channel_not_found"})
"""What Slack says of a channel that we could be invited to."""
DIRECT = "D"
"""What ids of direct messages begin with."""
CACHE_SECONDS = 600.0
CACHE_SIZE = 10_000


class Membership:
    """Remembers for ten minutes which channels the bot is in."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._joined: TTLCache[tuple[str, str], bool] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS
        )

    async def check(self, incoming: Incoming) -> str:
        """Return the message key of why no picture may be posted there.

        "" where one may be, and where Slack does not answer within ``LOOK_SECONDS``.
        """
        place = incoming.place
        # What people write to each other is answered in our own direct message.
        if incoming.kind not in TYPED or place.channel.startswith(DIRECT):
            return ""
        if (place.workspace, place.channel) in self._joined:
            return ""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look(place)
        except TimeoutError:
            return ""
        except DeliveryError as error:
            code = error.params.get("code")
            return "slack.not_invited" if code in UNINVITED else ""
        # Only a yes is remembered: an invitation must work at once.
        self._joined[place.workspace, place.channel] = True
        return ""

    async def _look(self, place: Place) -> None:
        """Read the newest message: only members may. Raises DeliveryError."""
        await self._api.get(
            place.workspace,
            "conversations.history",
            channel=place.channel,
            limit=1,
        )
