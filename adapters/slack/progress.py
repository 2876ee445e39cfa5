"""What Slack is told of work under way.

Within its limits, and where it can, as "Easel is drawing …".
"""

import time
from collections import deque

import structlog

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
        self._signed: dict[tuple[str, str], float] = {}

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
        spot, now = (place.workspace, place.thread), time.monotonic()
        if (
            not place.thread
            or now - self._signed.get(spot, -SIGN_SECONDS) < SIGN_SECONDS
        ):
            return
        if len(self._signed) > MOST_SIGNS:
            self._signed.clear()
        self._signed[spot] = now
        words = clip(post.text.partition("\n")[0], SIGN_TEXT)
        how = {"channel_id": place.channel, "thread_ts": place.thread, "status": words}
        try:
            await self._api.say(place.workspace, "assistant.threads.setStatus", **how)
        except SlackError as error:
            self._signed[spot] = now + REFUSED_SECONDS
            log.debug("no_sign", code=error.code)
