"""What Slack is told of work under way.

Within its limits, and where it can, as "Easel is drawing …".
"""

import time
from collections import deque

import structlog
from cachetools import TTLCache

from adapters.slack.api import SlackApi, SlackError
from core.i18n import clip
from core.post import Post
from core.types import Place

PROGRESS_A_MINUTE = 30
"""Progress lines a workspace may be shown a minute; Slack takes 50 updates, and results go first."""
SIGN_SECONDS = 60.0
"""How often "is drawing …" is said again: Slack takes it away after two minutes."""
SIGN_TEXT = 50
REFUSED_SECONDS = 3600
MOST_SIGNS = 200

log = structlog.get_logger()


class Progress:
    """Remembers when a workspace was told what."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._told: dict[str, deque[float]] = {}
        self._signed: TTLCache[tuple[str, str], bool] = TTLCache(
            MOST_SIGNS, SIGN_SECONDS
        )
        self._refused: TTLCache[tuple[str, str], bool] = TTLCache(
            MOST_SIGNS, REFUSED_SECONDS
        )

    def has_room(self, workspace: str) -> bool:
        """May one more line be shown this minute? It counts as shown."""
        told = self._told.setdefault(workspace, deque())
        now = time.monotonic()
        while told and now - told[0] > 60:
            told.popleft()
        if len(told) >= PROGRESS_A_MINUTE:
            return False
        told.append(now)
        return True

    async def show_sign(self, place: Place, post: Post) -> None:
        """The first line of it under a thread.

        A courtesy: a workspace that will not have it does without.
        """
        spot = (place.workspace, place.thread)
        if not place.thread or spot in self._signed or spot in self._refused:
            return
        self._signed[spot] = True
        words = clip(post.text.partition("\n")[0], SIGN_TEXT)
        how = {"channel_id": place.channel, "thread_ts": place.thread, "status": words}
        try:
            await self._api.say(place.workspace, "assistant.threads.setStatus", **how)
        except SlackError as error:
            self._refused[spot] = True
            log.debug("no_sign", code=error.code)
