"""What goes wrong with Slack: lost answers, dropped shares, closed channels, strange files."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from adapters.slack import chat as chats
from adapters.slack import files as slack_files
from adapters.slack import progress
from bot.run import Running
from core.flow.context import Context
from core.types import Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.house import easel_in
from tests.fakes.slack.world import Fault, World

HOSTILE = [
    "@everyone @here <@U000000002> <!channel> <!here> <!subteam^S1> <#C000000001>",
    "<https://evil.example|https://bank.example> [bank](https://evil.example)",
    "&lt;!channel&gt; &amp;lt;",
    "``` fence ``` `tick` *bold* _under_ ~gone~",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "{0.__class__} %s%n ${jndi:ldap://x} {{7*7}} { $secret }",
    "'); DROP TABLE steps;--",
    "line\nINFO admin login",
]


@pytest_asyncio.fixture
async def there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Slack, Running, Somebody]]:
    monkeypatch.setattr(
        slack_files.Files.__init__, "__defaults__", ((0.0, 0.05, 0.1, 0.2),)
    )
    defaults = Context.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "back_off", 0.05)
    async with (
        slack(World(share_after=0.02)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        yield fake, bot, fake.person("Ana")


Place = tuple[Slack, Running, Somebody]


async def steps_of(bot: Running, person: Somebody) -> list[Step]:
    return await bot.easel.context.store.recent(
        Tenant("slack:T00000001"), person.id, 20
    )


def results(fake: Slack) -> list[int]:
    """How many pictures each message of ours shows."""
    ours = [
        one
        for one in fake.world.messages
        if one.user == fake.workspace.bot_user and not one.deleted
    ]
    return [len(one.files) for one in ours if one.files]


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("chat.postMessage", Fault(retry_after=1)),
        ("chat.postMessage", Fault(error="rate_limited")),
        ("chat.postMessage", Fault(status=503)),
        ("chat.postMessage", Fault(status=502, effect=True)),
        ("chat.postMessage", Fault(effect=True, drop=True)),
        ("chat.postMessage", Fault(drop=True, error="x")),
        ("chat.update", Fault(retry_after=1)),
        ("chat.update", Fault(effect=True, drop=True)),
        ("files.getUploadURLExternal", Fault(status=503)),
        ("files.getUploadURLExternal", Fault(retry_after=1)),
        ("files.completeUploadExternal", Fault(effect=True, drop=True)),
        ("files.completeUploadExternal", Fault(status=504, effect=True)),
        ("files.completeUploadExternal", Fault(error="internal_error")),
        ("files.info", Fault(status=500)),
        ("users.info", Fault(error="internal_error")),
    ],
)
async def test_one_result_whatever_answer_is_lost(
    there: Place, method: str, fault: Fault
) -> None:
    fake, bot, ana = there
    fake.world.faults[method].append(fault)
    await ana.types("/draw a fox")
    caption, _ = await ana.result("a fox")
    await asyncio.sleep(0.3)
    assert results(fake) == [1]
    said = [
        one
        for one in fake.world.messages
        if one.user == fake.workspace.bot_user
        and one.blocks
        and not one.only_for
    ]
    assert [one.ts for one in said] == [caption.ts]
    assert len(await steps_of(bot, ana)) == 1


@pytest.mark.parametrize(
    "fault", [Fault(status=502, effect=True), Fault(effect=True, drop=True)]
)
@pytest.mark.parametrize(
    "command", ["/draw a fox --private", "/draw a fox", "/easel usage"]
)
async def test_what_is_said_in_private_is_said_once_whatever_answer_is_lost(
    there: Place, command: str, fault: Fault
) -> None:
    fake, _, ana = there
    closed = fake.channel("closed")
    await ana.types("/easel help", closed)
    await ana.reads("What Easel can do", closed)
    fake.workspace.channels[closed].members.discard(fake.workspace.bot_user)
    await ana.types("/draw a hen --private")
    await ana.result("a hen", ana.direct)
    before = len(ana.sees(ana.direct))
    # In the channel that has closed the first post is refused, and the second is the one whose
    # answer is lost.
    fake.world.faults["chat.postMessage"].extend(
        [Fault(error="not_in_channel")] * (command == "/draw a fox")
    )
    fake.world.faults["chat.postMessage"].append(fault)
    await ana.types(command, closed if command == "/draw a fox" else "")
    await fake.until(
        lambda: [one for one in ana.sees(ana.direct)[before:] if one.files]
    )
    await asyncio.sleep(1.5)
    said = ana.sees(ana.direct)[before:]
    assert sorted(len(one.files) for one in said) == [0, 1]
    assert not [one for one in said if "Cancel" in one.buttons]


async def test_where_uploads_are_forbidden_the_result_says_so(
    there: Place,
) -> None:
    fake, _, ana = there
    fake.world.faults["files.getUploadURLExternal"].extend(
        [Fault(error="file_uploads_disabled")] * 9
    )
    bo = fake.person("Bo", locale="zh-CN")
    await ana.types("/draw a fox")
    caption = await ana.reads("would not attach")
    assert "🔄 Again" in caption.buttons
    assert len(ana.sees()) == 1
    await bo.types("/draw a hen")
    caption = await bo.reads("没能附上图片")
    assert (
        "要为所有人删除"
        in caption.buttons["🗑️ 删除"]["confirm"]["text"]["text"]
    )


async def test_a_share_that_slack_dropped_in_silence_is_repaired(
    there: Place,
) -> None:
    fake, _, ana = there
    fake.world.dropped_shares = 1
    await ana.types("/draw a fox --n 2")
    await ana.result("a fox")
    assert results(fake) == [2]
    assert len([one for one in fake.world.files.values() if one.deleted]) == 2


async def test_pictures_with_alternative_text_that_slack_will_not_share_go_without(
    there: Place,
) -> None:
    fake, _, ana = there
    fake.world.drop_shares_with_alt = True
    await ana.types("/draw a fox")
    await ana.result("a fox")
    shown = [one for one in fake.world.files.values() if one.shares]
    assert [one.alt for one in shown] == [""]


async def test_a_share_that_never_happens_is_said_with_the_way_to_try_again(
    there: Place,
) -> None:
    fake, bot, ana = there
    fake.world.dropped_shares = 2
    await ana.types("/draw a fox")
    caption = await ana.reads("would not attach")
    assert "🔄 Again" in caption.buttons
    assert results(fake) == []
    step = (await steps_of(bot, ana))[0]
    await ana.types(f"/easel show {step.id}")
    await fake.until(lambda: results(fake) == [1])


async def test_an_upload_that_failed_is_made_again(there: Place) -> None:
    fake, _, ana = there
    fake.api.upload_faults = [504, 504]
    await ana.types("/draw a fox")
    await ana.result("a fox")
    assert results(fake) == [1]


async def test_a_channel_closed_to_us_sends_the_result_to_its_person(
    there: Place,
) -> None:
    fake, _, ana = there
    closed = fake.channel("closed")
    fake.workspace.channels[closed].archived = True
    await ana.types("/draw a fox", closed)
    caption, _ = await ana.result("a fox", ana.direct)
    assert caption.channel == ana.direct
    told = await fake.until(
        lambda: [used for used in fake.world.hooks.values() if used]
    )
    assert "does not let me write" in told[0][0]["text"]
    # A refusal needs no channel: it comes through what was typed.
    await ana.types("/draw a fox --n 99", closed)
    hooks = await fake.until(
        lambda: [
            used
            for used in fake.world.hooks.values()
            if used and "99" in used[0]["text"]
        ]
    )
    assert len(hooks) == 1


async def test_a_refusal_that_has_no_way_back_any_more_comes_directly(
    there: Place,
) -> None:
    fake, _, ana = there
    closed = fake.channel("closed", invited=False)
    fake.hook_uses = 5
    await ana.types("/draw a fox --n 99", closed)
    await ana.reads("99", ana.direct)


async def test_a_message_or_channel_gone_in_the_middle_sends_the_result_to_its_person(
    there: Place,
) -> None:
    fake, _, ana = there
    await ana.types("/draw a fox --model qwen-image-plus")
    status = await ana.reads("a fox")
    status.deleted = True
    caption = await ana.reads("a fox", ana.direct, button="🔄")
    assert caption.channel == ana.direct
    await fake.until(
        lambda: [one for one in ana.sees(ana.direct) if one.files]
    )
    assert results(fake) == [1]


async def test_a_form_that_comes_too_late_is_said(there: Place) -> None:
    fake, _, ana = there
    fake.world.faults["views.open"].append(Fault(error="expired_trigger_id"))
    await ana.types("/draw")
    assert (await ana.reads("took too long")).only_for == ana.id


async def test_long_and_hostile_words_ping_nobody_and_break_no_caption(
    there: Place,
) -> None:
    fake, _, ana = there
    texts = [*HOSTILE, "畫一隻狐狸" * 150, "🦊 fox " * 90]
    for text in texts:
        await ana.says(f"{ana.easel} draw {text}")
        await fake.until(
            lambda: fake.world.messages[-1].user == fake.workspace.bot_user
        )
    await fake.until(lambda: len(results(fake)) >= 8, 40)
    for method, call in fake.world.calls:
        if method in {"chat.postMessage", "chat.update", "chat.postEphemeral"}:
            text = str(call["text"])
            assert "<" not in text.replace("&lt;", "")
            assert call["parse"] == "none"
            assert not call["link_names"]
            kinds = {
                one["type"]
                for block in call["blocks"]
                if block["type"] == "rich_text"
                for part in block["elements"]
                for one in part["elements"]
            }
            assert kinds <= {"text"}
            assert not any(
                sign in json.dumps(call, ensure_ascii=False)
                for sign in "\u202e\u2066"
            )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a" * 10_001,
        "cat --n 99 --model x",
        'say "cat',
    ],
)
async def test_words_nothing_can_be_drawn_from_are_refused_and_nothing_is_begun(
    there: Place, text: str
) -> None:
    fake, bot, ana = there
    await ana.says(f"{ana.easel} draw {text}" if text.strip() else ana.easel)
    await fake.until(
        lambda: [one for one in ana.sees() if one.only_for == ana.id]
    )
    assert await bot.easel.context.store.open_steps() == []
    assert results(fake) == []


# Files


async def test_the_picture_of_a_thread_that_cannot_be_read_just_now_is_waited_for(
    there: Place,
) -> None:
    """Never is the last result edited in its place."""
    fake, bot, ana = there
    await ana.types("/draw a fox")
    await ana.result("a fox")
    photo = ana.uploads(PHOTOS / "coffee.png")
    root = await ana.says("my coffee", files=[photo])
    fake.world.faults["conversations.replies"].append(Fault(status=503))
    await ana.says(f"{ana.easel} make it night", thread=root)
    await ana.result("make it night")
    edit = (await steps_of(bot, ana))[0]
    assert edit.parent is None
    assert len(edit.inputs) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://files.slack.com@evil.example/files-pri/x",
        "https://evil.example\\@files.slack.com/files-pri/x",
        "https://files.slack.com.evil.example/files-pri/x",
        "https://files.slack.com%2eevil.example/files-pri/x",
        "https://files.slack.com\t.evil.example/files-pri/x",
        "\x0bhttps://files.slack.com/files-pri/x",
        "https://ﬁles.slack.com/files-pri/x",
        "https://files。slack。com/files-pri/x",
        "http://files.slack.com/files-pri/x",
        "https://files.slack.com:8443/files-pri/x",
        "https://slack.com/api/api.test",
        "https://127.0.0.1/files-pri/x",
        "https://2130706433/files-pri/x",
        "https://0x7f.0.0.1/files-pri/x",
        "https://[::ffff:127.0.0.1]/files-pri/x",
        "https://169.254.169.254/files-pri/x",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
    ],
)
async def test_the_token_goes_to_no_strange_address(
    there: Place, url: str
) -> None:
    fake, _, ana = there
    file = {
        "id": "F00000001",
        "name": "x.png",
        "mimetype": "image/png",
        "mode": "hosted",
        "url_private": url,
    }
    await fake.event(
        "app_mention",
        channel=fake.general,
        user=ana.id,
        text=f"{ana.easel} make it night",
        files=[file],
        ts="1.2",
    )
    assert (await ana.reads("must not fetch")).only_for == ana.id


async def test_a_stranger_behind_an_allowed_host_sees_no_token_and_no_redirect_is_followed(
    tmp_path: Path,
) -> None:
    seen: list[str] = []

    async def steal(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response()

    app = web.Application()
    app.router.add_get("/{tail:.*}", steal)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with slack() as fake, easel_in(fake, tmp_path / "data"):
        ana = fake.person("Ana")
        url = f"http://127.0.0.1:{port}/files-pri/T1-F1/x.png"
        file = {
            "id": "F00000001",
            "mimetype": "image/png",
            "mode": "hosted",
            "url_private": url,
        }
        mention = f"{ana.easel} make it night"
        await fake.event(
            "app_mention",
            channel=fake.general,
            user=ana.id,
            text=mention,
            files=[file],
            ts="1.2",
        )
        await ana.reads("must not fetch")
    await runner.cleanup()
    assert seen == []


async def test_odd_files_get_a_sentence_each(there: Place) -> None:
    fake, bot, ana = there
    photo = PHOTOS / "coffee.png"
    remote = ana.uploads(photo, external=True)
    await ana.says(f"{ana.easel} make it night", files=[remote])
    await ana.reads("stored outside Slack")
    gone = ana.uploads(photo)
    gone.deleted = True
    await ana.says(f"{ana.easel} make it day", files=[gone])
    await ana.reads("has been deleted")
    text = ana.uploads(b"<!doctype html><script>alert(1)</script>", "x.png")
    await ana.says(f"{ana.easel} make it odd", files=[text])
    await ana.reads("not a picture")
    fake.workspace.scopes = fake.workspace.scopes.replace("files:read,", "")
    await ana.says(f"{ana.easel} make it dark", files=[ana.uploads(photo)])
    await ana.reads("not allowed to read")
    assert await steps_of(bot, ana) == []


async def test_a_file_that_slack_does_not_give_yet_is_waited_for(
    there: Place,
) -> None:
    fake, bot, ana = there
    fake.api.download_faults = [503] * 4
    photo = ana.uploads(PHOTOS / "coffee.png")
    await ana.says(f"{ana.easel} make it night", files=[photo])
    told = await ana.reads("still waiting for Slack")
    caption, _ = await ana.result("make it night")
    assert caption.ts == told.ts
    assert len(await steps_of(bot, ana)) == 1


async def test_a_file_of_another_organisation_is_looked_up(
    there: Place,
) -> None:
    _, bot, ana = there
    foreign = ana.uploads(PHOTOS / "coffee.png", connect=True)
    await ana.says(f"{ana.easel} make it night", files=[foreign])
    await ana.result("make it night")
    assert len((await steps_of(bot, ana))[0].inputs) == 1


async def test_progress_keeps_within_what_slack_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats.SlackChat, "pace", 0.05)
    monkeypatch.setattr(progress, "PROGRESS_A_MINUTE", 10)
    async with (
        slack(World(strict_rates=True)) as fake,
        easel_in(fake, tmp_path / "data"),
    ):
        ana = fake.person("Ana")
        for at in range(6):
            await ana.types(f"/draw fox {at} --model qwen-image-plus")
        for at in range(6):
            await ana.result(f"fox {at}")
        updates = [
            call
            for method, call in fake.world.calls
            if method == "chat.update"
        ]
        assert len(updates) <= 10 + 6
        assert fake.world.limited["chat.update"] == 0


async def test_no_secret_of_slacks_is_ever_logged(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bot import logs, settings  # noqa: PLC0415

    async with slack() as fake:
        fake.world.faults["chat.postMessage"].append(
            Fault(drop=True, error="x")
        )
        fake.world.faults["files.info"].append(Fault(status=500))
        chosen = settings.load(**fake.settings(socket=True))
        logs.set_up("json", "debug", settings.secrets(chosen))
        async with easel_in(fake, tmp_path / "data", socket=True):
            ana = fake.person("Ana")
            await ana.types("/draw a fox")
            await ana.result("a fox")
            await fake.socket.cut()
            await ana.says(
                f"{ana.easel} make it night",
                files=[ana.uploads(PHOTOS / "coffee.png", external=True)],
            )
            await ana.reads("stored outside Slack")
    written = "".join(capfd.readouterr())
    for secret in (fake.workspace.token, fake.api.app_token, "hook0000"):
        assert secret not in written


@pytest.fixture
def _short_looks(monkeypatch: pytest.MonkeyPatch, is_nightly: bool) -> None:
    """By day a dropped share is waited for three seconds, not twenty-two."""
    if not is_nightly:
        looks = slack_files.LOOKS[:4]
        init = slack_files.Files.__init__
        monkeypatch.setattr(init, "__defaults__", (looks,))


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("_short_looks")
async def test_after_a_day_of_faults_everybody_has_their_picture_once(
    tmp_path: Path, is_nightly: bool
) -> None:
    """Every kind of fault comes at random moments.

    Meanwhile people work in channels, threads and direct messages.
    """
    names, lives = (
        (("Ana", "Bo", "Cy"), 4) if is_nightly else (("Ana", "Bo"), 2)
    )
    luck = random.Random(20261121)
    kinds = [
        Fault(retry_after=1),
        Fault(status=503),
        Fault(status=502, effect=True),
        Fault(effect=True, drop=True),
        Fault(drop=True, error="x"),
        Fault(seconds=0.5),
        Fault(error="internal_error"),
    ]
    methods = [
        "chat.postMessage",
        "chat.update",
        "chat.postEphemeral",
        "files.getUploadURLExternal",
        "files.completeUploadExternal",
        "files.info",
        "users.info",
        "conversations.replies",
    ]
    async with slack(World(ready_after=0.1, share_after=0.1)) as fake:
        fake.event_copies = 2
        people = [fake.person(name) for name in names]
        for life in range(lives):
            async with easel_in(
                fake, tmp_path / "data", socket=life % 2 == 1
            ) as bot:
                for method in methods * (2 if is_nightly else 1):
                    fake.world.faults[method].append(luck.choice(kinds))
                fake.world.dropped_shares += 1
                fake.api.upload_faults = [504]
                for at, person in enumerate(people):
                    await person.types(
                        f"/draw fox {life} of {person.user.name}"
                    )
                    photo = person.uploads(PHOTOS / "rocket.jpg")
                    await person.says(
                        f"{person.easel} moon {life} of {person.user.name}",
                        files=[photo],
                    )
                    await person.says(
                        f"draw heron {life} of {person.user.name}",
                        person.direct,
                    )
                    if life % 2 and at == 1:
                        await fake.socket.disconnect()
                for person in people:
                    for what, where in (
                        ("fox", ""),
                        ("moon", ""),
                        ("heron", person.direct),
                    ):
                        await shown_once(
                            fake,
                            person,
                            f"{what} {life} of {person.user.name}",
                            where,
                        )
                async with asyncio.timeout(60):
                    while await bot.easel.context.store.open_steps():
                        await asyncio.sleep(0.1)
                store = bot.easel.context.store
                made = [
                    await store.recent(
                        Tenant("slack:T00000001"), person.id, 20
                    )
                    for person in people
                ]
                assert [len(one) for one in made] == [3 + 3 * life] * len(
                    people
                )


async def shown_once(
    fake: Slack, person: Somebody, prompt: str, where: str
) -> None:
    """One caption, and one message with its picture, wherever the faults have driven them."""

    def captions() -> list[str]:
        seen = [
            *person.sees(where),
            *(person.sees(person.direct) if not where else []),
        ]
        return [
            one.ts
            for one in seen
            if one.words.startswith(prompt) and "🔄 Again" in one.buttons
        ]

    await fake.until(captions, 90)
    names = [
        file.name
        for file in fake.world.files.values()
        if file.shares and not file.deleted
    ]
    assert len(captions()) == 1, prompt
    assert len(names) == len(set(names))


async def test_an_app_that_may_read_once_a_minute_answers_everybody_soon(
    tmp_path: Path,
) -> None:
    async with (
        slack(World(is_distributed=True)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana")
        for prompt in ("a fox", "a hare"):
            await ana.says(f"{ana.easel} draw {prompt} by day")
            await ana.types(f"/draw {prompt} at night")
            # Slack also takes its time to say who she is: longer than is waited here.
            fake.world.faults["users.info"].extend([Fault(retry_after=59)] * 9)
            await ana.result(f"{prompt} by day")
            await ana.result(f"{prompt} at night")
        await fake.until(lambda: fake.world.limited["conversations.replies"])
        assert len(await steps_of(bot, ana)) == 4
        fake.world.faults.clear()


async def test_a_mention_does_not_wait_for_a_courtesy_look(
    there: Place,
) -> None:
    # Distributed apps may read replies once a minute.
    fake, _, ana = there
    fake.world.faults["conversations.replies"].extend(
        [Fault(retry_after=59)] * 9
    )
    await ana.says(f"{ana.easel} draw a fox", as_events=("app_mention",))
    await ana.reads("a fox")
