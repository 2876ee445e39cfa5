"""Progress lines within Slack's limits, and "Easel is drawing …" under threads that show it."""

import time
from collections import defaultdict, deque

import structlog
from cachetools import TTLCache

from adapters.slack.api import SlackApi, SlackError
from core.i18n import clip, translate
from core.post import Post
from core.types import Place

PROGRESS_A_MINUTE = 30
"""Progress lines a workspace may be shown a minute; Slack takes 50 updates, and results go first.
"""
SIGN_SECONDS = 60.0
"""How often "is drawing …" is said again: Slack takes it away after two minutes."""
SIGN_LENGTH = 50
REFUSAL_SECONDS = 3600.0
"""How long a thread that would not show the sign is left alone."""
MAX_SIGNS = 200

log = structlog.get_logger()


class Progress:
    """Remembers when each workspace was shown what. ``locale``: of posts that name none."""

    def __init__(self, api: SlackApi, locale: str) -> None:
        self._api = api
        self._locale = locale
        self._updates: defaultdict[str, deque[float]] = defaultdict(deque)
        self._signed: TTLCache[tuple[str, str], bool] = TTLCache(
            MAX_SIGNS, SIGN_SECONDS
        )
        self._refused: TTLCache[tuple[str, str], bool] = TTLCache(
            MAX_SIGNS, REFUSAL_SECONDS
        )

    def has_room(self, workspace: str) -> bool:
        """Whether one more line may be shown this minute; if so, it counts as shown."""
        updates = self._updates[workspace]
        now = time.monotonic()
        while updates and now - updates[0] > 60:
            updates.popleft()
        if len(updates) >= PROGRESS_A_MINUTE:
            return False
        updates.append(now)
        return True

    async def show_sign(self, place: Place, post: Post) -> None:
        """Show under its thread that we are at work. Failures of this courtesy are ignored."""
        thread = (place.workspace, place.thread)
        if (
            not place.thread
            or thread in self._signed
            or thread in self._refused
        ):
            return
        # Before the call: it may be slow, and the next line is on its way.
        self._signed[thread] = True
        # Slack writes the app's name before it: "Easel is at work …".
        sign = translate("slack.at_work", post.locale or self._locale)
        await self._set_sign(place, clip(sign, SIGN_LENGTH))

    async def clear_sign(self, place: Place) -> None:
        """Remove the sign: nothing more will come."""
        thread = (place.workspace, place.thread)
        if self._signed.pop(thread, False):
            await self._set_sign(place, "")

    async def _set_sign(self, place: Place, sign: str) -> None:
        try:
            await self._api.post_json(
                place.workspace,
                "assistant.threads.setStatus",
                channel_id=place.channel,
                thread_ts=place.thread,
                status=sign,
            )
        except SlackError as error:
            self._refused[place.workspace, place.thread] = True
            log.debug("no_sign", code=error.code)
