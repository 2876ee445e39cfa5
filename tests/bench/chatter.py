"""What it costs when people talk and no one means Easel.

They write in their own threads and react to their own messages.

    .venv/bin/python tests/bench/chatter.py [messages]

Prints what each event costs beyond an idle Easel (goals: at most one transaction, none in a thread
known not to be ours, nothing written, nothing logged), and how long a ``/draw`` behind them waits
for its first words compared to a quiet Easel (goal: at most 1.5 ×).
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.children import EASEL, Child, Cost

if TYPE_CHECKING:
    from tests.fakes.slack.driver import Slack, Somebody

COUNT = 1000
AT_ONCE = 20
DRAWS = 3
QUIET = 1.0
"""Seconds in which whatever is still going on comes to its end."""


@dataclass(kw_only=True)
class Chatter:
    """Cost of one message of each kind, and seconds until a draw's first words.

    The draw is measured on a quiet Easel and behind the messages.
    """

    costs: dict[str, Cost] = field(default_factory=dict)
    quiet: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How much longer a draw waits behind them."""
        return median(self.behind) / median(self.quiet)

    def __str__(self) -> str:
        lines = [f"  {kind}: {cost}" for kind, cost in self.costs.items()]
        quiet, behind = median(self.quiet), median(self.behind)
        waits = f"  a draw: {quiet:.2f} s quiet, {behind:.2f} s behind, x{self.ratio:.2f}"
        return "\n".join([*lines, waits])


async def measure(count: int = COUNT, draws: int = DRAWS) -> Chatter:
    """Start Slack, the image service and Easel; talk; draw."""
    from bot.simulator.server import SimulatorConfig, serve  # noqa: PLC0415
    from tests.fakes.slack.driver import slack  # noqa: PLC0415

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place)
        async with (
            serve(SimulatorConfig(time_scale=0.1, seed=1)) as simulator,
            slack() as fake,
        ):
            settings = {
                **fake.settings(),
                "DASHSCOPE_API_KEY": "sk-simulator",
                "EASEL_DASHSCOPE_URL": simulator.url,
                "EASEL_RESULT_HOSTS": simulator.host,
            }
            easel = Child(
                EASEL, str(folder), json.dumps(settings), folder=folder
            )
            try:
                fake.url = await easel.ready()
                return await _measure_chatter(fake, easel, count, draws)
            finally:
                easel.kill()


async def _measure_chatter(
    fake: "Slack", easel: Child, count: int, draws: int
) -> Chatter:
    chatter = Chatter()
    people = Talkers(fake)
    await people.draws()
    chatter.costs["in one thread"] = await _cost(
        easel, count, people.talk_in_one_thread
    )
    chatter.costs["each in another thread"] = await _cost(
        easel, count, people.talk_in_another_thread
    )
    chatter.costs["reactions to people's messages"] = await _cost(
        easel, count, people.react
    )
    for _ in range(draws):
        chatter.quiet.append(await people.draws())
        await _together(count, people.talk_in_another_thread)
        chatter.behind.append(await people.draws())
    return chatter


class Talkers:
    """Two people in one channel."""

    def __init__(self, fake: "Slack") -> None:
        self._fake = fake
        self._ana: Somebody = fake.person("Ana")
        self._bo: Somebody = fake.person("Bo")
        self._numbers = iter(range(1_000_000))

    async def talk_in_one_thread(self) -> None:
        """An answer to a message of long ago."""
        await self._bo.says(
            f"good morning {next(self._numbers)}",
            thread="1700000000.000100",
            as_events=("message",),
        )

    async def talk_in_another_thread(self) -> None:
        """An answer to another message than all before."""
        thread = f"1700000001.{next(self._numbers):06d}"
        await self._bo.says(
            "good morning", thread=thread, as_events=("message",)
        )

    async def react(self) -> None:
        """A like of what someone else has said."""
        target = {
            "type": "message",
            "channel": self._fake.general,
            "ts": f"1700000002.{next(self._numbers):06d}",
        }
        await self._fake.event(
            "reaction_added",
            user=self._bo.id,
            reaction="tada",
            item=target,
            item_user=self._ana.id,
        )

    async def draws(self) -> float:
        """Seconds until the first words of an answer; then until its pictures."""
        began = time.monotonic()
        words = f"a fox number {next(self._numbers)}"
        await self._ana.types(f"/draw {words}")
        await self._fake.until(lambda: self._is_said(words), 120)
        waited = time.monotonic() - began
        await self._fake.until(lambda: self._has_caption(words), 120)
        await asyncio.sleep(QUIET)
        return waited

    def _is_said(self, words: str) -> bool:
        return any(
            words in message.words for message in self._fake.world.messages
        )

    def _has_caption(self, words: str) -> bool:
        captions = [
            message.ts
            for message in self._fake.world.messages
            if words in message.words
        ]
        return any(
            message.files and message.thread_ts in captions
            for message in self._fake.world.messages
        )


async def _together(count: int, say: "Say") -> None:
    for _ in range(0, count, AT_ONCE):
        await asyncio.gather(*(say() for _ in range(min(count, AT_ONCE))))


async def _settle(easel: Child) -> None:
    """Wait until it does nothing: what it does late is no cost of what comes next."""
    before, now = -1.0, easel.cost().transactions
    while now > before:
        await asyncio.sleep(QUIET)
        before, now = now, easel.cost().transactions


async def _cost(easel: Child, count: int, say: "Say") -> Cost:
    """What one message costs, less what would have been spent anyway."""
    await _settle(easel)
    start, began = easel.cost(), time.monotonic()
    await asyncio.sleep(2 * QUIET)
    idle = (easel.cost() - start) * (1 / (time.monotonic() - began))
    start, began = easel.cost(), time.monotonic()
    await _together(count, say)
    await _settle(easel)
    spent = easel.cost() - start - idle * (time.monotonic() - began)
    return spent * (1 / count)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Say = Callable[[], Awaitable[None]]


if __name__ == "__main__":
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    print(
        f"{messages} of each kind; each costs:\n{asyncio.run(measure(messages))}"
    )
