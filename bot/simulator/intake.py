"""What comes in.

Bodies, forms, and pictures as the vendor fetches and checks them.
"""

import base64
import binascii
import io
import json
from typing import Any

import httpx
from PIL import Image
from starlette.requests import Request

from bot.simulator.rules import Refusal, Rule, Wanted, invalid

MAX_REQUEST = 96 * 1024 * 1024
MAX_DATA_URI = 10_485_760
FORMATS = {"JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "MPO"}


def check_pictures(
    wanted: Wanted, rule: Rule, inputs: tuple[bytes, ...], mask: bytes | None
) -> None:
    """Raises Refusal for an input the model does not take."""
    sizes = [check_picture(one, wanted, rule) for one in inputs]
    if mask is not None and check_picture(mask, wanted, rule) != sizes[0]:
        raise invalid(
            "the parameters must conform to the specification: mask and base image must have the same size."
        )


def check_picture(data: bytes, wanted: Wanted, rule: Rule) -> tuple[int, int]:
    """The size of a picture the model takes; raises Refusal."""
    if len(data) > rule.max_bytes:
        raise invalid("Multimodal file size is too large")
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            kind, size, bands = image.format, image.size, image.getbands()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise invalid("Invalid image format or corrupted file") from None
    allowed = FORMATS - ({"GIF"} if wanted.function else set())
    if kind not in allowed or ("A" in bands and not rule.alpha):
        raise invalid("image format error")
    if rule.sides and not (rule.sides[0] <= min(size) and max(size) <= rule.sides[1]):
        raise invalid("the size of input image is too small or too large.")
    return size


def from_data_uri(value: str) -> bytes:
    """The bytes of a data URI of at most 10 485 760 characters."""
    if len(value) > MAX_DATA_URI:
        raise invalid(
            f"Exceeded limit on max bytes per data-uri item : {MAX_DATA_URI}'."
        )
    head, _, text = value.partition(",")
    if not head.endswith(";base64"):
        raise invalid(
            "The provided URL does not appear to be valid. Ensure it is correctly formatted."
        )
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise invalid("Invalid image format or corrupted file") from None


async def download(url: str, limit: int) -> bytes:
    """As the vendor fetches: type and length are looked at.

    Only loopback can be reached from here.
    """
    if not url.startswith(("http://127.0.0.1:", "http://localhost:")):
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
        raise invalid("Multimodal file size is too large")
    return answer.content


async def body(request: Request) -> Any:
    """The request's JSON; raises Refusal."""
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
        head, _, value = (
            part.strip(b"\r\n").partition(b"\r\n\r\n")
            if part.count(b"\r\n\r\n")
            else (b"", b"", b"")
        )
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        fields[name] = (
            part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") if name else value
        )
    return fields


def whole(text: str | None, default: int) -> int:
    """A number in a query, or the default."""
    return (
        int(text)
        if text and text.isascii() and text.isdecimal() and len(text) < 12
        else default
    )
