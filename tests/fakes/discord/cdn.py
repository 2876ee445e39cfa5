"""The CDN: signed links that end, ephemeral files that vanish."""

import asyncio
import hmac
import time

from aiohttp import web

from tests.fakes.discord.rest import fault_response, hang_up
from tests.fakes.discord.things import Fault
from tests.fakes.discord.world import World, sign


class Cdn:
    """Files by signed link."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fetched = 0

    def routes(self, app: web.Application) -> None:
        """Where files are."""
        app.router.add_get(
            "/cdn/{kind:attachments|ephemeral-attachments}/{place}/{file}/{name}",
            self._file,
        )

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization"):
            self.world.violations.append("a token was sent to the CDN")
        waiting = self.world.faults["cdn"]
        fault = waiting.popleft() if waiting else Fault()
        await asyncio.sleep(fault.seconds)
        if time.monotonic() < self.world.down_until:
            fault = Fault(drop=True)
        if fault.drop or fault.reset:
            hang_up(request, reset=fault.reset)
            return web.Response()
        if not fault.is_only_slow:
            return fault_response(fault)
        file = self.world.attachments.get(request.match_info["file"])
        if (
            file is None
            or self.world.now() > file.gone
            or not self._is_signed(request)
        ):
            return web.Response(
                status=404, text="This content is no longer available."
            )
        self.fetched += 1
        return web.Response(body=file.data, content_type=file.content_type)

    def _is_signed(self, request: web.Request) -> bool:
        try:
            ends, begins = (
                int(request.query["ex"], 16),
                int(request.query["is"], 16),
            )
        except (KeyError, ValueError):
            return False
        good = hmac.compare_digest(
            sign(request.path, ends, begins), request.query.get("hm", "")
        )
        return good and self.world.now() < ends
