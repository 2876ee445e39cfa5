"""The mask painter.

A page by signed link, which takes its picture and gives its mask with the token in a header.

The token stands in the address only until the page has read it; looking never uses it up, handing
in the mask does.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.requests import Request as WebRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from adapters.web.pages import locale_of, page, sorry
from adapters.web.room import refusal
from core.answers import masks
from core.errors import EaselError, Rejected
from core.flow.context import Context
from core.i18n import translate
from core.operations import NEEDS_WORDS
from core.service import Service
from core.signed_links import Purpose
from core.types import Action, Request

PNG = b"\x89PNG\r\n\x1a\n"
GONE = {"link.invalid": 403, "link.expired": 410, "link.used": 409}


class Painter:
    """The page and its three calls."""

    def __init__(self, service: Service, context: Context) -> None:
        self._service = service
        self._context = context

    def routes(self) -> list[Route]:
        """Paths and handlers."""
        return [
            Route("/mask/about", self._told(self._about), methods=["GET"]),
            Route("/mask/picture", self._told(self._picture), methods=["GET"]),
            Route("/mask/submit", self._told(self._submit), methods=["POST"]),
            Route("/mask/", self._page, methods=["GET"]),
            Route("/mask/{token}", self._page, methods=["GET"]),
        ]

    async def _page(self, request: WebRequest) -> Response:
        """The same page for whoever opens it.

        A preview robot finds nothing, and uses nothing up.
        """
        locale = locale_of(request)
        token = request.path_params.get("token")
        if token:
            try:
                await self._draft(token)
            except EaselError as error:
                return sorry(error, locale)
        return HTMLResponse(page("painter", locale, translate("painter.title", locale)))

    def _told(
        self, handler: Callable[[WebRequest, str, Request], Awaitable[Response]]
    ) -> Callable[[WebRequest], Awaitable[Response]]:
        async def told(request: WebRequest) -> Response:
            _, _, token = request.headers.get("authorization", "").partition("Bearer ")
            locale = locale_of(request)
            try:
                tenant, draft = await self._draft(token)
                locale = draft.locale
                return await handler(request, tenant, draft)
            except EaselError as error:
                return refusal(error, locale, GONE.get(error.key))

        return told

    async def _draft(self, token: str) -> tuple[str, Request]:
        claims = self._context.links.read(
            Purpose.MASK, token, self._context.clock.now()
        )
        return claims["t"], await masks.read_draft(
            self._context, claims["t"], claims["d"]
        )

    async def _about(
        self, _request: WebRequest, _tenant: str, draft: Request
    ) -> Response:
        picture = await masks.picture_of(self._context, draft)
        limit = max(
            one.prompt_limit
            for one in self._context.catalog.models.values()
            if draft.action in one.actions
        )
        required = Action.INPAINT in NEEDS_WORDS
        about = {
            "prompt": draft.text,
            "width": picture.width,
            "height": picture.height,
            "limit": limit,
        }
        return JSONResponse({**about, "required": required})

    async def _picture(
        self, _request: WebRequest, tenant: str, draft: Request
    ) -> Response:
        picture = await masks.picture_of(self._context, draft)
        return Response(
            await self._context.blobs.read(tenant, picture.key),
            media_type=picture.media_type,
        )

    async def _submit(
        self, request: WebRequest, tenant: str, draft: Request
    ) -> Response:
        if request.headers.get("content-type") != "image/png":
            raise Rejected("picture.format", allowed="PNG")
        mask = await request.body()
        if not mask.startswith(PNG):
            raise Rejected("picture.format", allowed="PNG")
        claims = self._context.links.read(
            Purpose.MASK,
            request.headers["authorization"].removeprefix("Bearer "),
            self._context.clock.now(),
        )
        prompt = unquote(request.headers.get("easel-prompt", ""))
        await self._service.paint(tenant, claims["d"], mask, prompt)
        return JSONResponse({"text": translate("mask.painted", draft.locale)}, 202)
