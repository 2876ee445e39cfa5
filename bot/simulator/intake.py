"""What comes in: bodies, forms, and pictures as the vendor fetches and checks them."""

import base64
import binascii
import io
import json
from typing import Any

import httpx
from PIL import Image
from starlette.requests import Request

from bot.simulator.models import Rule
from bot.simulator.refusals import Refusal, invalid
from bot.simulator.rules import ImageRequest
from bot.simulator.sizes import Pixels

MAX_REQUEST = 96 * 1024 * 1024
MAX_DATA_URI = 10_485_760
FORMATS = {"JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "MPO"}
LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for bytes that are no picture, depending on the format."""


def check_pictures(
    request: ImageRequest,
    rule: Rule,
    inputs: tuple[bytes, ...],
    mask: bytes | None,
) -> None:
    """Raises Refusal for an input the model does not take."""
    has_function = request.function is not None
    sizes = [check_picture(content, rule, has_function) for content in inputs]
    if (
        mask is not None
        and check_picture(mask, rule, has_function) != sizes[0]
    ):
        raise invalid(
            "the parameters must conform to the specification: "
            "mask and base image must have the same size."
        )


def check_picture(content: bytes, rule: Rule, has_function: bool) -> Pixels:
    """The size of a picture the model takes; raises Refusal."""
    if len(content) > rule.max_bytes:
        raise too_large()
    try:
        with Image.open(io.BytesIO(content)) as image:
            # Opening reads the header alone; a picture cut short shows only now.
            image.load()
            kind = image.format
            size = image.size
            bands = image.getbands()
    except UNREADABLE:
        raise _unreadable() from None
    is_animated_kind = kind == "GIF" and has_function
    has_alpha = "A" in bands and not rule.alpha
    if kind not in FORMATS or is_animated_kind or has_alpha:
        raise invalid("image format error")
    if rule.sides is not None:
        least, most = rule.sides
        if min(size) < least or max(size) > most:
            raise invalid("the size of input image is too small or too large.")
    return size


def from_data_uri(uri: str) -> bytes:
    """The bytes of a data URI of at most 10 485 760 characters. Raises Refusal."""
    if len(uri) > MAX_DATA_URI:
        raise invalid(
            f"Exceeded limit on max bytes per data-uri item : {MAX_DATA_URI}'."
        )
    head, _, text = uri.partition(",")
    if not head.endswith(";base64"):
        raise invalid_url()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _unreadable() from None


async def download(url: str, limit: int) -> bytes:
    """As the vendor fetches: type and length are looked at. Raises Refusal.

    Only loopback can be reached from here.
    """
    if not url.startswith(LOOPBACK):
        raise invalid("download image failed")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            answer = await client.get(url)
    except httpx.HTTPError:
        raise invalid("download image failed") from None
    if answer.status_code != 200:
        raise invalid("download image failed")
    if not answer.headers.get("content-type", "").startswith("image/"):
        raise invalid("Wrong Content-Type of multimodal url")
    if len(answer.content) > limit:
        raise too_large()
    return answer.content


def too_large() -> Refusal:
    """A picture of too many bytes."""
    return invalid("Multimodal file size is too large")


def invalid_url() -> Refusal:
    """An address that is none."""
    return invalid(
        "The provided URL does not appear to be valid. Ensure it is correctly formatted."
    )


def _unreadable() -> Refusal:
    return invalid("Invalid image format or corrupted file")


async def read_json(request: Request) -> Any:
    """The request's body; raises Refusal."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST:
            raise Refusal(400, "BadRequest.TooLarge", "Payload Too Large.")
    try:
        return json.loads(body)
    except ValueError:
        raise invalid(
            "Required body invalid, please check the request body format."
        ) from None


def form(body: bytes, content_type: str) -> dict[str, bytes]:
    """The fields of a multipart form, enough for the upload's flat one."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    fields: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        _, _, quoted = head.partition(b'name="')
        name, _, _ = quoted.partition(b'"')
        fields[name.decode()] = content.removesuffix(b"\r\n")
    return fields


def whole_number(text: str | None, default: int) -> int:
    """A number in a query, or the default."""
    if text and text.isascii() and text.isdecimal() and len(text) < 12:
        return int(text)
    return default
