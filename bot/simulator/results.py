"""Result links that die, and the pictures behind them: painted once, when first wanted."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from bot.simulator.intake import whole_number
from bot.simulator.paint import paint
from bot.simulator.refusals import invalid
from bot.simulator.tasks import Account, Task

SIGNATURE_LENGTH = 32
NO_ACCESS = (
    "Don't have authorization to access the media resource "
    "during the data inspection process."
)


class Results:
    """The results of one account's tasks."""

    def __init__(self, account: Account, secret: bytes) -> None:
        self._account = account
        self._secret = secret
        self._pictures: dict[tuple[str, int], bytes] = {}
        self._painting: dict[tuple[str, int], asyncio.Lock] = {}

    def link(self, request: Request, task: Task, index: int) -> str:
        """A signed address that lives as long as the vendor's."""
        ended = task.ended or self._account.now()
        life = self._account.config.result_ttl
        expires = int(ended + life)
        signature = self._signature(task.id, index, expires)
        path = f"{request.base_url}results/{task.id}/{index}.png"
        return f"{path}?Expires={expires}&Signature={quote(signature)}"

    def is_valid(
        self,
        task_id: str,
        index: int,
        query: Mapping[str, str],
    ) -> bool:
        """Is the link signed, alive, and of a task there is?"""
        expires = whole_number(query.get("Expires"), 0)
        signature = query.get("Signature", "")
        right = self._signature(task_id, index, expires)
        if not hmac.compare_digest(signature, right):
            return False
        if self._account.now() >= expires:
            return False
        return task_id in self._account.tasks

    async def own(self, path: str) -> bytes:
        """The picture behind a link of our own, sent back as an input. Raises Refusal."""
        name, _, query = path.partition("?")
        task_id, _, file = name.partition("/")
        index = file.removesuffix(".png")
        signed = dict(parse_qsl(query))
        if not index.isdecimal():
            raise invalid(NO_ACCESS)
        number = int(index)
        if not self.is_valid(task_id, number, signed):
            raise invalid(NO_ACCESS)
        return await self.picture(task_id, number)

    async def picture(self, task_id: str, index: int) -> bytes:
        """Return the picture as PNG."""
        name = (task_id, index)
        # Several may fetch the same picture; it is painted for the first.
        lock = self._painting.setdefault(name, asyncio.Lock())
        async with lock:
            if name not in self._pictures:
                self._pictures[name] = await self._paint(task_id, index)
            return self._pictures[name]

    async def _paint(self, task_id: str, index: int) -> bytes:
        task = self._account.tasks[task_id]
        rule = self._account.rule(task.request)
        # Painting takes a good part of a second, in which others must be answered.
        return await asyncio.to_thread(
            paint,
            task.request,
            rule,
            task.inputs,
            task.mask,
            index,
            task.seed,
        )

    def _signature(self, task_id: str, index: int, expires: int) -> str:
        text = f"{task_id}/{index}/{expires}".encode()
        digest = hmac.new(self._secret, text, hashlib.sha256).hexdigest()
        return digest[:SIGNATURE_LENGTH]
