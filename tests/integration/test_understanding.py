"""Words are understood before anything is billed, and two buttons ask where they are ambiguous.

Requests that an earlier version had accepted are finished.
"""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.server import SimulatorConfig
from core.errors import Rejected
from core.incoming import Incoming, Kind, Mentions
from core.operations import Action, ButtonKind
from core.post import Post
from core.storage.inbox import Stage, deliveries
from core.types import to_json
from tests.fakes import events
from tests.integration.test_flow import PLACE, Team, kinds, numbers, team_on
from tests.integration.test_together import team as team  # noqa: PLC0414

ROWS: dict[str, dict[str, Any]] = json.loads(
    (
        Path(__file__).parents[1] / "samples" / "earlier" / "deliveries.json"
    ).read_text()
)


def message(words: str, person: str = "ana", **facts: Any) -> Incoming:
    """Words after the bot's name."""
    plain = Incoming(
        key=f"s{next(numbers)}",
        kind=Kind.MESSAGE,
        place=PLACE,
        person=events.somebody(person),
        locale="en",
        words=words,
        mentions=Mentions(us=True),
    )
    return replace(plain, **facts)


async def offered(team: Team, words: str, **facts: Any) -> Post:
    answer = await team.sends(message(words, **facts))
    assert answer.accepted is None
    assert answer.post
    return answer.post


def press(post: Post, kind: ButtonKind, person: str = "ana") -> Incoming:
    button = next(button for button in post.buttons if button.kind is kind)
    key = f"p{next(numbers)}"
    return events.press(kind, button.step, key=key, place=PLACE, person=person)


async def test_words_that_may_be_either_cost_nothing_until_a_button_is_pressed(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    post = await offered(team, ", a red hat --n 2")
    assert post.private
    assert [button.label for button in post.buttons] == [
        "🎨 Draw “a red hat”",
        "✏️ Edit v1",
    ]
    assert not await team.easel.context.store.open_steps()
    with pytest.raises(Rejected, match="not_yours"):
        await team.sends(press(post, ButtonKind.AS_EDIT, "bo"))
    presses = [press(post, ButtonKind.AS_EDIT) for _ in range(4)]
    presses.append(press(post, ButtonKind.AS_DRAWING))
    tried = await asyncio.gather(
        *map(team.sends, presses), return_exceptions=True
    )
    (going,) = [
        answer for answer in tried if not isinstance(answer, BaseException)
    ]
    await team.chat.end_of(going.accepted or "")
    step = await team.step(going.accepted or "")
    assert (step.action, step.prompt, step.n) == (Action.EDIT, "a red hat", 2)
    assert step.parent == fox.id
    with pytest.raises(Rejected, match=r"link\.used"):
        await team.sends(press(post, ButtonKind.AS_DRAWING))


async def test_a_drawing_is_made_of_the_words_and_of_no_picture(
    team: Team,
) -> None:
    await team.gets(Action.DRAW, "a fox")
    post = await offered(team, "a lighthouse at night")
    going = await team.sends(press(post, ButtonKind.AS_DRAWING))
    await team.chat.end_of(going.accepted or "")
    step = await team.step(going.accepted or "")
    assert (step.action, step.prompt) == (Action.DRAW, "a lighthouse at night")
    assert (step.inputs, step.parent) == ((), None)


async def test_where_there_is_no_picture_only_a_drawing_is_offered(
    team: Team,
) -> None:
    post = await offered(team, "a lighthouse", person="bo")
    assert kinds(post) == [ButtonKind.AS_DRAWING]
    assert "attach" in post.text


async def test_the_edit_is_of_the_picture_that_was_named_whatever_came_since(
    team: Team,
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    post = await offered(team, "more stars")
    await team.gets(Action.DRAW, "a heron")
    going = await team.sends(press(post, ButtonKind.AS_EDIT))
    await team.chat.end_of(going.accepted or "")
    assert (await team.step(going.accepted or "")).parent == fox.id


@pytest.mark.parametrize("words", ["thanks!", "谢谢！", "terima kasih!", "👍"])
async def test_thanks_cost_nothing_and_are_not_answered(
    team: Team, words: str
) -> None:
    await team.gets(Action.DRAW, "a fox")
    heard = message(
        words, mentions=Mentions(), place=replace(PLACE, thread="1")
    )
    assert await team.easel.service.understand(heard) is None
    if words != "👍":
        assert await team.easel.service.understand(message(words)) is None


async def test_what_the_version_before_had_accepted_is_finished(
    tmp_path: Path,
) -> None:
    """A delivery just heard, one understood, one accepted: rows as 17ab678 wrote them."""
    async with team_on(
        SimulatorConfig(time_scale=0.01, seed=3), tmp_path
    ) as team:
        inbox = team.easel.engine._inbox
        place = to_json(PLACE)
        for stage in (Stage.HEARD, Stage.UNDERSTOOD, Stage.ACCEPTED):
            old = {**ROWS["discord command"], "place": place, "reply": {}}
            old |= {
                "key": stage.value,
                "text": f"a fox {stage.value}",
                "given": {},
            }
            blank = message("", key=stage.value, kind=Kind.HOME)
            with inbox._engine.begin() as connection:
                inbox_row = {
                    "id": f"{PLACE.tenant}:{blank.key}",
                    "platform": PLACE.platform,
                    "tenant": PLACE.tenant,
                    "stage": stage.value,
                    "tries": 0,
                    "request": old,
                }
                connection.execute(deliveries.insert().values(inbox_row))
        team.easel.engine._arrived.set()
        async with asyncio.timeout(30):
            while len(await _prompts(team)) < 3:
                await asyncio.sleep(0.05)
        assert sorted(await _prompts(team)) == [
            "a fox accepted",
            "a fox heard",
            "a fox understood",
        ]


async def _prompts(team: Team) -> list[str]:
    recent = await team.easel.context.store.recent(PLACE.tenant, "9", 10)
    return [step.prompt for step in recent]


async def test_a_draft_of_the_version_before_is_finished(team: Team) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox --size 512*512")
    old = {**ROWS["discord command"], "place": to_json(PLACE), "reply": {}}
    old |= {
        "action": "wanx.inpaint",
        "text": "a red hat --n 2",
        "given": {"seed": "7"},
    }
    old |= {"target": fox.id, "index": 0}
    now = team.easel.context.clock.now()
    await team.easel.context.drafts.save(PLACE.tenant, "klmnopqrst", old, now)
    region = events.press(
        ButtonKind.REGION, "klmnopqrst", 2, key="r", place=PLACE, person="9"
    )
    answer = await team.sends(region)
    await team.chat.end_of(answer.accepted or "")
    step = await team.step(answer.accepted or "")
    assert (step.prompt, step.options.mask) == ("a red hat", "top")
    assert (step.options.n, step.options.seed) == (2, 7)
    assert step.parent == fox.id
