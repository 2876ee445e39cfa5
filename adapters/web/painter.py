"""The mask painter: a page opened by a signed link.

The page reads the token from its address, removes it there, and sends it in a header from then on.
Opening the page does not use the link up; submitting the mask does.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.requests import Request as WebRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from adapters.web.pages import locale_of, page, sorry
from adapters.web.requests import refusal
from core.answers import drafts, masks
from core.errors import EaselError, Rejected
from core.flow.context import Context
from core.i18n import translate
from core.operations import NEEDS_WORDS, Action
from core.service import Service
from core.signed_links import Purpose
from core.types import Request, Tenant

PNG = b"\x89PNG\r\n\x1a\n"
STATUSES = {"link.invalid": 403, "link.expired": 410, "link.used": 409}
Handler = Callable[[WebRequest, Tenant, Request], Awaitable[Response]]
"""Takes the web request, the tenant and the draft."""


class Painter:
    """The page and its three calls."""

    def __init__(self, service: Service, context: Context) -> None:
        self._service = service
        self._context = context

    def routes(self) -> list[Route]:
        """Paths and handlers."""
        return [
            Route(
                "/mask/about",
                self._with_draft(self._about),
                methods=["GET"],
            ),
            Route(
                "/mask/picture",
                self._with_draft(self._picture),
                methods=["GET"],
            ),
            Route(
                "/mask/submit",
                self._with_draft(self._submit),
                methods=["POST"],
            ),
            Route("/mask/", self._page, methods=["GET"]),
            Route("/mask/{token}", self._page, methods=["GET"]),
        ]

    async def _page(self, request: WebRequest) -> Response:
        # A robot that previews links sees this page and nothing else, and uses nothing up.
        locale = locale_of(request)
        token = request.path_params.get("token")
        if token:
            try:
                _, draft = await self._read_draft(token)
            except EaselError as error:
                return sorry(error, locale)
            # The chat speaks this language to the person; so will the answer to the mask.
            locale = draft.locale
        title = translate("painter.title", locale)
        return HTMLResponse(page("painter", locale, title))

    def _with_draft(
        self, handler: Handler
    ) -> Callable[[WebRequest], Awaitable[Response]]:
        async def handle(request: WebRequest) -> Response:
            authorization = request.headers.get("authorization", "")
            _, _, token = authorization.partition("Bearer ")
            locale = locale_of(request)
            try:
                tenant, draft = await self._read_draft(token)
                locale = draft.locale
                return await handler(request, tenant, draft)
            except EaselError as error:
                return refusal(error, locale, STATUSES.get(error.key))

        return handle

    async def _read_draft(self, token: str) -> tuple[Tenant, Request]:
        now = self._context.clock.now()
        claims = self._context.links.read(Purpose.MASK, token, now)
        tenant = Tenant(claims["t"])
        return tenant, await drafts.read(self._context, tenant, claims["d"])

    async def _about(
        self,
        _request: WebRequest,
        _tenant: Tenant,
        draft: Request,
    ) -> Response:
        picture = await masks.picture_of(self._context, draft)
        limits = [
            model.prompt_limit
            for model in self._context.catalog.models.values()
            if draft.action in model.actions
        ]
        about = {
            "prompt": draft.text,
            "width": picture.width,
            "height": picture.height,
            "limit": max(limits),
            "required": Action.INPAINT in NEEDS_WORDS,
        }
        return JSONResponse(about)

    async def _picture(
        self,
        _request: WebRequest,
        tenant: Tenant,
        draft: Request,
    ) -> Response:
        picture = await masks.picture_of(self._context, draft)
        data = await self._context.blobs.read(tenant, picture.key)
        return Response(data, media_type=picture.media_type)

    async def _submit(
        self,
        request: WebRequest,
        tenant: Tenant,
        draft: Request,
    ) -> Response:
        if request.headers.get("content-type") != "image/png":
            raise Rejected("picture.format", allowed="PNG")
        mask = await request.body()
        if not mask.startswith(PNG):
            raise Rejected("picture.format", allowed="PNG")
        token = request.headers["authorization"].removeprefix("Bearer ")
        now = self._context.clock.now()
        claims = self._context.links.read(Purpose.MASK, token, now)
        prompt = unquote(request.headers.get("easel-prompt", ""))
        await self._service.paint(tenant, claims["d"], mask, prompt)
        text = translate("mask.painted", draft.locale)
        return JSONResponse({"text": text}, 202)
