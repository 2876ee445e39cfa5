"""A chat platform behind an address.

The pictures of a result are uploaded to it over HTTP, as Slack wants them.
"""

from urllib.parse import quote

import httpx

from core.ports import Blobs
from core.post import Post, PostedMessage, Tone
from tests.fakes.memory_chat import MemoryChat

PACE = 1.0


class PostingChat(MemoryChat):
    """Chat port.

    ``results`` are the last posts of jobs that have ended; ``http`` has the platform's address.
    """

    pace = PACE

    def __init__(self, http: httpx.AsyncClient, blobs: Blobs) -> None:
        super().__init__()
        self._http = http
        self._blobs = blobs
        self.results: list[Post] = []

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change a message; upload what it shows."""
        for image in post.pictures:
            assert image.picture is not None
            content = await self._blobs.read(
                sent.place.tenant, image.picture.key
            )
            prompt = image.alt.partition(" (")[0]
            await self._http.post(f"/post/{quote(prompt)}", content=content)
        if post.tone is not Tone.STATUS:
            self.results.append(post)
        return await super().update(sent, post)
