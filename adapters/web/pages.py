"""Pages opened by a signed link: a picture at full size, a history, before and after.

``page`` fills the templates of every page, also of the room and the painter.
"""

import asyncio
import html
import json
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
)
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from core import sessions
from core.answers import edit_tree
from core.errors import EaselError, NotFound
from core.flow import status_posts
from core.flow.context import Context
from core.flow.exporting import Export
from core.i18n import negotiate, translate
from core.languages import Plural, languages, meta, sentences
from core.signed_links import Purpose
from core.types import Picture, Step, StepId, Tenant
from core.views import answers

Claims = dict[str, str]
"""What a signed link says."""

PLACEHOLDER = re.compile(r"\{\{([a-z_.]+)\}\}")
PAGES = {
    "room": ("room", "room", "room"),
    "painter": ("painter", "painter", "painter"),
    "view": ("pages", "view", "page"),
    "compare": ("pages", "compare", "page"),
    "history": ("pages", "history", "page"),
    "sorry": ("pages", "page", "page"),
}
"""Style sheet, script and table of sentences of each page."""
EXPORTS = 2
"""Exports that are written at a time."""
SHOWN = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Media types a browser may show. A picture of any other kind is downloaded."""
Handler = Callable[[Request, Claims], Awaitable[Response]]
"""Takes the web request and the claims of its link."""


def page(
    name: str,
    locale: str,
    title: str,
    values: Mapping[str, str] | None = None,
    *,
    data: object = None,
) -> str:
    """Fill a page's template. Its sentences and ``values`` are escaped.

    Its script gets the sentences of its table, and ``data``.
    """
    language = negotiate(locale)
    style, script, table = PAGES[name]
    plain = {
        "lang": language,
        "title": title,
        "style": style,
        "script": script,
        **(values or {}),
    }
    raw = {
        "words": script_words(table, language),
        "data": in_script(data),
        "languages": _language_options(),
    }

    def fill(placeholder: re.Match[str]) -> str:
        key = placeholder[1]
        if key in raw:
            return raw[key]
        if key in plain:
            return html.escape(plain[key])
        return html.escape(translate(key, language))

    template = _template("frame").replace("{{content}}", _template(name))
    return PLACEHOLDER.sub(fill, template)


@cache
def _template(name: str) -> str:
    folder = files("adapters.web") / "templates"
    return (folder / f"{name}.html").read_text(encoding="utf-8")


@cache
def script_words(table: str, language: str) -> str:
    """A table of sentences as JSON that may stand in a script element."""
    words: dict[str, object] = {}
    for key, text in sentences(language).items():
        area, _, name = key.partition(".")
        if area not in {table, "shared"}:
            continue
        if isinstance(text, Plural):
            words[name] = {"by": text.by, **text.forms}
        else:
            words[name] = text
    return in_script(words)


def _language_options() -> str:
    """The menu of languages, each called by its own name."""
    names = {
        language: meta(language).get("name", language)
        for language in languages()
    }
    return "\n".join(
        f'<option value="{language}" lang="{language}">{html.escape(name)}</option>'
        for language, name in names.items()
    )


def in_script(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    # "</script>" inside a string would end the element: JSON has another way to write "<".
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def locale_of(request: Request) -> str:
    """Choose ``?lang=``, or the first of the browser's languages that we speak."""
    choices = request.query_params.get("lang")
    choices = choices or request.headers.get("accept-language", "")
    # "pl;q=0.8": browsers send their choices in order, so the weights can be ignored.
    locales = [
        choice.partition(";")[0].strip() for choice in choices[:200].split(",")
    ]
    return negotiate(*locales)


def sorry(error: EaselError, locale: str) -> Response:
    """Show why there is nothing to see, without detail.

    Missing and deleted things read alike.
    """
    key = "refuse.picture_gone" if isinstance(error, NotFound) else error.key
    status = 403 if key == "link.invalid" else 410
    reason = translate(key, locale, **error.params)
    return HTMLResponse(
        page("sorry", locale, "Easel", {"text": reason}), status
    )


class Pages:
    """The pages behind signed links. GET only, and without effect."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._exporting = asyncio.Semaphore(EXPORTS)

    def routes(self) -> list[Route]:
        """Paths and handlers."""
        return [
            self._route(Purpose.PICTURE, self._picture),
            self._route(Purpose.VIEW, self._view),
            self._route(Purpose.HISTORY, self._history),
            self._route(Purpose.COMPARE, self._compare),
            self._route(Purpose.EXPORT, self._export),
        ]

    def _route(self, purpose: Purpose, handler: Handler) -> Route:
        async def handle(request: Request) -> Response:
            token = request.path_params["token"]
            now = self._context.clock.now()
            try:
                claims = self._context.links.read(purpose, token, now)
                return await handler(request, claims)
            except EaselError as error:
                return sorry(error, locale_of(request))

        return Route(f"/{purpose.value}/{{token}}", handle, methods=["GET"])

    async def _picture(self, request: Request, claims: Claims) -> Response:
        data = await self._context.blobs.read(claims["t"], claims["k"])
        kind = (
            claims["m"] if claims["m"] in SHOWN else "application/octet-stream"
        )
        disposition = (
            "attachment" if "download" in request.query_params else "inline"
        )
        # A file name in a header must not end the header.
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", claims["n"])[:80]
        # Even if a browser took it for a document, it could run nothing.
        headers = {
            "content-disposition": f'{disposition}; filename="{name}"',
            "cache-control": "private, max-age=86400, immutable",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        return Response(data, media_type=kind, headers=headers)

    async def _view(self, request: Request, claims: Claims) -> Response:
        # Raises NotFound for a deleted picture, so that its page says so.
        await self._context.blobs.read(claims["t"], claims["k"])
        src = self._picture_path(dict(claims))
        return HTMLResponse(
            page("view", locale_of(request), claims["n"], {"src": src})
        )

    async def _history(self, request: Request, claims: Claims) -> Response:
        locale = locale_of(request)
        branch = edit_tree.branch_of_link(claims)
        steps = await edit_tree.session_tree(self._context, branch)
        ids = {step.id for step in steps}
        nodes: list[Mapping[str, object]] = []
        for step in steps:
            label, _ = answers.node_labels(
                step, foreign=branch.is_foreign(step), locale=locale
            )
            pictures = [
                self._src(picture, step, index)
                for index, picture in enumerate(step.outputs)
            ]
            node = {
                "id": step.id,
                "parent": step.parent if step.parent in ids else None,
                "label": label,
                "text": _words_of(step, locale),
                "head": step.id == claims["h"],
                "pictures": pictures,
            }
            nodes.append(node)
        title = translate("page.history", locale)
        return HTMLResponse(page("history", locale, title, data=nodes))

    async def _compare(self, request: Request, claims: Claims) -> Response:
        locale = locale_of(request)
        step = await self._context.store.step(
            Tenant(claims["t"]), StepId(claims["s"])
        )
        index = int(claims["i"])
        after = sessions.picture_at(step, index)
        parent = await status_posts.parent_of(self._context, step)
        labels = answers.compare_labels(step, parent, locale)
        values = {
            "before": self._src(sessions.source_of(step), step, 0),
            "after": self._src(after, step, index),
            "before_label": labels[0],
            "after_label": labels[1],
        }
        return HTMLResponse(
            page("compare", locale, _words_of(step, locale), values)
        )

    async def _export(self, _request: Request, claims: Claims) -> Response:
        """All that is kept of a person, written while it is sent."""
        tenant, person = Tenant(claims["t"]), claims["p"]
        platform = tenant.partition(":")[0]
        tenants = await self._context.people.tenants_of(platform, person)
        headers = {
            "content-disposition": 'attachment; filename="easel.zip"',
            "cache-control": "no-store",
        }
        return StreamingResponse(
            self._write_export(person, {tenant, *tenants}),
            media_type="application/zip",
            headers=headers,
        )

    async def _write_export(
        self, person: str, tenants: Collection[Tenant]
    ) -> AsyncIterator[bytes]:
        async with self._exporting:
            export = Export(context=self._context, person=person)
            async for part in export.read(sorted(tenants)):
                yield part

    def _src(self, picture: Picture, step: Step, index: int) -> str:
        suffix = picture.media_type.rpartition("/")[2]
        name = f"v{step.number}-{step.id}-{index + 1}.{suffix}"
        return self._picture_path(
            {
                "t": step.tenant,
                "k": picture.key,
                "n": name,
                "m": picture.media_type,
            }
        )

    def _picture_path(self, claims: Mapping[str, str | int]) -> str:
        until = self._context.clock.now() + edit_tree.LINK_LIFE
        return self._context.links.path(Purpose.PICTURE, claims, until)


def _words_of(step: Step, locale: str) -> str:
    if step.deleted:
        return translate("result.removed", locale)
    return step.prompt or translate(f"action.{step.action.value}", locale)
