"""The simulator's HTTP side.

DashScope's endpoints, result links, uploads, and /simulator/… controls for tests.

Words in a prompt bring the vendor's refusals about: [moderation] [moderation-output] [ip]
[arrearage] [fail] [partial].
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import math
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.simulator import faults, intake, shapes
from bot.simulator.paint import paint
from bot.simulator.persistence import Kept
from bot.simulator.rules import Refusal, Wanted, check, invalid
from bot.simulator.tasks import Account, SimulatorConfig, Task, beijing

__all__ = ["Running", "SimulatorConfig", "create_app", "serve"]

ENDPOINTS = {
    "/services/aigc/multimodal-generation/generation": "MM",
    "/services/aigc/image-generation/generation": "IG",
    "/services/aigc/text2image/image-synthesis": "T2I",
    "/services/aigc/image2image/image-synthesis": "I2I",
}
POLICY_SECONDS, UPLOAD_SECONDS = 300, 48 * 3600
TRIGGERS = {
    "[moderation]": Refusal(
        400, "DataInspectionFailed", "Input data may contain inappropriate content."
    ),
    "[ip]": Refusal(
        400,
        "IPInfringementSuspect",
        "Input data is suspected of being involved in IP infringement.",
    ),
    "[arrearage]": Refusal(
        400,
        "Arrearage",
        "Access denied, please make sure your account is in good standing.",
    ),
}
FAILING = {
    "[moderation-output]": (
        "DataInspectionFailed",
        "Output data may contain inappropriate content.",
    ),
    "[fail]": ("InternalError", "Internal server error!"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A simulator at work: base address up to and including /api/v1, host:port, its account."""

    url: str
    host: str
    account: Account


class Server:
    """The routes of one account."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.account = Account(config)
        self._secret = (
            Kept(config.folder).secret() if config.folder else secrets.token_bytes(16)
        )
        self._pictures: dict[tuple[str, int], bytes] = {}
        self._painting: dict[tuple[str, int], asyncio.Lock] = {}

    def app(self) -> Starlette:
        """Every path the vendor has, and ours for tests."""
        api = "/api/v1"
        routes = [
            Route(api + path, self._submit, methods=["POST"]) for path in ENDPOINTS
        ]
        routes += [
            Route(f"{api}/tasks", self._guarded("list", self._list), methods=["GET"]),
            Route(
                f"{api}/tasks/{{task_id}}",
                self._guarded("query", self._query),
                methods=["GET"],
            ),
            Route(
                f"{api}/tasks/{{task_id}}/",
                self._guarded("query", self._query),
                methods=["GET"],
            ),
            Route(
                f"{api}/tasks/{{task_id}}/cancel",
                self._guarded("cancel", self._cancel),
                methods=["POST"],
            ),
            Route(
                f"{api}/uploads", self._guarded("upload", self._policy), methods=["GET"]
            ),
            Route("/oss", self._store_upload, methods=["POST"]),
            Route("/results/{task_id}/{index:int}.png", self._result, methods=["GET"]),
            Route("/simulator/ledger", self._ledger, methods=["GET"]),
            Route("/simulator/faults", self._set_faults, methods=["POST", "DELETE"]),
            Route("/simulator/clock", self._move_clock, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    # Submitting

    async def _submit(self, request: Request) -> Response:
        endpoint = ENDPOINTS[request.url.path.removeprefix("/api/v1")]
        fault = self.account.take_fault("sync" if endpoint == "MM" else "submit")
        if fault and faults.is_before(fault):
            return await faults.response(fault)
        try:
            answer = await self._submitted(request, endpoint, fault)
        except Refusal as refusal:
            return shapes.refused(refusal)
        return (
            await faults.response(fault) if fault and faults.is_after(fault) else answer
        )

    async def _submitted(
        self, request: Request, endpoint: str, fault: dict[str, Any] | None
    ) -> Response:
        self._check_key(request)
        wanted = check(
            await intake.body(request),
            endpoint,
            request.headers.get("x-dashscope-async") == "enable",
            self.account.rules,
        )
        for word, refusal in TRIGGERS.items():
            if word in wanted.prompt:
                raise refusal
        self.account.check_submit(wanted.model, endpoint == "MM")
        inputs, mask, failure = await self._fetch_all(
            request, wanted, is_sync=endpoint == "MM"
        )
        task = self.account.accept(wanted, inputs, mask, is_sync=endpoint == "MM")
        self._spoil(task, failure, fault)
        if endpoint != "MM":
            return shapes.answer(
                {
                    "output": {"task_status": "PENDING", "task_id": task.id},
                    "request_id": task.request_id,
                }
            )
        await task.done.wait()
        if task.code:
            raise Refusal(
                500 if task.code.startswith("Internal") else 400,
                task.code,
                task.message,
            )
        return shapes.answer(await self._sync_body(request, task))

    def _spoil(
        self, task: Task, failure: tuple[str, str] | None, fault: dict[str, Any] | None
    ) -> None:
        """Decide now how the task will end, if not well."""
        for word, ending in FAILING.items():
            failure = ending if word in task.wanted.prompt else failure
        if "[partial]" in task.wanted.prompt and task.wanted.n > 1:
            task.failed_pictures = frozenset({task.wanted.n - 1})
        if fault and fault["kind"] == "task_failed":
            failure = (
                fault.get("code", "InternalError"),
                fault.get("message", "Internal server error!"),
            )
        if fault and fault["kind"] == "partial":
            task.failed_pictures = frozenset(range(1, task.wanted.n))
        if failure:
            task.code, task.message = failure

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            raise Refusal(401, "InvalidApiKey", "No API-key provided.")
        if not hmac.compare_digest(
            given.encode(), f"Bearer {self.config.api_key}".encode()
        ):
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")

    # Input pictures

    async def _fetch_all(
        self, request: Request, wanted: Wanted, *, is_sync: bool
    ) -> tuple[tuple[bytes, ...], bytes | None, tuple[str, str] | None]:
        """The pictures.

        A synchronous model refuses a bad one at once, a task fails with it soon after.
        """
        try:
            inputs = tuple(
                [await self._fetch(request, one, wanted) for one in wanted.images]
            )
            mask = (
                await self._fetch(request, wanted.mask, wanted) if wanted.mask else None
            )
            await asyncio.to_thread(
                intake.check_pictures, wanted, self.account.rule(wanted), inputs, mask
            )
        except Refusal as refusal:
            if is_sync:
                raise
            return (), None, (refusal.code, refusal.message)
        return inputs, mask, None

    async def _fetch(self, request: Request, value: str, wanted: Wanted) -> bytes:
        if value.startswith("data:"):
            return intake.from_data_uri(value)
        if value.startswith("oss://"):
            return self._from_upload(request, value, wanted)
        if not value.startswith(("http://", "https://")):
            raise invalid(
                "The provided URL does not appear to be valid. Ensure it is correctly formatted."
            )
        own = f"{request.base_url}results/"
        if value.startswith(own):
            return await self._own_result(value.removeprefix(own))
        return await intake.download(value, self.account.rule(wanted).max_bytes)

    async def _own_result(self, rest: str) -> bytes:
        path, _, query = rest.partition("?")
        task_id, _, name = path.partition("/")
        given = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
        index = name.removesuffix(".png")
        if not index.isdecimal() or not self._is_signed(task_id, int(index), given):
            message = "Don't have authorization to access the media resource during the data inspection process."
            raise invalid(message)
        return await self._picture(task_id, int(index))

    def _from_upload(self, request: Request, value: str, wanted: Wanted) -> bytes:
        if request.headers.get("x-dashscope-ossresourceresolve") != "enable":
            raise invalid(
                "The provided URL does not appear to be valid. Ensure it is correctly formatted."
            )
        model, stored, data = self.account.uploads.get(
            value.removeprefix("oss://"), ("", 0.0, b"")
        )
        if model != wanted.model or self.account.now() - stored > UPLOAD_SECONDS:
            message = "Failed to find the requested media resource during the data inspection process"
            raise Refusal(400, "InvalidParameter.DataInspection", message)
        return data

    # Tasks

    def _guarded(
        self, where: str, handler: Callable[[Request], Awaitable[Response]]
    ) -> Any:
        """Key, faults and the query limit, before the handler."""

        async def guarded(request: Request) -> Response:
            fault = self.account.take_fault(where)
            if fault and faults.is_before(fault):
                return await faults.response(fault)
            try:
                self._check_key(request)
                if where != "upload":
                    self.account.check_query()
                if fault and fault["kind"] == "unknown":
                    return shapes.answer(
                        shapes.unknown(request.path_params.get("task_id", ""))
                    )
                answer = await handler(request)
            except Refusal as refusal:
                return shapes.refused(refusal)
            return (
                await faults.response(fault)
                if fault and faults.is_after(fault)
                else answer
            )

        return guarded

    async def _query(self, request: Request) -> Response:
        task_id = request.path_params["task_id"]
        task = self.account.find(task_id)
        return shapes.answer(
            shapes.unknown(task_id) if task is None else self._task_body(request, task)
        )

    async def _cancel(self, request: Request) -> Response:
        self.account.cancel(request.path_params["task_id"])
        return shapes.answer({"request_id": shapes.request_id()})

    async def _list(self, request: Request) -> Response:
        page = max(1, intake.whole(request.query_params.get("page_no"), 1))
        size = min(100, max(1, intake.whole(request.query_params.get("page_size"), 10)))
        found = self.account.listed(request.query_params)
        rows = [shapes.row(task) for task in found[(page - 1) * size : page * size]]
        pages = math.ceil(len(found) / size)
        body = {
            "total": len(found),
            "data": rows,
            "total_page": pages,
            "page_no": page,
            "page_size": size,
        }
        return shapes.answer({**body, "request_id": shapes.request_id()})

    def _task_body(self, request: Request, task: Task) -> dict[str, Any]:
        n = task.wanted.n
        good = task.billed if task.state == "SUCCEEDED" else 0
        bad = (
            n
            if task.state == "FAILED"
            else len(task.failed_pictures)
            if task.state == "SUCCEEDED"
            else 0
        )
        output: dict[str, Any] = {
            "task_id": task.id,
            "task_status": task.state,
            "submit_time": beijing(task.accepted),
        }
        if task.started:
            output["scheduled_time"] = beijing(task.started)
        if task.ended:
            output["end_time"] = beijing(task.ended)
        if task.wanted.model not in {"qwen-image", "qwen-image-plus"}:
            output["task_metrics"] = {"TOTAL": n, "SUCCEEDED": good, "FAILED": bad}
        if task.state == "FAILED":
            output |= {"code": task.code, "message": task.message}
        body: dict[str, Any] = {"request_id": shapes.request_id(), "output": output}
        if task.state == "SUCCEEDED":
            output |= self._results(request, task)
            body["usage"] = shapes.usage(task, self.account.rule(task.wanted))
        return body

    def _results(self, request: Request, task: Task) -> dict[str, Any]:
        items = [self._item(request, task, index) for index in range(task.wanted.n)]
        if task.wanted.endpoint != "IG":
            return {"results": items}
        choices = [
            {
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": [{"image": one["url"], "type": "image"}],
                },
            }
            for one in items
            if "url" in one
        ]
        return {"choices": choices, "finished": True}

    def _item(self, request: Request, task: Task, index: int) -> dict[str, Any]:
        if index in task.failed_pictures:
            message = "An internal timeout error has occured during execution, please try again later."
            return {"code": "InternalError.Timeout", "message": message}
        item = {"url": self._link(request, task, index)}
        if task.wanted.function is None:
            item["orig_prompt"] = task.wanted.prompt
        return item

    async def _sync_body(self, request: Request, task: Task) -> dict[str, Any]:
        family = task.wanted.model
        content = [
            {"image": self._link(request, task, index)}
            for index in range(task.wanted.n)
        ]
        content = [
            one
            for index, one in enumerate(content)
            if index not in task.failed_pictures
        ]
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if family.startswith("z-image"):
            message |= {
                "content": [*content, {"text": task.wanted.prompt}],
                "reasoning_content": "",
            }
        output: dict[str, Any] = {
            "choices": [{"finish_reason": "stop", "message": message}]
        }
        if (
            family.startswith(("qwen-image-plus", "qwen-image-max"))
            or family == "qwen-image"
        ):
            output["task_metric"] = {"TOTAL": 1, "FAILED": 0, "SUCCEEDED": 1}
        await self._picture(task.id, 0)
        return {
            "output": output,
            "usage": shapes.usage(task, self.account.rule(task.wanted)),
            "request_id": task.request_id,
        }

    # Results

    def _link(self, request: Request, task: Task, index: int) -> str:
        expires = int((task.ended or self.account.now()) + self.config.result_ttl)
        signature = quote(self._signature(task.id, index, expires))
        return f"{request.base_url}results/{task.id}/{index}.png?Expires={expires}&Signature={signature}"

    def _signature(self, task_id: str, index: int, expires: int) -> str:
        text = f"{task_id}/{index}/{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]

    def _is_signed(self, task_id: str, index: int, given: Any) -> bool:
        expires = intake.whole(given.get("Expires"), 0)
        right = hmac.compare_digest(
            given.get("Signature", ""), self._signature(task_id, index, expires)
        )
        return right and self.account.now() < expires

    async def _result(self, request: Request) -> Response:
        fault = self.account.take_fault("result")
        if fault:
            return await faults.response(fault)
        task_id, index = request.path_params["task_id"], request.path_params["index"]
        if (
            not self._is_signed(task_id, index, request.query_params)
            or task_id not in self.account.tasks
        ):
            xml = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
            return Response(xml, 403, media_type="application/xml")
        return Response(await self._picture(task_id, index), media_type="image/png")

    async def _picture(self, task_id: str, index: int) -> bytes:
        """Painted once, when first wanted."""
        key = (task_id, index)
        async with self._painting.setdefault(key, asyncio.Lock()):
            if key not in self._pictures:
                task = self.account.tasks[task_id]
                self._pictures[key] = await asyncio.to_thread(
                    paint,
                    task.wanted,
                    self.account.rule(task.wanted),
                    task.inputs,
                    task.mask,
                    index,
                    task.seed,
                )
            return self._pictures[key]

    # Temporary uploads

    async def _policy(self, request: Request) -> Response:
        model = request.query_params.get("model", "")
        if (
            request.query_params.get("action") != "getPolicy"
            or model not in self.account.rules
        ):
            raise invalid(
                "Required parameter(model) missing or invalid, please check the request parameters."
            )
        request_id = shapes.request_id()
        policy = {
            "expires": self.account.now() + POLICY_SECONDS,
            "dir": f"dashscope-instant/{request_id}",
            "model": model,
        }
        text = base64.b64encode(json.dumps(policy).encode()).decode()
        data = {
            "policy": text,
            "signature": hmac.new(
                self._secret, text.encode(), hashlib.sha256
            ).hexdigest(),
            "upload_dir": policy["dir"],
            "upload_host": f"{request.base_url}oss",
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": 1024,
            "capacity_limit_mb": 999999999,
            "oss_access_key_id": "simulator",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }
        return shapes.answer({"data": data, "request_id": request_id})

    async def _store_upload(self, request: Request) -> Response:
        fields = intake.form(
            await request.body(), request.headers.get("content-type", "")
        )
        text = fields.get("policy", b"").decode()
        signature = hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, fields.get("Signature", b"").decode()):
            return Response(
                "<Error><Code>SignatureDoesNotMatch</Code></Error>",
                403,
                media_type="application/xml",
            )
        policy = json.loads(base64.b64decode(text))
        key = fields.get("key", b"").decode()
        if policy["expires"] < self.account.now():
            expired = "Invalid according to Policy: Policy expired."
            text = (
                f"<Error><Code>AccessDenied</Code><Message>{expired}</Message></Error>"
            )
            return Response(text, 403, media_type="application/xml")
        if not key.startswith(policy["dir"] + "/") or key in self.account.uploads:
            return Response(
                "<Error><Code>FileAlreadyExists</Code></Error>",
                409,
                media_type="application/xml",
            )
        self.account.uploads[key] = (
            policy["model"],
            self.account.now(),
            fields.get("file", b""),
        )
        return Response(b"", int(fields.get("success_action_status", b"204")))

    # Controls for tests

    async def _ledger(self, _request: Request) -> Response:
        return JSONResponse(self.account.ledger())

    async def _set_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.account.faults.clear()
        else:
            self.account.faults += await request.json()
        return JSONResponse({"faults": len(self.account.faults)})

    async def _move_clock(self, request: Request) -> Response:
        self.account.advance(float((await request.json())["advance_seconds"]))
        return JSONResponse({"now": self.account.now()})


def create_app(config: SimulatorConfig) -> Starlette:
    """An ASGI application with an account of its own."""
    return Server(config).app()


@contextlib.asynccontextmanager
async def serve(
    config: SimulatorConfig, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Running]:
    """Run it inside this loop; port 0 takes a free one."""
    simulator = Server(config)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept = Kept(config.folder) if config.folder else None
    try:
        listener.bind((host, port or (kept.port() if kept else 0)))
    except OSError:
        listener.bind((host, port))
    if kept:
        kept.keep_port(listener.getsockname()[1])
    simulator.account.remember()
    server = uvicorn.Server(
        uvicorn.Config(
            simulator.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    # Signals are for whoever runs this loop.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    address = f"{host}:{listener.getsockname()[1]}"
    try:
        yield Running(
            url=f"http://{address}/api/v1", host=address, account=simulator.account
        )
    finally:
        await simulator.account.close()
        server.should_exit = True
        await running
        listener.close()
