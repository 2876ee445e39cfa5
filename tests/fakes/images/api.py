"""An OpenAI-compatible images API on loopback: pictures as base64, words by chat, prices elsewhere.

It knows nothing of our code: endpoints, fields, limits and error bodies are those of the vendor's
reference (create image, create image edit, create chat completion).
"""

import asyncio
import base64
import binascii
import hashlib
import io
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField
from PIL import Image, ImageDraw

KEY = "sk-images"
SIZES = ("1024x1024", "1536x1024", "1024x1536")
MODELS = {"picture-1", "describer-1"}
MAX_N, MAX_PROMPT, MAX_IMAGES = 10, 32000, 16


class ApiError(Exception):
    """The vendor's answer to a bad request."""

    def __init__(
        self, status: int, kind: str, code: str, message: str, **headers: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message}}
        self.headers = headers


def invalid(message: str, code: str = "invalid_value") -> ApiError:
    return ApiError(400, "invalid_request_error", code, message)


@dataclass(kw_only=True)
class ImagesApi:
    """One account. ``faults`` happen to the next calls, one each; ``seconds`` a call takes."""

    url: str = ""
    seconds: float = 0.0
    faults: deque[str] = field(default_factory=deque)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post(
            "/v1/images/generations", self._answer(self._generate)
        )
        app.router.add_post("/v1/images/edits", self._answer(self._edit))
        app.router.add_post("/v1/chat/completions", self._answer(self._chat))
        return app

    def _answer(self, work: Any) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self.faults.popleft() if self.faults else ""
            headers = {"x-request-id": f"req_{uuid.uuid4().hex}"}
            try:
                self._check(request, fault)
                body = await work(request)
            except ApiError as error:
                return web.json_response(
                    error.body,
                    status=error.status,
                    headers={**headers, **error.headers},
                )
            await asyncio.sleep(self.seconds)
            if fault == "lose":
                assert request.transport
                request.transport.close()
            if fault == "nonsense":
                return web.Response(text="<html>", content_type="text/html")
            return web.json_response(body, headers=headers)

        return handle

    def _check(self, request: web.Request, fault: str) -> None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            raise ApiError(
                401,
                "invalid_request_error",
                "invalid_api_key",
                "Incorrect API key.",
            )
        if fault == "busy":
            raise ApiError(
                429,
                "requests",
                "rate_limit_exceeded",
                "Rate limit reached.",
                **{"Retry-After": "1"},
            )
        if fault == "break":
            raise ApiError(
                500, "server_error", "server_error", "The server had an error."
            )

    async def _generate(self, request: web.Request) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise invalid(
                "Unsupported content type.", "unsupported_content_type"
            )
        return self._make(json.loads(await request.read()), [])

    async def _edit(self, request: web.Request) -> dict[str, Any]:
        if request.content_type != "multipart/form-data":
            raise invalid(
                "Unsupported content type.", "unsupported_content_type"
            )
        form = await request.post()
        names = ("image", "image[]")
        files = [file for name in names for file in form.getall(name, [])]
        images: list[Image.Image] = []
        for file in files:
            if not isinstance(file, FileField):
                raise invalid("Invalid type for 'image': expected a file.")
            images.append(_open(file.file.read()))
        if not 1 <= len(images) <= MAX_IMAGES:
            raise invalid("Missing required parameter: 'image'.")
        fields = {name: form[name] for name in form if name not in names}
        if "n" in fields:
            fields["n"] = int(str(fields["n"]))  # type: ignore[assignment]
        return self._make(fields, images)

    def _make(self, fields: Any, images: list[Image.Image]) -> dict[str, Any]:
        prompt, n = self._common(fields)
        size = fields.get("size", "1024x1024")
        if size not in SIZES:
            raise invalid(
                f"Invalid value: '{size}'. Supported values are: {SIZES}."
            )
        width, _, height = size.partition("x")
        self.accepted.append({"prompt": prompt, "n": n, "images": len(images)})
        pictures = [
            _paint(prompt, (int(width), int(height)), images, at)
            for at in range(n)
        ]
        return {
            "created": 1764500000,
            "data": [
                {"b64_json": base64.b64encode(picture).decode()}
                for picture in pictures
            ],
            "usage": {"total_tokens": 100 * n},
        }

    def _common(self, fields: Any) -> tuple[str, int]:
        if fields.get("model") not in MODELS:
            raise ApiError(
                404,
                "invalid_request_error",
                "model_not_found",
                "The model does not exist or you do not have access to it.",
            )
        prompt, n = fields.get("prompt"), fields.get("n", 1)
        if not isinstance(prompt, str) or not 0 < len(prompt) <= MAX_PROMPT:
            raise invalid("Invalid 'prompt': string too long or empty.")
        if not isinstance(n, int) or not 1 <= n <= MAX_N:
            raise invalid(
                f"Invalid 'n': expected a value between 1 and {MAX_N}."
            )
        if "[moderation]" in prompt:
            raise ApiError(
                400,
                "image_generation_user_error",
                "moderation_blocked",
                "Your request was rejected by the safety system.",
            )
        return prompt, n

    async def _chat(self, request: web.Request) -> dict[str, Any]:
        fields = json.loads(await request.read())
        content = fields["messages"][0]["content"]
        texts = [part["text"] for part in content if part["type"] == "text"]
        prompt, _ = self._common(
            {"model": fields.get("model"), "prompt": texts[0]}
        )
        urls = [
            part["image_url"]["url"] for part in content if "image_url" in part
        ]
        image = _open(base64.b64decode(urls[0].partition(";base64,")[2]))
        self.accepted.append({"prompt": prompt, "n": 1, "images": len(urls)})
        words = f"A picture of {image.width} by {image.height} pixels."
        message = {"role": "assistant", "content": words}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return {"object": "chat.completion", "choices": [choice]}


def _open(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except (OSError, binascii.Error):
        raise invalid("Invalid image file.", "invalid_image_file") from None
    return image.convert("RGB")


def _paint(
    prompt: str, size: tuple[int, int], images: list[Image.Image], at: int
) -> bytes:
    """The prompt's own colour, over the first picture when one is edited."""
    digest = hashlib.sha256(f"{prompt}|{at}".encode()).digest()
    canvas = Image.new("RGB", size, (digest[0], digest[1], digest[2]))
    if images:
        canvas = Image.blend(images[0].resize(size), canvas, 0.4)
    ImageDraw.Draw(canvas).rectangle(
        (16, 16, 64 + digest[3], 64), fill="white"
    )
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@asynccontextmanager
async def serve_images() -> AsyncIterator[ImagesApi]:
    """The API on a free port of loopback."""
    api = ImagesApi()
    runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}/v1"
    try:
        yield api
    finally:
        await runner.cleanup()
