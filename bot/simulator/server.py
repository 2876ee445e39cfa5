"""The simulator's HTTP side: DashScope's endpoints, result links, and /simulator/… controls.

Words in a prompt bring the vendor's refusals about: [moderation] [moderation-output] [ip]
[arrearage] [fail] [partial].
"""

import asyncio
import contextlib
import hmac
import math
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.simulator import faults, intake, shapes
from bot.simulator.models import Endpoint
from bot.simulator.persistence import TaskFolder
from bot.simulator.refusals import Refusal
from bot.simulator.results import Results
from bot.simulator.rules import ImageRequest, check
from bot.simulator.tasks import BROKEN, Account, SimulatorConfig, Task
from bot.simulator.uploads import Uploads

__all__ = ["Running", "SimulatorConfig", "create_app", "serve"]

API = "/api/v1"
LARGEST_PAGE = 100
ENDPOINTS = {
    f"{API}/services/aigc/multimodal-generation/generation": Endpoint.MULTIMODAL,
    f"{API}/services/aigc/image-generation/generation": Endpoint.IMAGE,
    f"{API}/services/aigc/text2image/image-synthesis": Endpoint.TEXT2IMAGE,
    f"{API}/services/aigc/image2image/image-synthesis": Endpoint.IMAGE2IMAGE,
}
REFUSED_AT_ONCE = {
    "[moderation]": Refusal(
        400,
        "DataInspectionFailed",
        "Input data may contain inappropriate content.",
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
Ending = tuple[str, str]
"""Code and message of a task that fails."""
FAILED_LATER: dict[str, Ending] = {
    "[moderation-output]": (
        "DataInspectionFailed",
        "Output data may contain inappropriate content.",
    ),
    "[fail]": BROKEN,
}
PARTIAL = "[partial]"
NO_ACCESS = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
Fault = dict[str, Any] | None
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A simulator at work: base address up to and including /api/v1, host:port, its account."""

    url: str
    host: str
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The pictures of a request as bytes, or how the task will fail for them."""

    pictures: tuple[bytes, ...] = ()
    mask: bytes | None = None
    failure: Ending | None = None


class Server:
    """The routes of one account."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.account = Account(config)
        secret = secrets.token_bytes(16)
        if config.folder:
            secret = TaskFolder(config.folder).secret()
        self._results = Results(self.account, secret)
        self._uploads = Uploads(self.account, secret)

    def app(self) -> Starlette:
        """Every path the vendor has, and ours for tests."""
        query = self._guard("query", self._query)
        routes = [
            *(
                Route(path, self._submit, methods=["POST"])
                for path in ENDPOINTS
            ),
            Route(
                f"{API}/tasks",
                self._guard("list", self._list),
                methods=["GET"],
            ),
            Route(f"{API}/tasks/{{task_id}}", query, methods=["GET"]),
            Route(f"{API}/tasks/{{task_id}}/", query, methods=["GET"]),
            Route(
                f"{API}/tasks/{{task_id}}/cancel",
                self._guard("cancel", self._cancel),
                methods=["POST"],
            ),
            Route(
                f"{API}/uploads",
                self._guard("upload", self._uploads.give_policy),
                methods=["GET"],
            ),
            Route("/oss", self._uploads.store, methods=["POST"]),
            Route(
                "/results/{task_id}/{index:int}.png",
                self._result,
                methods=["GET"],
            ),
            Route("/simulator/ledger", self._ledger, methods=["GET"]),
            Route(
                "/simulator/faults",
                self._set_faults,
                methods=["POST", "DELETE"],
            ),
            Route("/simulator/clock", self._move_clock, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    # Submitting

    async def _submit(self, request: Request) -> Response:
        endpoint = ENDPOINTS[request.url.path]
        is_sync = endpoint is Endpoint.MULTIMODAL
        fault = self.account.take_fault("sync" if is_sync else "submit")
        if fault and faults.is_before(fault):
            return await faults.response(fault)
        try:
            answer = await self._take_on(request, endpoint, fault)
        except Refusal as refusal:
            return shapes.error(refusal)
        if fault and faults.is_after(fault):
            return await faults.response(fault)
        return answer

    async def _take_on(
        self,
        request: Request,
        endpoint: Endpoint,
        fault: Fault,
    ) -> Response:
        self._check_key(request)
        is_sync = endpoint is Endpoint.MULTIMODAL
        is_async = request.headers.get("x-dashscope-async") == "enable"
        body = await intake.read_json(request)
        submission = check(body, endpoint, is_async, self.account.rules)
        for word, refusal in REFUSED_AT_ONCE.items():
            if word in submission.prompt:
                raise refusal
        self.account.check_submit(submission.model, is_sync)
        inputs = await self._fetch_all(request, submission, is_sync)
        # Others may have been accepted meanwhile.
        self.account.check_room(submission.model, is_sync)
        task = self.account.accept(
            submission,
            inputs.pictures,
            inputs.mask,
            is_sync=is_sync,
        )
        _spoil(task, inputs.failure, fault)
        if is_sync:
            return await self._answer_when_done(request, task)
        return shapes.answer(shapes.new_task(task))

    async def _answer_when_done(
        self,
        request: Request,
        task: Task,
    ) -> Response:
        await task.done.wait()
        if task.code:
            status = 500 if task.code.startswith("Internal") else 400
            raise Refusal(status, task.code, task.message)
        rule = self.account.rule(task.request)
        # The service answers when its pictures are there, so the first is painted now.
        await self._results.picture(task.id, 0)
        body = shapes.sync_body(task, rule, self._linker(request))
        return shapes.answer(body)

    def _check_key(self, request: Request) -> None:
        key = request.headers.get("authorization", "")
        if not key:
            raise Refusal(401, "InvalidApiKey", "No API-key provided.")
        right = f"Bearer {self.config.api_key}"
        if not hmac.compare_digest(key.encode(), right.encode()):
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")

    # Input pictures

    async def _fetch_all(
        self,
        request: Request,
        submission: ImageRequest,
        is_sync: bool,
    ) -> Inputs:
        """A synchronous model refuses a bad picture at once, a task fails with it soon after."""
        rule = self.account.rule(submission)
        try:
            pictures = tuple(
                [
                    await self._fetch(request, image, submission)
                    for image in submission.images
                ]
            )
            mask = None
            if submission.mask:
                mask = await self._fetch(request, submission.mask, submission)
            await asyncio.to_thread(
                intake.check_pictures,
                submission,
                rule,
                pictures,
                mask,
            )
        except Refusal as refusal:
            if is_sync:
                raise
            # The vendor takes the task, and lets it fail a moment later.
            return Inputs(failure=(refusal.code, refusal.message))
        return Inputs(pictures=pictures, mask=mask)

    async def _fetch(
        self,
        request: Request,
        image: str,
        submission: ImageRequest,
    ) -> bytes:
        if image.startswith("data:"):
            return intake.from_data_uri(image)
        if image.startswith("oss://"):
            return self._uploads.content(request, image, submission.model)
        if not image.startswith(("http://", "https://")):
            raise intake.invalid_url()
        own = f"{request.base_url}results/"
        if image.startswith(own):
            return await self._results.own(image.removeprefix(own))
        return await intake.download(
            image, self.account.rule(submission).max_bytes
        )

    # Tasks

    def _guard(self, where: str, handler: Handler) -> Handler:
        """Check key, faults and the query limit before the handler."""

        async def handle(request: Request) -> Response:
            fault = self.account.take_fault(where)
            if fault and faults.is_before(fault):
                return await faults.response(fault)
            try:
                self._check_key(request)
                if where != "upload":
                    self.account.check_query()
                if fault and fault["kind"] == "unknown":
                    task_id = request.path_params.get("task_id", "")
                    return shapes.answer(shapes.unknown_task(task_id))
                answer = await handler(request)
            except Refusal as refusal:
                return shapes.error(refusal)
            if fault and faults.is_after(fault):
                return await faults.response(fault)
            return answer

        return handle

    async def _query(self, request: Request) -> Response:
        task_id = request.path_params["task_id"]
        task = self.account.find(task_id)
        if task is None:
            return shapes.answer(shapes.unknown_task(task_id))
        rule = self.account.rule(task.request)
        return shapes.answer(
            shapes.task_body(task, rule, self._linker(request))
        )

    async def _cancel(self, request: Request) -> Response:
        self.account.cancel(request.path_params["task_id"])
        return shapes.answer({"request_id": shapes.request_id()})

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        page = intake.whole_number(query.get("page_no"), 1)
        page = max(1, page)
        size = intake.whole_number(query.get("page_size"), 10)
        size = min(LARGEST_PAGE, max(1, size))
        tasks = self.account.list_tasks(query)
        first = (page - 1) * size
        end = first + size
        body = {
            "total": len(tasks),
            "data": [shapes.row(task) for task in tasks[first:end]],
            "total_page": math.ceil(len(tasks) / size),
            "page_no": page,
            "page_size": size,
            "request_id": shapes.request_id(),
        }
        return shapes.answer(body)

    # Results

    def _linker(self, request: Request) -> shapes.Link:
        def link(task: Task, index: int) -> str:
            return self._results.link(request, task, index)

        return link

    async def _result(self, request: Request) -> Response:
        fault = self.account.take_fault("result")
        if fault:
            return await faults.response(fault)
        task_id = request.path_params["task_id"]
        index = request.path_params["index"]
        if not self._results.is_valid(task_id, index, request.query_params):
            return Response(NO_ACCESS, 403, media_type="application/xml")
        picture = await self._results.picture(task_id, index)
        return Response(picture, media_type="image/png")

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


def _spoil(task: Task, failure: Ending | None, fault: Fault) -> None:
    """Decide now how the task will end, if not well."""
    prompt = task.request.prompt
    n = task.request.n
    for word, ending in FAILED_LATER.items():
        if word in prompt:
            failure = ending
    if PARTIAL in prompt and n > 1:
        task.failed_pictures = frozenset({n - 1})
    if fault and fault["kind"] == "task_failed":
        code, message = BROKEN
        failure = fault.get("code", code), fault.get("message", message)
    if fault and fault["kind"] == "partial":
        task.failed_pictures = frozenset(range(1, n))
    if failure:
        task.code, task.message = failure


def create_app(config: SimulatorConfig) -> Starlette:
    """An ASGI application with a new account."""
    return Server(config).app()


@contextlib.asynccontextmanager
async def serve(
    config: SimulatorConfig,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Running]:
    """Run it inside this loop; port 0 takes a free one."""
    simulator = Server(config)
    listener = _listen(config, host, port)
    simulator.account.remember()
    server = uvicorn.Server(
        uvicorn.Config(
            simulator.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            # An answer that is still read must not hold up the end of a demo.
            timeout_graceful_shutdown=1,
        )
    )
    # Signals are for the program that runs this loop.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    address = f"{host}:{listener.getsockname()[1]}"
    url = f"http://{address}{API}"
    try:
        yield Running(url=url, host=address, account=simulator.account)
    finally:
        await simulator.account.close()
        server.should_exit = True
        await running
        listener.close()


def _listen(config: SimulatorConfig, host: str, port: int) -> socket.socket:
    """On the port asked for; else on last time's, which links to results name, where it is free."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    folder = TaskFolder(config.folder) if config.folder else None
    last = folder.port() if folder else 0
    try:
        listener.bind((host, port or last))
    except OSError:
        listener.bind((host, port))
    if folder:
        folder.save_port(listener.getsockname()[1])
    return listener
