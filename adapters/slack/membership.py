"""Whether we are in a channel where a command was typed: commands work everywhere."""

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
    """The channels we are known to be in, for ten minutes."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._joined: TTLCache[tuple[str, str], bool] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS
        )

    async def closed(self, incoming: Incoming) -> str:
        """Why no picture may be posted there, as a message key.

        "" where it may, and where Slack does not say at once.
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
