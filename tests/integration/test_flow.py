"""The whole of Easel in one process: service, jobs, client, simulator, a chat in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from bot import settings, wiring
from bot.clock import WallClock
from bot.providers import PROVIDERS, ProviderKind
from bot.simulator.server import Running, SimulatorConfig, serve
from core.errors import EaselError, Rejected
from core.flow import generate
from core.incoming import Incoming
from core.operations import Action, ButtonKind
from core.post import Post, Tone
from core.service import Answer
from core.types import Attachment, Place, SessionId, Step, StepId, StepState
from tests.conftest import PHOTOS
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat

PLACE = Place(platform="memory", workspace="w", channel="c")
numbers = count(1)


@dataclass(kw_only=True)
class Team:
    """A team in a channel with a bot."""

    easel: wiring.Easel
    chat: MemoryChat
    simulator: Running

    async def asks(
        self,
        action: Action,
        text: str = "",
        person: str = "ana",
        **changes: Any,
    ) -> Answer:
        photos = tuple(
            Attachment(ref=str(PHOTOS / name), name=name)
            for name in changes.pop("photos", ())
        )
        if "given" in changes:
            changes["fields"] = changes.pop("given")
        incoming = events.command(
            action,
            text,
            key=changes.pop("key", f"e{next(numbers)}"),
            place=changes.pop("place", PLACE),
            person=person,
            attachments=photos,
            **changes,
        )
        return await self.sends(incoming)

    async def sends(self, incoming: Incoming) -> Answer:
        """Any event: the answer to it."""
        meaning = await self.easel.service.understand(incoming)
        return (
            await self.easel.service.answer(meaning) if meaning else Answer()
        )

    async def says(
        self,
        action: Action,
        text: str = "",
        person: str = "ana",
        **changes: Any,
    ) -> Post:
        """Ask for what is answered at once: the words."""
        answer = await self.asks(action, text, person, **changes)
        assert answer.post
        return answer.post

    async def gets(
        self,
        action: Action,
        text: str = "",
        person: str = "ana",
        **changes: Any,
    ) -> tuple[Step, Post]:
        """Ask, and wait for the end: the step and the last word."""
        answer = await self.asks(action, text, person, **changes)
        assert answer.accepted
        post = await self.chat.end_of(answer.accepted)
        while not (step := await self.step(answer.accepted)).state.is_final:
            await asyncio.sleep(0.01)
        return step, post

    async def step(self, step: str, place: Place = PLACE) -> Step:
        return await self.easel.context.store.step(place.tenant, StepId(step))

    async def is_refused(
        self, action: Action, text: str = "", **changes: Any
    ) -> str:
        """The key of a refusal, at once or after it was taken."""
        try:
            answer = await self.asks(action, text, **changes)
        except EaselError as error:
            return error.key
        assert answer.accepted
        post = await self.chat.end_of(answer.accepted)
        assert post.tone is Tone.REFUSAL
        return post.text


@asynccontextmanager
async def team_on(
    config: SimulatorConfig,
    folder: Path,
    *,
    chat: MemoryChat | None = None,
    providers: Mapping[str, ProviderKind] = PROVIDERS,
    **changes: Any,
) -> AsyncIterator[Team]:
    async with serve(config) as simulator:
        chosen = settings.load(
            EASEL_DATA_DIR=folder,
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
            **changes,
        )
        chat = chat or MemoryChat()
        async with wiring.open_easel(
            chosen,
            lambda _: {"memory": chat},
            simulator=config,
            settle=0.2,
            providers=providers,
        ) as easel:
            yield Team(easel=easel, chat=chat, simulator=simulator)


@pytest_asyncio.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    async with team_on(
        SimulatorConfig(time_scale=0.01, seed=3), tmp_path / "team"
    ) as started:
        yield started


def kinds(post: Post) -> list[ButtonKind]:
    return [button.kind for button in post.buttons]


async def test_a_request_delivered_four_times_is_one_job(team: Team) -> None:
    answers = [
        await team.asks(Action.DRAW, "a fox", key="same") for _ in range(4)
    ]
    assert len({answer.accepted for answer in answers}) == 1
    await team.chat.end_of(answers[0].accepted or "")
    assert len(team.simulator.account.tasks) == 1
    assert len(team.chat.messages) == 1


async def test_one_message_goes_from_status_to_result_with_its_buttons(
    team: Team,
) -> None:
    step, post = await team.gets(Action.DRAW, "a red fox")
    assert step.state is StepState.DONE
    message = next(iter(team.chat.messages.values()))
    assert message.posts[0].tone is Tone.STATUS
    assert "Drawing · qwen-image-plus" in message.posts[0].text
    assert kinds(message.posts[0]) == [ButtonKind.CANCEL]
    assert post.title == "a red fox"
    assert "¥0.20" in post.text
    assert "v1" in post.text
    assert kinds(post) == [
        ButtonKind.EDIT,
        ButtonKind.UNDO,
        ButtonKind.AGAIN,
        ButtonKind.MORE,
        ButtonKind.DELETE,
    ]


async def test_several_results_can_be_picked_and_the_pick_is_edited(
    team: Team,
) -> None:
    two, post = await team.gets(Action.DRAW, "two foxes --n 2 --size 512*512")
    assert kinds(post).count(ButtonKind.PICK) == 2
    await team.asks(Action.PICK, target=two.id, index=1)
    edited, _ = await team.gets(Action.EDIT, "make it night")
    assert (edited.parent, edited.parent_index) == (two.id, 1)
    assert edited.inputs[0].key == two.outputs[1].key


async def test_a_fresh_result_is_sent_by_its_link_and_an_old_one_as_data(
    team: Team,
) -> None:
    drawn, _ = await team.gets(Action.DRAW, "a fox")
    assert drawn.outputs[0].url
    edited, _ = await team.gets(Action.EDIT, "make it night")
    assert edited.inputs[0].url == drawn.outputs[0].url
    assert edited.state is StepState.DONE


async def test_a_link_that_died_before_its_time_is_replaced_by_the_bytes(
    team: Team,
) -> None:
    drawn, _ = await team.gets(Action.DRAW, "a fox --n 2 --size 512*512")
    team.simulator.account.advance(25 * 3600)
    edited, _ = await team.gets(Action.EDIT, "make it night")
    assert edited.inputs[0].url == drawn.outputs[0].url
    assert edited.state is StepState.DONE


async def test_editing_names_the_picture_it_edits(team: Team) -> None:
    await team.gets(Action.DRAW, "a fox")
    await team.gets(Action.EDIT, "make it night", "ana")
    first_words = list(team.chat.messages.values())[1].posts[0].text
    assert "v1 (Ana’s “a fox”)" in first_words


async def test_replying_to_somebody_elses_picture_branches_into_ones_own_session(
    team: Team,
) -> None:
    anas, _ = await team.gets(Action.DRAW, "a fox", "ana")
    bos, _ = await team.gets(Action.EDIT, "make it gold", "bo", target=anas.id)
    assert bos.parent == anas.id
    assert bos.session != anas.session
    again, _ = await team.gets(Action.EDIT, "make it night", "ana")
    assert again.parent == anas.id


async def test_without_a_picture_an_edit_is_refused_and_never_drawn(
    team: Team,
) -> None:
    assert "no picture to edit" in await team.is_refused(
        Action.EDIT, "make it night"
    )
    assert team.simulator.account.tasks == {}


async def test_again_repeats_with_a_new_seed(team: Team) -> None:
    first, _ = await team.gets(Action.DRAW, "a fox")
    second, _ = await team.gets(Action.AGAIN, target=first.id)
    assert (second.prompt, second.model, second.parent) == (
        first.prompt,
        first.model,
        None,
    )
    assert second.seed != first.seed


async def test_a_long_chain_is_offered_and_run_again_from_the_original(
    team: Team,
) -> None:
    original, _ = await team.gets(
        Action.EDIT, "add a hat", photos=("coffee.png",)
    )
    for words in ("make it red.", "add snow", "make it night"):
        await team.gets(Action.EDIT, words)
    step, post = await team.gets(Action.EDIT, "add stars")
    assert ButtonKind.RERUN in kinds(post)
    assert step.depth == 4
    rerun, _ = await team.gets(Action.RERUN, target=step.id)
    assert (
        rerun.prompt
        == "add a hat; make it red; add snow; make it night; add stars"
    )
    assert rerun.inputs[0].key == original.inputs[0].key
    assert rerun.depth == 0


async def test_a_picture_without_edits_is_not_run_again(team: Team) -> None:
    await team.gets(Action.DRAW, "a fox")
    assert "no edits in words" in await team.is_refused(Action.RERUN)


async def test_a_private_refusal_reaches_only_who_asked(team: Team) -> None:
    await team.is_refused(Action.EDIT, "x", photos=("README.md",))
    message = list(team.chat.messages.values())[-1]
    assert message.posts[-1].private
    assert message.to.id == "ana"


async def test_a_failure_says_whether_it_was_charged_and_gives_the_money_back(
    team: Team,
) -> None:
    step, post = await team.gets(Action.DRAW, "[moderation-output] a fox")
    assert (step.state, step.charged) == (StepState.FAILED, "no")
    assert "Nothing was charged." in post.text
    assert kinds(post) == [ButtonKind.RETRY]
    spent = await team.easel.context.store.usage(
        PLACE.tenant, step.created.replace(hour=0, minute=0)
    )
    assert [one.total.amount for one in spent] == [0]


async def test_f38_partial_success_shows_what_came_and_charges_that(
    team: Team,
) -> None:
    step, post = await team.gets(
        Action.COLORIZE, "[partial] blue --n 3", photos=("chelsea.png",)
    )
    assert len(step.outputs) == 2
    assert "2 of 3 pictures came" in post.text
    assert step.cost
    assert str(step.cost.amount) == "0.28"


async def test_a_failed_task_is_tried_once_more_and_then_told(
    team: Team,
) -> None:
    step, _ = await team.gets(Action.DRAW, "[fail] a fox")
    assert step.state is StepState.FAILED
    assert len(team.simulator.account.tasks) == 2


@pytest.mark.parametrize(
    "kind",
    [
        "drop_before",
        "drop_after",
        "status_after",
        "html",
        "truncated_json",
        "empty",
    ],
)
async def test_f31_f34_f35_a_lost_answer_never_makes_a_second_task(
    team: Team, kind: str
) -> None:
    team.simulator.account.faults.append(
        {"where": "submit", "kind": kind, "status": 502}
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


@pytest.mark.parametrize("minutes", [-5, 5])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_lost_submit_is_found_though_our_clock_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, minutes: int
) -> None:
    class WrongClock(WallClock):
        def now(self) -> datetime:
            return super().now() + timedelta(minutes=minutes)

    monkeypatch.setattr(wiring, "WallClock", WrongClock)
    async with team_on(SimulatorConfig(time_scale=0.01), tmp_path) as team:
        team.simulator.account.faults.append({"where": "submit", "kind": kind})
        step, _ = await team.gets(Action.DRAW, "a fox")
        assert step.state is StepState.DONE
        assert len(team.simulator.account.tasks) == 1


async def test_f30_a_busy_service_is_waited_for(team: Team) -> None:
    throttled = {
        "where": "submit",
        "kind": "status",
        "status": 429,
        "code": "Throttling.RateQuota",
        "times": 2,
    }
    team.simulator.account.faults.append(throttled)
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE


async def test_f06_a_synchronous_calls_lost_answer_is_told_not_repeated(
    team: Team,
) -> None:
    team.simulator.account.faults.append(
        {"where": "sync", "kind": "drop_after"}
    )
    step, post = await team.gets(
        Action.EDIT, "make it night", photos=("coffee.png",)
    )
    assert (step.state, step.charged) == (StepState.UNKNOWN, "maybe")
    assert kinds(post) == [ButtonKind.RETRY, ButtonKind.DROP]
    assert len(team.simulator.account.tasks) == 1


async def test_f32_trouble_while_asking_changes_nothing(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.providers.dashscope.watcher.FIRST_PAUSE", 0.05)
    team.simulator.account.faults += [
        {"where": "query", "kind": kind, "status": 500}
        for kind in ("status", "html", "drop_before", "huge", "gzip_bomb")
    ]
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


async def test_f41_a_task_the_service_forgot_is_told_not_repeated(
    team: Team,
) -> None:
    team.simulator.account.faults.append({"where": "query", "kind": "unknown"})
    step, post = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.UNKNOWN
    assert "expired" in post.text


@pytest.mark.parametrize("kind", ["status", "drop_before", "short"])
async def test_f22_a_failed_download_is_repeated_never_the_submit(
    team: Team, kind: str
) -> None:
    team.simulator.account.faults.append(
        {"where": "result", "kind": kind, "status": 503}
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


@pytest.mark.parametrize("kind", ["not_image", "redirect"])
async def test_f46_f42_something_that_is_no_picture_is_never_posted(
    team: Team, kind: str
) -> None:
    team.simulator.account.faults.append({"where": "result", "kind": kind})
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.FAILED
    assert step.charged == "yes"


async def test_f42_an_expired_link_is_asked_for_afresh(team: Team) -> None:
    team.simulator.account.faults.append(
        {"where": "result", "kind": "status", "status": 403}
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE


async def test_f40_a_wrong_key_ends_the_job_with_words_for_the_admin(
    team: Team,
) -> None:
    fault = {
        "where": "submit",
        "kind": "status",
        "status": 401,
        "code": "InvalidApiKey",
    }
    team.simulator.account.faults.append(fault)
    step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.error) == (StepState.FAILED, "provider.key")
    assert "admin" in post.text


async def test_f56_a_post_whose_reply_got_lost_is_read_back_not_repeated(
    team: Team,
) -> None:
    team.chat.fail_posts = 1
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.chat.messages) == 1


async def test_a_mistake_of_ours_is_told_with_a_reference(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(generate, "work_of", broken)
    step, post = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.FAILED
    assert step.id in post.text


async def test_people_read_their_own_language(team: Team) -> None:
    _, post = await team.gets(Action.DRAW, "红狐狸", locale="zh-TW")
    assert "種子" in post.text
    assert "還沒有可以編輯的圖片" in await team.is_refused(
        Action.EDIT, "改", person="bo", locale="zh-TW"
    )


async def test_a_thread_of_ours_has_one_head_for_everybody(team: Team) -> None:
    await team.gets(Action.DRAW, "a fox", "ana")
    message = next(iter(team.chat.messages.values()))
    inside = Place(
        platform="memory", workspace="w", channel="c", thread=message.id
    )
    # A platform that answers in threads remembers its messages there.
    from core.post import PostedMessage  # noqa: PLC0415

    store = team.easel.context.store
    fox = (await store.history(PLACE.tenant, SessionId("c/@ana")))[0]
    await store.remember(
        PostedMessage(place=inside, message="in-thread"), PLACE.tenant, fox.id
    )
    first, _ = await team.gets(
        Action.EDIT, "make it gold", "ana", place=inside, target=fox.id
    )
    second, _ = await team.gets(
        Action.EDIT, "make it night", "bo", place=inside
    )
    assert second.parent == first.id
    assert second.session == first.session


async def test_a_foreign_job_cannot_be_cancelled_or_found(team: Team) -> None:
    mine, _ = await team.gets(Action.DRAW, "a fox", "ana")
    with pytest.raises(Rejected, match="not_yours"):
        await team.asks(Action.CANCEL, "", "bo", target=mine.id)
    elsewhere = Place(platform="memory", workspace="other", channel="c")
    with pytest.raises(EaselError, match="not_found"):
        await team.asks(Action.SHOW, mine.id, "eve", place=elsewhere)
    assert "called" in await team.is_refused(
        Action.EDIT, "x", person="eve", place=elsewhere, target=mine.id
    )


async def test_a_waiting_job_is_cancelled_free_and_a_started_one_dropped(
    tmp_path: Path,
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=0.25, seed=1), tmp_path / "slow"
    ) as team:
        jobs = [
            (await team.asks(Action.DRAW, f"fox {number}")).accepted or ""
            for number in range(6)
        ]
        # The last of them: the service has room for four.
        waiting = await _first_in(
            team, jobs[::-1], StepState.QUEUED, all_begun=True
        )
        await team.asks(Action.CANCEL, target=waiting)
        assert (await team.step(waiting)).state is StepState.CANCELLED
        started = await _first_in(team, jobs, StepState.RUNNING)
        await team.asks(Action.CANCEL, target=started)
        for job in jobs:
            post = await team.chat.end_of(job)
            assert (post.tone is Tone.RESULT) == (
                job not in {waiting, started}
            )
            assert bool(post.pictures) == (job not in {waiting, started})
        assert len(team.simulator.account.tasks) == 5


async def _first_in(
    team: Team, jobs: list[str], state: StepState, *, all_begun: bool = False
) -> str:
    """The first job in a state, once there is one (and once all have begun)."""
    async with asyncio.timeout(60):
        while True:
            steps = {
                step.id: step
                for step in await team.easel.context.store.history(
                    PLACE.tenant, SessionId("c/@ana")
                )
            }
            found = [
                job
                for job in jobs
                if job in steps and steps[StepId(job)].state is state
            ]
            if found and (not all_begun or len(steps) == len(jobs)):
                return found[0]
            await asyncio.sleep(0.02)


async def test_jobs_of_four_people_keep_the_accounts_limits_and_take_turns(
    tmp_path: Path, is_nightly: bool
) -> None:
    anas, others = (19, 7) if is_nightly else (10, 3)
    async with team_on(
        SimulatorConfig(time_scale=0.1, seed=5),
        tmp_path / "busy",
        EASEL_MOST_WAITING="22",
    ) as team:
        # All are in line before the first begins, however long asking takes.
        line = team.easel.engine._slots._line("beijing", "qwen-image-plus")
        line.paused_until = time.monotonic() + 1000
        owners: dict[str, str] = {}
        for person in ("ana", "bo", "cy", "di"):
            for number in range(anas if person == "ana" else others):
                answer = await team.asks(
                    Action.DRAW, f"fox {number} of {person}", person
                )
                owners[answer.accepted or ""] = person
        line.paused_until = 0.0
        await team.easel.engine._slots.wake_all()
        for job in owners:
            assert (await team.chat.end_of(job, 120)).tone is Tone.RESULT
        account = team.simulator.account
        assert account.refused_submits == 0
        assert account.refused_queries == 0
        assert account.max_running == {"qwen-image-plus": 2}
        order = [
            task.request.prompt.split()[-1]
            for task in sorted(
                account.tasks.values(), key=lambda one: one.accepted
            )
        ]
        assert len(order) == anas + 3 * others
        # Nobody waits behind one person's many: the others are all served before Ana's last.
        assert set(order[others + 2 - anas :]) == {"ana"}
        assert all(person in order[:12] for person in ("bo", "cy", "di"))


async def test_what_is_asked_for_by_hand_waits_for_no_burst_of_deliveries(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.MAX_BURST", 100.0)
    async with asyncio.timeout(60):
        for number in range(3):
            await team.gets(Action.DRAW, f"fox {number}")


def test_the_place_in_line_is_shown(tmp_path: Path) -> None:
    async def story() -> Mapping[str, str]:
        async with team_on(
            SimulatorConfig(time_scale=0.1, seed=1), tmp_path / "line"
        ) as team:
            jobs = [
                (await team.asks(Action.DRAW, f"fox {number}")).accepted or ""
                for number in range(8)
            ]
            for job in jobs:
                await team.chat.end_of(job)
            return {
                message.posts[0].job: "\n".join(
                    post.text for post in message.posts
                )
                for message in team.chat.messages.values()
            }

    texts = asyncio.run(story())
    assert any(
        "Number 7 in line" in text or "Number 8 in line" in text
        for text in texts.values()
    )
    assert any("Working" in text for text in texts.values())


async def test_a_synchronous_call_is_shown_at_work_not_in_line(
    tmp_path: Path,
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=0.1, seed=1), tmp_path / "sync"
    ) as team:
        step, _ = await team.gets(
            Action.DRAW, "a castle --model qwen-image-2.0-pro"
        )
        (message,) = (
            one
            for one in team.chat.messages.values()
            if one.posts[0].job == step.id
        )
        assert (
            len([post for post in message.posts if "Working" in post.text]) > 3
        )


async def test_a_lost_synchronous_call_can_be_dropped_and_its_money_comes_back(
    team: Team,
) -> None:
    team.simulator.account.faults.append(
        {"where": "sync", "kind": "drop_after"}
    )
    step, _ = await team.gets(
        Action.EDIT, "make it night", photos=("coffee.png",)
    )
    store, today = (
        team.easel.context.store,
        step.created.replace(hour=0, minute=0),
    )
    assert [
        str(one.total.amount) for one in await store.usage(PLACE.tenant, today)
    ] == ["0.2"]
    with pytest.raises(Rejected, match="not_yours"):
        await team.asks(Action.DROP, person="bo", target=step.id)
    await team.asks(Action.DROP, target=step.id)
    assert [
        one.total.amount for one in await store.usage(PLACE.tenant, today)
    ] == [0]


async def test_of_a_moving_picture_it_is_said_that_the_first_frame_was_taken(
    team: Team, tmp_path: Path
) -> None:
    from PIL import Image  # noqa: PLC0415

    frames = [
        Image.new("RGB", (600, 520), colour) for colour in ("red", "blue")
    ]
    frames[0].save(
        tmp_path / "moving.gif", save_all=True, append_images=frames[1:]
    )
    _, post = await team.gets(
        Action.EDIT, "make it night", photos=(str(tmp_path / "moving.gif"),)
    )
    assert "first frame" in post.text


async def test_a_mistake_of_ours_on_the_way_in_is_told_too(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.flow import prepare  # noqa: PLC0415

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(prepare, "plan_step", broken)
    answer = await team.asks(Action.DRAW, "a fox")
    post = await team.chat.end_of(answer.accepted or "")
    assert (answer.accepted or "-") in post.text


async def test_a_job_given_up_by_the_engine_is_told_at_the_next_start(
    tmp_path: Path,
) -> None:
    import sqlite3  # noqa: PLC0415

    folder, chat = tmp_path / "given-up", MemoryChat()
    async with team_on(
        SimulatorConfig(time_scale=1), folder, chat=chat
    ) as team:
        answer = await team.asks(Action.DRAW, "a fox")
        await _first_in(team, [answer.accepted or ""], StepState.RUNNING)
    with sqlite3.connect(folder / "easel.db") as database:
        database.execute("UPDATE steps SET claims = 4")
    database.close()
    async with team_on(
        SimulatorConfig(time_scale=0.01), folder, chat=chat
    ) as team:
        told = await team.chat.end_of(answer.accepted or "")
        step = await team.step(answer.accepted or "")
        assert (step.state, step.charged) == (StepState.FAILED, "maybe")
        assert step.id in told.text


async def test_the_head_moves_back_and_forth_and_the_history_is_drawn(
    team: Team,
) -> None:
    first, _ = await team.gets(Action.DRAW, "a fox")
    second, _ = await team.gets(Action.EDIT, "make it night")
    back = await team.says(Action.UNDO)
    assert "v1" in back.text
    assert back.pictures[0].picture == first.outputs[0]
    assert "v2" in (await team.says(Action.REDO)).text
    with pytest.raises(Rejected, match="nothing_to_redo"):
        await team.asks(Action.REDO)
    branch, _ = await team.gets(
        Action.EDIT, "make it gold", "bo", target=first.id
    )
    tree = await team.says(Action.HISTORY, person="bo")
    assert tree.pictures[0].drawn
    assert "a fox" in tree.text
    assert branch.parent == first.id
    shown = await team.says(Action.COMPARE)
    assert [one.name.rsplit(".")[-1] for one in shown.pictures] == [
        "png",
        "webp",
    ]
    with pytest.raises(Rejected, match="nothing_to_compare"):
        await team.asks(Action.COMPARE, target=first.id)
    assert (await team.says(Action.SHOW, second.id)).tone is Tone.RESULT
    assert (await team.says(Action.SHOW)).tone is Tone.RESULT


async def test_info_tells_all_usage_and_budgets_what_it_cost_and_help_what_one_can_do(
    team: Team,
) -> None:
    step, _ = await team.gets(Action.DRAW, "a fox --no blur")
    told = (await team.says(Action.INFO)).text
    for fact in (step.model, str(step.seed), step.task_id or "-", "blur"):
        assert fact in told
    assert (
        "Nothing has been spent"
        in (
            await team.says(
                Action.USAGE,
                place=Place(platform="memory", workspace="x", channel="c"),
            )
        ).text
    )
    assert "¥0.20" in (await team.says(Action.USAGE)).text
    assert "No budgets" in (await team.says(Action.BUDGET)).text
    assert (
        "¥5.00"
        in (
            await team.says(
                Action.BUDGET, given={"person_day": "5"}, is_admin=True
            )
        ).text
    )
    assert (
        "No budgets"
        in (
            await team.says(
                Action.BUDGET, given={"person_day": "-"}, is_admin=True
            )
        ).text
    )
    assert "--ar" in (await team.says(Action.HELP)).text


async def test_what_has_ended_cannot_be_cancelled(team: Team) -> None:
    step, _ = await team.gets(Action.DRAW, "a fox")
    with pytest.raises(Rejected, match="already_ended"):
        await team.asks(Action.CANCEL, step.id)
    with pytest.raises(EaselError, match="nothing_to_cancel"):
        await team.asks(Action.CANCEL)
    with pytest.raises(Rejected, match="nothing_to_drop"):
        await team.asks(Action.DROP, step.id)


async def test_a_mask_of_ones_own_is_brought_to_the_pictures_size(
    team: Team, tmp_path: Path
) -> None:
    from PIL import Image  # noqa: PLC0415

    mask = Image.new("L", (300, 200))
    mask.paste(255, (0, 0, 150, 200))
    mask.save(tmp_path / "mask.png")
    given = Attachment(ref=str(tmp_path / "mask.png"), name="mask.png")
    step, _ = await team.gets(
        Action.INPAINT, "a green meadow", photos=("coffee.png",), mask=given
    )
    assert step.mask
    assert step.mask.size == step.inputs[0].size


@pytest.mark.parametrize("kind", ["status", "html", "drop_before"])
async def test_f05_when_the_list_cannot_be_had_a_lost_submit_is_never_taken_for_refused(
    team: Team, kind: str
) -> None:
    team.simulator.account.faults += [
        {"where": "submit", "kind": "drop_after"},
        {"where": "list", "kind": kind, "status": 500, "times": 2},
    ]
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


async def test_a_service_that_answers_500_is_waited_for_like_a_busy_one(
    team: Team,
) -> None:
    team.simulator.account.faults.append(
        {"where": "submit", "kind": "status", "status": 502, "times": 3}
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


@pytest.mark.parametrize("kind", ["drop_after", "status_after"])
async def test_a_list_that_lags_makes_no_second_task(
    tmp_path: Path, kind: str
) -> None:
    config = SimulatorConfig(time_scale=0.01, list_lag=0.7)
    async with team_on(config, tmp_path) as team:
        team.simulator.account.faults.append(
            {"where": "submit", "kind": kind, "status": 500}
        )
        step, _ = await team.gets(Action.DRAW, "a fox")
        assert step.state is StepState.DONE
        assert len(team.simulator.account.tasks) == 1


async def test_a_service_that_answers_500_for_hours_is_given_up_free_of_charge(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PATIENCE", timedelta(seconds=1))
    team.simulator.account.faults.append(
        {"where": "submit", "kind": "status", "status": 502, "times": 0}
    )
    step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.charged) == (StepState.FAILED, "no")
    assert kinds(post) == [ButtonKind.RETRY]
    assert team.simulator.account.tasks == {}


async def test_a_workspace_that_says_goodbye_twice_in_a_second_is_forgotten(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack sends tokens_revoked and app_uninstalled together."""
    context = team.easel.context
    await team.gets(Action.DRAW, "a fox")
    asked, keys = [], context.blobs.keys
    both_asked = asyncio.Event()

    async def both_at_once(workspace: str) -> list[str]:
        asked.append(workspace)
        if len(asked) == 2:
            both_asked.set()
        await both_asked.wait()
        return await keys(workspace)

    monkeypatch.setattr(context.blobs, "keys", both_at_once)
    for key in ("tokens-revoked", "uninstalled"):
        await team.easel.service.receive(events.goodbye(key, PLACE))
    async with asyncio.timeout(60):
        while await keys(PLACE.tenant) or await context.store.recent(
            PLACE.tenant, "ana", 1
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("size", "function", "words"),
    [
        (
            (1080, 6000),
            "edit",
            "long.png: That picture is too long and thin (1080×6000)",
        ),
        ((12_000, 1000), "upscale", "too long and thin (12000×1000)"),
    ],
)
async def test_a_refusal_names_the_file_and_the_size_its_person_knows(
    team: Team,
    tmp_path: Path,
    size: tuple[int, int],
    function: str,
    words: str,
) -> None:
    path = tmp_path / "long.png"
    Image.new("L", size).save(path)
    action = Action.EDIT if function == "edit" else Action.UPSCALE
    assert words in await team.is_refused(
        action, "make it night", photos=(str(path),)
    )


async def test_of_two_files_the_damaged_one_is_named(
    team: Team, tmp_path: Path
) -> None:
    path = tmp_path / "half.jpg"
    data = (PHOTOS / "rocket.jpg").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    words = await team.is_refused(
        Action.EDIT, "join them", photos=("coffee.png", str(path))
    )
    assert "half.jpg: That picture is damaged" in words


async def test_a_mask_of_another_shape_is_compared_with_the_picture_as_it_came(
    team: Team, tmp_path: Path
) -> None:
    path = tmp_path / "mask.png"
    Image.new("L", (300, 300)).save(path)
    words = await team.is_refused(
        Action.INPAINT,
        "a hat",
        photos=("coffee.png",),
        mask=Attachment(ref=str(path), name="mask.png"),
    )
    assert "The mask is 300×300 and the picture 600×400" in words
