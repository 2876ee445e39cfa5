"""Pages opened by a signed link: a picture at full size, a history, before and after.

And how pages are made.
"""

import html
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from core import sessions
from core.answers import queries
from core.errors import EaselError, NotFound
from core.flow import status
from core.flow.context import Context
from core.i18n import negotiate, translate
from core.languages import Plural, languages, meta, sentences
from core.signed_links import Purpose
from core.types import Picture, Step
from core.views import answers

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
SHOWN = frozenset({"image/png", "image/jpeg", "image/webp"})


def page(
    name: str,
    locale: str,
    title: str,
    values: Mapping[str, str] | None = None,
    *,
    data: object = None,
) -> str:
    """The page, its sentences and values escaped.

    Its script is given the sentences of its table, and ``data``.
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

    def filled(found: re.Match[str]) -> str:
        key = found[1]
        return (
            raw[key]
            if key in raw
            else html.escape(plain[key] if key in plain else translate(key, language))
        )

    return PLACEHOLDER.sub(
        filled, _template("frame").replace("{{content}}", _template(name))
    )


@cache
def _template(name: str) -> str:
    return (files("adapters.web") / "templates" / f"{name}.html").read_text(
        encoding="utf-8"
    )


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
    names = {language: meta(language).get("name", language) for language in languages()}
    return "\n".join(
        f'<option value="{language}" lang="{language}">{html.escape(name)}</option>'
        for language, name in names.items()
    )


def in_script(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def locale_of(request: Request) -> str:
    """``?lang=``, or the first of the browser's languages that we speak."""
    wanted = request.query_params.get("lang")
    wanted = wanted or request.headers.get("accept-language", "")
    locales = [choice.partition(";")[0].strip() for choice in wanted[:200].split(",")]
    return negotiate(*locales)


def sorry(error: EaselError, locale: str) -> Response:
    """A page that says why there is nothing to see, without detail.

    What is missing and what was deleted read alike.
    """
    key = "refuse.picture_gone" if isinstance(error, NotFound) else error.key
    code = 403 if key == "link.invalid" else 410
    return HTMLResponse(
        page(
            "sorry", locale, "Easel", {"text": translate(key, locale, **error.params)}
        ),
        code,
    )


class Pages:
    """Everything a signed link can show. GET only, and no effect."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """Paths and handlers."""
        shown = {
            Purpose.PICTURE: self._picture,
            Purpose.VIEW: self._view,
            Purpose.HISTORY: self._history,
            Purpose.COMPARE: self._compare,
        }
        return [
            Route(
                f"/{purpose.value}/{{token}}",
                self._opened(purpose, handler),
                methods=["GET"],
            )
            for purpose, handler in shown.items()
        ]

    def _opened(
        self,
        purpose: Purpose,
        handler: Callable[[Request, dict[str, str]], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def opened(request: Request) -> Response:
            try:
                claims = self._context.links.read(
                    purpose, request.path_params["token"], self._context.clock.now()
                )
                return await handler(request, claims)
            except EaselError as error:
                return sorry(error, locale_of(request))

        return opened

    async def _picture(self, request: Request, claims: dict[str, str]) -> Response:
        data = await self._context.blobs.read(claims["t"], claims["k"])
        kind = claims["m"] if claims["m"] in SHOWN else "application/octet-stream"
        how = "attachment" if "download" in request.query_params else "inline"
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", claims["n"])[:80]
        headers = {
            "content-disposition": f'{how}; filename="{name}"',
            "cache-control": "private, max-age=86400, immutable",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        return Response(data, media_type=kind, headers=headers)

    async def _view(self, request: Request, claims: dict[str, str]) -> Response:
        await self._context.blobs.read(claims["t"], claims["k"])
        src = self._context.links.path(
            Purpose.PICTURE,
            _plain(claims),
            self._context.clock.now() + queries.LINK_LIFE,
        )
        return HTMLResponse(page("view", locale_of(request), claims["n"], {"src": src}))

    async def _history(self, request: Request, claims: dict[str, str]) -> Response:
        locale = locale_of(request)
        made = await queries.made_in(self._context, claims["t"], claims["s"])
        head = await self._context.store.head(claims["t"], claims["s"])
        known = {step.id for step in made}
        nodes = [
            {
                "id": step.id,
                "parent": step.parent if step.parent in known else None,
                "label": answers.node_labels(
                    step, foreign=step.session != claims["s"], locale=locale
                )[0],
                "text": step.prompt or translate(f"action.{step.action.value}", locale),
                "head": head is not None and head.step == step.id,
                "pictures": [
                    self._src(step.tenant, one, step, at)
                    for at, one in enumerate(step.outputs)
                ],
            }
            for step in made
        ]
        return HTMLResponse(
            page("history", locale, translate("page.history", locale), data=nodes)
        )

    async def _compare(self, request: Request, claims: dict[str, str]) -> Response:
        locale = locale_of(request)
        step = await self._context.store.step(claims["t"], claims["s"])
        index = int(claims["i"])
        after = sessions.picture_at(step, index)
        labels = answers.compare_labels(
            step, await status.parent_of(self._context, step), locale
        )
        values = {
            "before": self._src(step.tenant, step.inputs[0], step, 0),
            "after": self._src(step.tenant, after, step, index),
            "before_label": labels[0],
            "after_label": labels[1],
        }
        title = step.prompt or translate(f"action.{step.action.value}", locale)
        return HTMLResponse(page("compare", locale, title, values))

    def _src(self, tenant: str, picture: Picture, step: Step, index: int) -> str:
        name = f"v{step.number}-{step.id}-{index + 1}.{picture.media_type.rpartition('/')[2]}"
        claims = {"t": tenant, "k": picture.key, "n": name, "m": picture.media_type}
        return self._context.links.path(
            Purpose.PICTURE, claims, self._context.clock.now() + queries.LINK_LIFE
        )


def _plain(claims: Mapping[str, str]) -> dict[str, str | int]:
    return dict(claims)
