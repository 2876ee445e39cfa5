"""Slack's HTTP mode: signatures, odd envelopes, installing, leaving."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from multidict import CIMultiDict
from sqlalchemy import select

from adapters.slack.store import SlackStore
from bot.run import Running
from core.storage import database
from core.types import SessionId, Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.slack.driver import (
    SECRET,
    Slack,
    Somebody,
    sample,
    sign,
    slack,
)
from tests.fakes.slack.house import easel_in

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[Slack, Running]]:
    async with slack() as fake, easel_in(fake, tmp_path / "data") as bot:
        yield fake, bot


async def send(
    fake: Slack, data: bytes, headers: Any, kind: str = JSON
) -> tuple[int, str]:
    """Raw bytes with these headers and no others of Slack's."""
    async with aiohttp.ClientSession() as http:
        pairs = [
            *(headers.items() if isinstance(headers, dict) else headers),
            ("Content-Type", kind),
        ]
        async with http.post(
            f"{fake.url}/slack/events",
            data=BytesIO(data),
            headers=CIMultiDict(pairs),
        ) as answer:
            return answer.status, await answer.text()


def command(fake: Slack, **changes: Any) -> bytes:
    body = sample("slash_command") | {
        "channel_id": fake.general,
        "text": "a fox",
        "trigger_id": fake.world.trigger(),
        "response_url": fake.hook(),
    }
    return urlencode(body | changes).encode()


GOOD = b'{"type":"url_verification","challenge":"c"}'


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("none", {}),
        ("bad", {**sign(GOOD), "X-Slack-Signature": "v0=" + "0" * 64}),
        ("other secret", sign(GOOD, secret="other")),
        ("empty", {**sign(GOOD), "X-Slack-Signature": ""}),
        ("stamp text", {**sign(GOOD), "X-Slack-Request-Timestamp": "abc"}),
        ("stamp huge", {**sign(GOOD), "X-Slack-Request-Timestamp": "9" * 400}),
        ("not ascii", {**sign(GOOD), "X-Slack-Signature": "v0=é"}),
        ("old", sign(GOOD, time.time() - 301)),
        ("future", sign(GOOD, time.time() + 3000)),
        ("two", [*sign(GOOD).items(), *sign(GOOD).items()]),
    ],
)
async def test_what_is_not_signed_by_slack_is_turned_away(
    door: tuple[Slack, Running], name: str, headers: Any
) -> None:
    status, text = await send(door[0], GOOD, headers)
    assert (status, text) == (401, ""), name


async def test_slack_may_name_us_as_it_likes_and_a_browser_may_not(
    door: tuple[Slack, Running],
) -> None:
    elsewhere = {"Host": "elsewhere.example"}
    assert (await send(door[0], GOOD, {**sign(GOOD), **elsewhere}))[0] == 200
    async with aiohttp.ClientSession() as http:
        page = f"{door[0].url}/static/page.css"
        async with http.get(page, headers=elsewhere) as answer:
            assert answer.status == 421


async def test_bytes_that_are_no_text_or_were_written_anew_are_turned_away(
    door: tuple[Slack, Running],
) -> None:
    assert (await send(door[0], b"\xff\xfe", sign(b"\xff\xfe")))[0] == 401
    data = json.dumps(json.loads(GOOD), indent=1).encode()
    assert (await send(door[0], data, sign(GOOD)))[0] == 401


@pytest.mark.parametrize("off", [-299, 0, 299])
async def test_the_challenge_is_answered_within_five_minutes(
    door: tuple[Slack, Running], off: int
) -> None:
    status, text = await send(door[0], GOOD, sign(GOOD, time.time() + off))
    assert status == 200
    assert json.loads(text) == {"challenge": "c"}


async def test_odd_bodies_are_refused_without_a_stack(
    door: tuple[Slack, Running],
) -> None:
    fake, _ = door
    deep = b"[" * 100_000
    fields = urlencode({f"f{at}": "x" for at in range(1000)}).encode()
    for data, kind, wanted in [
        (deep, JSON, 400),
        (b'{"type": "event_callback"' + b'{"a":' * 50_000, JSON, 400),
        (b"not json", JSON, 400),
        (b"[1]", JSON, 400),
        (fields, FORM, 400),
        (urlencode({"payload": "nope"}).encode(), FORM, 400),
        (urlencode({"a": "b", "payload": "[" * 100_000}).encode(), FORM, 400),
        (urlencode({"payload": "7"}).encode(), FORM, 400),
        (b"x" * (1 << 20) + b"x", JSON, 413),
    ]:
        status, text = await send(fake, data, sign(data), kind)
        assert status == wanted, data[:40]
        assert "Traceback" not in text
    status, _ = await send(
        fake, GOOD, {**sign(GOOD), "Content-Encoding": "gzip"}
    )
    assert status == 415


ODD = [
    {"type": "event_callback"},
    {"type": "event_callback", "event": "message"},
    {"type": "event_callback", "event": {"type": "message", "user": "U1"}},
    {"type": "event_callback", "event": {"type": "reaction_added"}},
    {"type": "event_callback", "event": {"type": ["message"]}},
    {"type": "block_actions", "actions": []},
    {"type": "block_actions", "trigger_id": "1", "actions": ["press"]},
    {"type": "view_submission", "view": {"callback_id": "easel"}},
    {"type": "view_submission", "view": []},
    {"type": "message_action", "callback_id": "edit_image"},
    {"type": "interactive_message", "callback_id": "legacy", "actions": [{}]},
    {"type": "dialog_submission", "callback_id": "legacy", "submission": {}},
]


@pytest.mark.parametrize("body", ODD, ids=json.dumps)
async def test_a_signed_delivery_in_an_odd_shape_is_acknowledged(
    door: tuple[Slack, Running], body: dict[str, Any]
) -> None:
    fake, _ = door
    data = json.dumps(body).encode()
    assert (await send(fake, data, sign(data)))[0] == 200


async def test_a_wrong_secret_or_clock_is_told_once_a_minute(
    door: tuple[Slack, Running], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, _ = door
    for _ in range(3):
        late = sign(GOOD, time.time() - 400)
        assert (await send(fake, GOOD, late))[0] == 401
        forged = {**sign(GOOD), "X-Slack-Signature": f"v0={'0' * 64}"}
        assert (await send(fake, GOOD, forged))[0] == 401
    output = "".join(capsys.readouterr())
    lines = [line for line in output.splitlines() if "slack_refused" in line]
    assert len(lines) == 2
    assert "clock" in lines[0]
    assert "signature" in lines[1]


async def test_the_same_bytes_twice_do_nothing_more(
    door: tuple[Slack, Running],
) -> None:
    fake, bot = door
    ana = fake.person("Ana")
    data = command(fake, user_id=ana.id)
    headers = sign(data)
    for _ in range(3):
        assert (await send(fake, data, headers, FORM))[0] == 200
    await ana.result("a fox")
    # The same command signed anew, as a retry would be: its trigger is known.
    assert (await send(fake, data, sign(data, time.time() - 7), FORM))[
        0
    ] == 200
    await asyncio.sleep(0.5)
    assert (
        len(
            await bot.easel.context.store.history(
                Tenant("slack:T00000001"),
                SessionId(f"{fake.general}/@{ana.id}"),
            )
        )
        == 1
    )


async def test_no_word_of_a_prompt_is_mistaken_for_an_envelope(
    door: tuple[Slack, Running],
) -> None:
    ana = door[0].person("Ana")
    await ana.types("/draw a rocket & its payload={} in space")
    await ana.result("a rocket & its payload={} in space")


async def test_a_delivery_that_failed_may_come_again(
    door: tuple[Slack, Running],
) -> None:
    fake, bot = door
    ana = fake.person("Ana")
    inbox = bot.easel.engine._inbox
    real, failed = inbox.add, []

    async def fails(incoming: Any) -> None:
        failed.append(incoming.key)
        if len(failed) < 3:
            raise OSError("disk")
        await real(incoming)

    inbox.add = fails  # type: ignore[method-assign]
    answer = await ana.types("/draw a heron")
    assert answer["response_type"] == "ephemeral"
    assert "busy" in answer["text"]
    await ana.says("draw a heron", ana.direct)
    await ana.result("a heron", ana.direct)
    assert len(failed) == 3


async def test_a_retry_that_is_the_only_delivery_is_honoured(
    door: tuple[Slack, Running],
) -> None:
    fake, _ = door
    ana = fake.person("Ana")
    body = fake.addressed(sample("app_mention"), fake.workspace)
    body["event"] |= {
        "user": ana.id,
        "channel": fake.general,
        "text": f"{ana.easel} draw a pond",
    }
    data = json.dumps(body).encode()
    headers = {
        **sign(data),
        "X-Slack-Retry-Num": "3",
        "X-Slack-Retry-Reason": "http_timeout",
    }
    assert (await send(fake, data, headers))[0] == 200
    await ana.result("a pond")


async def test_a_workspace_that_never_installed_us_is_told_so_and_leaves_no_trace(
    door: tuple[Slack, Running],
) -> None:
    fake, bot = door
    hook = fake.hook()
    data = command(fake, team_id="T99999999", response_url=hook)
    status, _ = await send(fake, data, sign(data), FORM)
    assert status == 200
    told = await fake.until(lambda: fake.world.hooks[hook.rpartition("/")[2]])
    assert "not installed" in told[0]["text"]
    assert await bot.easel.context.store.open_steps() == []


async def test_other_bots_and_ourselves_are_not_listened_to(
    door: tuple[Slack, Running],
) -> None:
    fake, _ = door
    robot = fake.person("robot", is_bot=True)
    before = len(fake.world.messages)
    await fake.event("message_bot", channel=fake.general)
    await fake.event(
        "app_mention",
        channel=fake.general,
        user=fake.workspace.bot_user,
        text="draw a loop",
    )
    await robot.types("/draw a loop")
    await robot.says(f"{robot.easel} draw a loop")
    await asyncio.sleep(0.5)
    assert [
        one
        for one in fake.world.messages[before:]
        if one.user == fake.workspace.bot_user
    ] == []


async def test_every_event_we_subscribe_to_and_any_other_is_answered_with_200(
    door: tuple[Slack, Running],
) -> None:
    fake, _ = door
    for name in (
        "app_rate_limited",
        "message",
        "message_changed",
        "reaction_added",
        "app_home_opened",
        "tokens_revoked",
    ):
        body = sample(name)
        if name == "tokens_revoked":
            body["event"]["tokens"] = {"oauth": ["U1"]}
        data = json.dumps(body).encode()
        assert (await send(fake, data, sign(data)))[0] == 200, name
    body = sample("message")
    body["event"] = {"type": "something_new"}
    data = json.dumps(body).encode()
    assert (await send(fake, data, sign(data)))[0] == 200
    ssl = urlencode({"ssl_check": "1", "token": "x"}).encode()
    assert (await send(fake, ssl, sign(ssl), FORM))[0] == 200


async def test_before_the_acknowledgement_there_is_no_network_call_and_one_commit(
    door: tuple[Slack, Running],
) -> None:
    fake, bot = door
    ana = fake.person("Ana")
    inbox = bot.easel.engine._inbox
    real, calls = inbox.add, []
    before = len(fake.world.calls)

    async def counted(incoming: Any) -> None:
        calls.append(len(fake.world.calls) - before)
        await real(incoming)

    inbox.add = counted  # type: ignore[method-assign]
    await ana.types("/draw a fox")
    assert calls == [0]
    await ana.result("a fox")


# Installing into many workspaces


def many(fake: Slack, **more: Any) -> dict[str, Any]:
    return {
        "SLACK_BOT_TOKEN": None,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_CLIENT_ID": "111.222",
        "SLACK_CLIENT_SECRET": "client-secret",
        "EASEL_PUBLIC_URL": "https://easel.example",
        **more,
    }


async def install(fake: Slack, bot: Running, code: str) -> tuple[int, str]:
    """What a browser does at /slack/install and back."""
    host = {"Host": "easel.example"}
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        async with http.get(
            f"{fake.url}/slack/install", headers=host, allow_redirects=False
        ) as answer:
            assert answer.status == 302
            there = answer.headers["Location"]
            assert there.startswith(f"{fake.world.base}/oauth/v2/authorize")
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            flags = answer.headers["Set-Cookie"].lower()
            for flag in ("httponly", "secure", "samesite=lax"):
                assert flag in flags
        state = parse_qs(urlsplit(there).query)["state"][0]
        back = f"{fake.url}/slack/oauth_redirect?{urlencode({'code': code, 'state': state})}"
        headers = {**host, "Cookie": cookie}
        async with http.get(
            back, headers=headers, allow_redirects=False
        ) as answer:
            first = answer.status
        async with http.get(
            back, headers=headers, allow_redirects=False
        ) as answer:
            replayed = answer.status
        unknown = (
            f"{fake.url}/slack/oauth_redirect?code=x&state=../counter.txt"
        )
        async with http.get(
            unknown,
            headers={**host, "Cookie": "slack-app-oauth-state=../counter.txt"},
        ) as answer:
            strange = answer.status
        async with http.get(
            back, headers=host, allow_redirects=False
        ) as answer:
            without_cookie = answer.status
    assert replayed in {400, 401}
    assert strange in {400, 401}
    assert without_cookie in {400, 401}
    return first, state


async def test_a_state_lets_one_in_once_and_those_that_ran_out_are_forgotten(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/easel.db"
    await database.migrate(url)
    engine = database.open_async(url)
    store = SlackStore(engine)
    state = await store.states.async_issue()
    tried = await asyncio.gather(
        *(store.states.async_consume(state) for _ in range(8))
    )
    assert sorted(tried) == [False] * 7 + [True]
    assert not await store.states.async_consume("../x")
    store.states.expiration_seconds = -1
    late = await store.states.async_issue()
    assert not await store.states.async_consume(late)
    await store.states.async_issue()
    async with store.states.engine.begin() as connection:
        kept = (
            await connection.execute(select(store.states.oauth_states))
        ).all()
    assert len(kept) == 1
    await engine.dispose()


@pytest.mark.parametrize(
    "goodbye",
    [
        ("tokens_revoked", "app_uninstalled"),
        ("app_uninstalled", "tokens_revoked"),
    ],
)
async def test_two_workspaces_install_draw_apart_and_one_leaves(
    tmp_path: Path, goodbye: tuple[str, str]
) -> None:
    async with slack() as fake:
        other = fake.world.workspace(
            "T00000002", "xoxb-test-2", enterprise="E00000001"
        )
        fake.api.codes = {"code-1": fake.workspace, "code-2": other}
        channel = fake.channel("general", workspace=other)
        async with easel_in(fake, tmp_path / "data", **many(fake)) as bot:
            for code in ("code-1", "code-2"):
                assert (await install(fake, bot, code))[0] == 200
            ana, eva = fake.person("Ana"), fake.person("Eva", workspace=other)
            await ana.types("/draw a fox")
            await eva.types("/draw a heron", channel)
            fox, _ = await ana.result("a fox")
            heron, _ = await eva.result("a heron", channel)
            # Somebody elsewhere who knows the ids gets nothing.
            stolen = {**heron.buttons["🔄 Again"]}
            await ana.slack.interact(ana.press(fox, stolen))
            refusal = await ana.reads("There is no picture or job")
            assert refusal.only_for == ana.id
            tokens = {call.get("token") for _, call in fake.world.calls}
            assert tokens == {None}

            context = bot.easel.context
            tenant = "slack:E00000001.T00000002"
            assert await context.blobs.keys(tenant)
            for name in goodbye:
                await fake.event(name, other, tokens={"bot": [other.bot_user]})
            async with asyncio.timeout(60):
                while await context.blobs.keys(
                    tenant
                ) or await context.store.history(
                    Tenant(tenant), SessionId(f"{channel}/@{eva.id}")
                ):
                    await asyncio.sleep(0.05)
            calls = len(fake.world.calls)
            hook_count = len(fake.world.hooks)
            await eva.types("/draw a ghost", channel)
            told = await fake.until(
                lambda: [
                    one
                    for one in list(fake.world.hooks.values())[hook_count:]
                    if one
                ]
            )
            assert "not installed" in told[0][0]["text"]
            assert len(fake.world.calls) == calls
            await ana.types("/edit make it night")
            await ana.result("make it night")


async def test_an_organisation_that_installs_us_in_all_its_teams_is_one_workspace(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        fake.workspace.enterprise, fake.workspace.is_all = "E00000001", True
        fake.api.codes = {"code-1": fake.workspace}
        async with easel_in(fake, tmp_path / "data", **many(fake)) as bot:
            assert (await install(fake, bot, "code-1"))[0] == 200
            ana = fake.person("Ana")
            await ana.types("/draw a fox")
            fox, pictures = await ana.result("a fox")
            await ana.presses(fox, "Edit")
            await ana.fills(await ana.view(), prompt="make it night")
            night, _ = await ana.result("make it night")
            await ana.says("add a hat", thread=night.ts)
            await ana.result("add a hat")
            await ana.reacts(pictures, "star")
            await fake.until(lambda: "⭐ 1" in fox.words)
            blobs = bot.easel.context.blobs
            assert await blobs.keys("slack:E00000001.")
            await fake.event("app_uninstalled", fake.workspace)
            async with asyncio.timeout(60):
                while await blobs.keys("slack:E00000001."):
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize("is_many", [False, True])
async def test_a_workspace_that_joins_an_organisation_keeps_its_history(
    tmp_path: Path, is_many: bool
) -> None:
    async with slack() as fake:
        fake.api.codes = {"code-1": fake.workspace}
        settings = many(fake) if is_many else {}
        ana = fake.person("Ana")
        async with easel_in(fake, tmp_path / "data", **settings) as bot:
            if is_many:
                await install(fake, bot, "code-1")
            await ana.types("/draw a fox")
            await ana.result("a fox")
            if is_many:
                fake.workspace.enterprise = "E00000001"
                await joined(fake, bot, ana)
        if not is_many:
            # One token is asked about at the start.
            fake.workspace.enterprise = "E00000001"
            async with easel_in(fake, tmp_path / "data") as bot:
                await joined(fake, bot, ana)


async def joined(fake: Slack, bot: Running, ana: Somebody) -> None:
    """Go on with the picture of before, by words and by a picture of one's own."""
    await ana.types("/edit make it night")
    night, _ = await ana.result("make it night")
    ts = await ana.says("mine", files=[ana.uploads(PHOTOS / "coffee.png")])
    message = fake.world.find(fake.general, ts)
    assert message
    await ana.chooses_edit(message)
    await ana.fills(await ana.view(), prompt="make it red")
    await ana.result("make it red")
    await ana.presses(night, "Again")
    tenant = Tenant(f"slack:{fake.workspace.id}")

    async def made() -> list[Step]:
        return await bot.easel.context.store.recent(tenant, ana.id, 9)

    async with asyncio.timeout(60):
        while len(await made()) < 4:
            await asyncio.sleep(0.05)
    assert [step.number for step in await made()] == [4, 3, 2, 1]


async def test_a_token_is_renewed_once_for_many_jobs_before_it_ends(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        fake.api.codes = {"code-1": fake.workspace}
        async with easel_in(fake, tmp_path / "data", **many(fake)) as bot:
            await install(fake, bot, "code-1")
            ana = fake.person("Ana")
            fake.workspace.token = "xoxb-other"
            refreshed = [
                call
                for call in fake.world.calls
                if call[0] == "oauth.v2.access"
            ]
            assert len(refreshed) == 1
            store = bot.easel.context.chats["slack"]._store.installations  # type: ignore[attr-defined]
            installed = await store.async_find_bot(
                enterprise_id=None, team_id=fake.workspace.id
            )
            installed.bot_token_expires_at = int(time.time()) + 60
            await store.async_save_bot(installed)
            await asyncio.gather(
                *(ana.types(f"/draw fox {at}") for at in range(4))
            )
            await asyncio.gather(*(ana.result(f"fox {at}") for at in range(4)))
            renewals = [
                call
                for call in fake.world.calls
                if call[1].get("grant_type") == "refresh_token"
            ]
            assert len(renewals) == 1


async def test_a_workspace_that_removed_us_while_we_were_down_is_forgotten_at_the_start(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        fake.api.codes = {"code-1": fake.workspace}
        folder = tmp_path / "data"
        async with easel_in(fake, folder, **many(fake)) as bot:
            await install(fake, bot, "code-1")
            ana = fake.person("Ana")
            await ana.types("/draw a fox")
            await ana.result("a fox")
            tenant = Tenant(f"slack:{fake.workspace.id}")
            assert await bot.easel.context.blobs.keys(tenant)
        fake.workspace.is_revoked = True
        async with easel_in(fake, folder, **many(fake)) as bot:
            context = bot.easel.context
            async with asyncio.timeout(60):
                while await context.blobs.keys(
                    tenant
                ) or await context.people.tenants_of("slack", ana.id):
                    await asyncio.sleep(0.05)
