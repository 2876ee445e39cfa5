"""A second provider, to prove the seam: an OpenAI-compatible images API."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Never

import httpx

from bot.providers import ProviderKind, Surroundings, http_client
from core.catalog import Catalog
from core.errors import (
    Charged,
    Misconfigured,
    ProviderError,
    Refused,
    Retryable,
    Uncertain,
)
from core.ports import Provider
from core.types import Account, ImageResult, Outcome, Picture, Task, Work
from tests.fakes.images.api import KEY

ACCOUNT = Account(name="studio", provider="images", region="images")
MAX_BODY = 64 * 1024 * 1024
CATALOG = """
provider = "images"
currency = "USD"

[regions.images]
url = ""

[models.picture-1]
source = "the vendor's reference: create image, create image edit"
actions = ["draw", "edit"]
endpoint = "images"
sync = true
regions = ["images"]
pictures = [0, 3]
n = [1, 4]
prompt = { limit = 32000, unit = "characters" }
size = { kind = "list", sizes = ["1024*1024", "1536*1024", "1024*1536"], default = "1024*1024" }
seconds = 0.5
price = { images = "0.04" }
rank = 50

[models.describer-1]
source = "the vendor's reference: create chat completion"
actions = ["edit"]
endpoint = "chat"
sync = true
regions = ["images"]
pictures = [1, 1]
n = [1, 1]
prompt = { limit = 32000, unit = "characters" }
size = { kind = "none" }
seconds = 0.5
price = { images = "0.002" }
rank = 60
"""


class ImagesProvider:
    """Provider port. Every call answers at once, so there are no tasks to wait for or to find."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: str,
        catalog: Catalog,
        read: Callable[[str, str], Awaitable[bytes]],
    ) -> None:
        self.account = ACCOUNT
        self.clock_ahead = None
        self.is_answering = True
        self._client = client
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._catalog = catalog
        self._read = read

    async def submit(self, work: Work) -> Outcome:
        pictures = [
            await self._file(work.tenant, picture) for picture in work.inputs
        ]
        if self._catalog.model(work.model).endpoint == "chat":
            body, request_id = await self._send(
                "/chat/completions", json=_question(work, pictures)
            )
            return _words(body, request_id)
        fields: dict[str, Any] = {"model": work.model, "prompt": work.prompt}
        fields |= {"n": work.n, "size": str(work.size).replace("*", "x")}
        if pictures:
            files = [("image[]", file) for file in pictures]
            form = {name: str(field) for name, field in fields.items()}
            body, request_id = await self._send(
                "/images/edits", data=form, files=files
            )
        else:
            body, request_id = await self._send(
                "/images/generations", json=fields
            )
        return _pictures(body, request_id)

    async def wait(self, work: Work, task: Task) -> Never:
        raise Uncertain("provider.expired", charged=Charged.MAYBE)

    async def find(
        self, work: Work, since: datetime, known: Sequence[str]
    ) -> Never:
        raise Uncertain("provider.lost", charged=Charged.MAYBE)

    async def cancel(self, task: Task) -> bool:
        return False

    async def download(self, url: str) -> Never:
        raise Refused("provider.result_host", charged=Charged.YES)

    async def _file(
        self, tenant: str, picture: Picture
    ) -> tuple[str, bytes, str]:
        content = await self._read(tenant, picture.key)
        return f"{picture.key[:8]}.png", content, picture.media_type

    async def _send(
        self, path: str, **request: Any
    ) -> tuple[dict[str, Any], str]:
        try:
            answer = await self._client.post(
                self._base_url + path,
                headers=self._headers,
                timeout=30,
                **request,
            )
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
        ) as error:
            self.is_answering = False
            raise Retryable(
                "provider.unreachable", code=type(error).__name__
            ) from None
        except httpx.HTTPError as error:
            raise _lost(type(error).__name__) from None
        request_id = answer.headers.get("x-request-id", "")
        try:
            body = answer.json() if len(answer.content) <= MAX_BODY else None
        except ValueError:
            body = None
        if answer.status_code >= 500 or not isinstance(body, dict):
            raise _lost(str(answer.status_code))
        if answer.status_code != 200:
            raise _error(answer, body, request_id)
        return body, request_id


def _lost(code: str) -> Uncertain:
    return Uncertain("provider.lost", charged=Charged.MAYBE, code=code)


def _error(
    answer: httpx.Response, body: dict[str, Any], request_id: str
) -> ProviderError:
    error = body.get("error")
    code = str(error.get("code")) if isinstance(error, dict) else ""
    if answer.status_code == 429:
        pause = answer.headers.get("retry-after", "")
        seconds = float(pause) if pause.isdecimal() else None
        return Retryable("provider.busy", code=code, retry_after=seconds)
    if answer.status_code in {401, 403}:
        return Misconfigured("provider.key", code=code, request_id=request_id)
    if code == "model_not_found":
        return Misconfigured(
            "provider.model", code=code, request_id=request_id
        )
    if code == "moderation_blocked":
        return Refused(
            "provider.moderation_input", code=code, request_id=request_id
        )
    return Refused("provider.parameter", code=code, request_id=request_id)


def _question(
    work: Work, pictures: list[tuple[str, bytes, str]]
) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": work.prompt}]
    for _, picture, media_type in pictures:
        url = f"data:{media_type};base64,{base64.b64encode(picture).decode()}"
        content.append({"type": "image_url", "image_url": {"url": url}})
    return {
        "model": work.model,
        "messages": [{"role": "user", "content": content}],
    }


def _words(body: dict[str, Any], request_id: str) -> Outcome:
    try:
        text = str(body["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        raise _lost("body") from None
    return Outcome(request_id=request_id, billed=1, text=text)


def _pictures(body: dict[str, Any], request_id: str) -> Outcome:
    items = body.get("data")
    if not isinstance(items, list) or not items:
        raise Refused(
            "provider.empty", charged=Charged.YES, request_id=request_id
        )
    results = tuple(_picture(entry) for entry in items)
    billed = sum(result.is_made for result in results)
    return Outcome(request_id=request_id, billed=billed, made=results)


def _picture(item: Any) -> ImageResult:
    try:
        return ImageResult(
            content=base64.b64decode(item["b64_json"], validate=True)
        )
    except (KeyError, TypeError, binascii.Error):
        return ImageResult(error="provider.not_a_picture")


def images_kind(url: str | None) -> ProviderKind:
    """As the program would be built with it; with None it has no key, so no account."""

    async def open_images(
        stack: AsyncExitStack, surroundings: Surroundings
    ) -> list[Provider]:
        if url is None:
            return []
        provider = ImagesProvider(
            client=await stack.enter_async_context(http_client()),
            base_url=url,
            api_key=KEY,
            catalog=surroundings.catalog,
            read=surroundings.blobs.read,
        )
        return [provider]

    return ProviderKind(catalog=lambda: CATALOG, open=open_images)
