"""Temporary storage for inputs: a signed policy, then the upload itself, then an oss:// address."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.simulator import intake, shapes
from bot.simulator.refusals import Refusal, invalid_field
from bot.simulator.tasks import Account

POLICY_SECONDS = 300
UPLOAD_SECONDS = 48 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A stored input, to be used with one model."""

    model: str
    stored: float
    content: bytes


class Uploads:
    """The uploads of one account."""

    def __init__(self, account: Account, secret: bytes) -> None:
        self._account = account
        self._secret = secret
        self._uploads: dict[str, Upload] = {}

    def content(self, request: Request, address: str, model: str) -> bytes:
        """The bytes of an ``oss://`` address. Raises Refusal."""
        if request.headers.get("x-dashscope-ossresourceresolve") != "enable":
            raise intake.invalid_url()
        upload = self._uploads.get(address.removeprefix("oss://"))
        if upload is None or not self._is_usable(upload, model):
            message = (
                "Failed to find the requested media resource "
                "during the data inspection process"
            )
            raise Refusal(400, "InvalidParameter.DataInspection", message)
        return upload.content

    def _is_usable(self, upload: Upload, model: str) -> bool:
        age = self._account.now() - upload.stored
        return upload.model == model and age <= UPLOAD_SECONDS

    async def give_policy(self, request: Request) -> Response:
        """Leave to upload one file for a model. Raises Refusal."""
        model = request.query_params.get("model", "")
        is_policy = request.query_params.get("action") == "getPolicy"
        if not is_policy or model not in self._account.rules:
            raise invalid_field("model")
        request_id = shapes.request_id()
        policy = {
            "expires": self._account.now() + POLICY_SECONDS,
            "dir": f"dashscope-instant/{request_id}",
            "model": model,
        }
        policy_json = json.dumps(policy)
        text = base64.b64encode(policy_json.encode()).decode()
        fields = {
            "policy": text,
            "signature": self._sign(text),
            "upload_dir": policy["dir"],
            "upload_host": f"{request.base_url}oss",
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": 1024,
            "capacity_limit_mb": 999999999,
            "oss_access_key_id": "simulator",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }
        return shapes.answer({"data": fields, "request_id": request_id})

    async def store(self, request: Request) -> Response:
        """Take an upload that a policy allows."""
        content_type = request.headers.get("content-type", "")
        fields = intake.form(await request.body(), content_type)
        text = _text(fields, "policy")
        signature = _text(fields, "Signature")
        if not hmac.compare_digest(self._sign(text), signature):
            return _error(403, "SignatureDoesNotMatch")
        policy = json.loads(base64.b64decode(text))
        if policy["expires"] < self._account.now():
            message = "Invalid according to Policy: Policy expired."
            return _error(403, "AccessDenied", message)
        key = _text(fields, "key")
        # As at the vendor, an upload never replaces another one.
        if not key.startswith(f"{policy['dir']}/") or key in self._uploads:
            return _error(409, "FileAlreadyExists")
        self._uploads[key] = Upload(
            model=policy["model"],
            stored=self._account.now(),
            content=fields.get("file", b""),
        )
        status = int(fields.get("success_action_status", b"204"))
        return Response(b"", status)

    def _sign(self, text: str) -> str:
        return hmac.new(
            self._secret,
            text.encode(),
            hashlib.sha256,
        ).hexdigest()


def _text(fields: Mapping[str, bytes], name: str) -> str:
    return fields.get(name, b"").decode()


def _error(status: int, code: str, message: str = "") -> Response:
    """The storage's own error, in XML."""
    explained = f"<Message>{message}</Message>" if message else ""
    xml = f"<Error><Code>{code}</Code>{explained}</Error>"
    return Response(xml, status, media_type="application/xml")
