"""What platforms entrust to us is unreadable on the disk and in the database; keys can change."""

import asyncio
import stat
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store.models.installation import (
    Installation as Installed,
)
from sqlalchemy import Engine, insert, select, text, update

from adapters.discord.store import DiscordStore, PendingResponse
from adapters.slack.store import SlackStore
from bot import settings, wiring
from bot.cli import main
from bot.sealing import open_keyring
from bot.simulator.server import SimulatorConfig
from core.errors import ConfigurationError
from core.operations import Action
from core.storage import database
from core.storage.inbox import Inbox, deliveries
from core.storage.key_change import seal_again
from core.storage.sealing import Keyring, use_keyring
from core.storage.snapshots import COPIES
from tests.contract.conftest import fresh_database
from tests.fakes import events
from tests.integration.test_flow import PLACE
from tests.integration.test_migration import (
    Installation,
    installation,  # noqa: F401  # the fixture
    postgres,  # noqa: F401  # the fixture
)

FIRST = "first-key-of-the-operator"
SECOND = "second-key-of-the-operator"
TOKENS = {
    "slack": "xoxb-token-of-an-installation-1234567890",
    "discord": "interaction-token-1234567890",
    "event": "https://hooks.example/response-url-1234567890",
    "before": "bot-token-of-t1",
    "answer": "token-of-an-answer",
}


def configured(place: Installation, keys: str | None) -> settings.Settings:
    changes = {"EASEL_SECRET_KEY": keys} if keys else {}
    return settings.load(
        EASEL_DATA_DIR=place.folder, EASEL_DATABASE_URL=place.url, **changes
    )


async def seal(place: Installation, keys: str | None) -> Keyring | None:
    return await wiring.migrate(configured(place, keys))


async def entrust(place: Installation, keyring: Keyring | None) -> None:
    """Let each platform store what it must give back."""
    engine = database.open_async(place.url)
    use_keyring(engine, keyring)
    installed = Installed(
        app_id="A1", team_id="T2", user_id="U2", bot_token=TOKENS["slack"]
    )
    await SlackStore(engine, "client").installations.async_save(installed)
    waiting = PendingResponse(
        interaction="7", app="1", token=TOKENS["discord"]
    )
    await DiscordStore(engine).save_response(waiting)
    await engine.dispose()
    deliver(place, keyring)


def deliver(place: Installation, keyring: Keyring | None) -> None:
    engine = database.open_sync(place.inbox_url)
    use_keyring(engine, keyring)
    with engine.begin() as connection:
        connection.execute(insert(deliveries).values(row_of_event()))
    engine.dispose()


def row_of_event() -> dict[str, object]:
    return {
        "id": "e1",
        "platform": "journal",
        "tenant": "journal:w",
        "stage": "heard",
        "tries": 0,
        "request": {
            "key": "e1",
            "words": "a fox",
            "reply": {"response_url": TOKENS["event"]},
        },
    }


async def given_back(
    place: Installation, keyring: Keyring | None
) -> dict[str, str]:
    """Read all of it again."""
    engine = database.open_async(place.url)
    use_keyring(engine, keyring)
    store = SlackStore(engine, "client").installations
    tokens: dict[str, str] = {}
    for name, team in (("slack", "T2"), ("before", "T1")):
        bot = await store.async_find_bot(enterprise_id=None, team_id=team)
        if bot is not None:
            tokens[name] = bot.bot_token
    for name, interaction in (("discord", "7"), ("answer", "1002")):
        response = await DiscordStore(engine).response(interaction)
        if response is not None:
            tokens[name] = response.token
    await engine.dispose()
    blocking = database.open_sync(place.inbox_url)
    use_keyring(blocking, keyring)
    with blocking.begin() as connection:
        query = select(deliveries.c.request).filter_by(id="e1")
        request = connection.scalars(query).one()
    blocking.dispose()
    tokens["event"] = request["reply"]["response_url"]
    return tokens


def readable(place: Installation) -> set[str]:
    """The names of all tokens that somebody with the disk could read."""
    held = b"".join(
        path.read_bytes()
        for path in place.folder.rglob("*")
        # A copy of before the upgrade is as the earlier version left it.
        if path.is_file() and COPIES not in path.name
    )
    if not place.is_sqlite:
        held += dump(database.open_sync(place.url))
    return {name for name, token in TOKENS.items() if token.encode() in held}


def dump(engine: Engine) -> bytes:
    with engine.connect() as connection:
        names = text(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = [
            repr(connection.execute(text(f'SELECT * FROM "{name}"')).all())  # noqa: S608
            for name in connection.scalars(names).all()
        ]
    engine.dispose()
    return "".join(rows).encode()


async def test_what_platforms_entrust_to_us_is_unreadable_and_given_back(
    installation: Installation,  # noqa: F811
) -> None:
    keyring = await seal(installation, FIRST)
    await entrust(installation, keyring)
    assert readable(installation) == set()
    back = await given_back(installation, keyring)
    assert back == {name: TOKENS[name] for name in back}
    assert back.keys() == {"slack", "discord", "event"}


async def test_what_earlier_versions_wrote_is_encrypted_at_the_start(
    installation: Installation,  # noqa: F811
) -> None:
    installation.fill()
    await installation.migrate()
    deliver(installation, None)
    assert readable(installation) >= {"before", "answer", "event"}
    keyring = await seal(installation, FIRST)
    assert readable(installation) == set()
    back = await given_back(installation, keyring)
    assert back == {name: TOKENS[name] for name in back}
    assert back.keys() == {"before", "answer", "event"}


async def test_the_key_can_be_changed_and_the_old_one_dropped(
    installation: Installation,  # noqa: F811
) -> None:
    await entrust(installation, await seal(installation, FIRST))
    await seal(installation, f"{FIRST}, {SECOND}")
    keyring = await seal(installation, SECOND)
    assert await given_back(installation, keyring) == {
        name: TOKENS[name] for name in ("slack", "discord", "event")
    }


async def test_what_another_process_writes_meanwhile_is_kept(
    postgres: str,  # noqa: F811
) -> None:
    url = fresh_database(postgres, "meanwhile")
    await database.migrate(url, database.TableSet.INBOX)
    engine, sealing = database.open_sync(url), database.open_sync(url)
    use_keyring(sealing, Keyring([FIRST]))
    row = row_of_event()
    with engine.begin() as connection:
        connection.execute(insert(deliveries).values(row))

    def seal_all() -> None:
        with sealing.begin() as connection:
            seal_again(connection, [deliveries])

    with engine.connect() as other:
        later = {"key": "e1", "words": "an owl", "reply": {"token": "t"}}
        other.execute(update(deliveries).values(request=later))
        work = asyncio.create_task(asyncio.to_thread(seal_all))
        while not await asyncio.to_thread(is_awaited, engine):
            await asyncio.sleep(0.05)
        other.commit()
        await work
    with sealing.begin() as connection:
        request = connection.scalars(select(deliveries.c.request)).one()
    assert request == later
    engine.dispose()
    sealing.dispose()


def is_awaited(engine: Engine) -> bool:
    """Whether a transaction waits for another one's locks."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect() as connection:
        return bool(connection.scalar(text(query)))


@pytest.mark.parametrize("keys", [SECOND, None])
async def test_a_wrong_key_is_refused_and_changes_nothing(
    installation: Installation,  # noqa: F811
    keys: str | None,
) -> None:
    keyring = await seal(installation, FIRST)
    await entrust(installation, keyring)
    with pytest.raises(ConfigurationError) as caught:
        await seal(installation, keys)
    assert caught.value.key == "config.secret_key"
    assert (await given_back(installation, keyring))["slack"]


async def test_workspaces_are_installed_on_postgresql_only_with_a_key(
    tmp_path: Path,
) -> None:
    chosen = settings.load(
        EASEL_DATABASE_URL="postgresql://h/x", SLACK_CLIENT_ID="1.2"
    )
    with pytest.raises(ConfigurationError) as caught:
        open_keyring(chosen)
    assert caught.value.key == "config.secret_key_missing"


def test_a_wrong_key_is_one_line_that_says_what_to_do_and_exit_78(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EASEL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["easel", "migrate"])
    for key, code in ((FIRST, 0), (SECOND, 78)):
        monkeypatch.setenv("EASEL_SECRET_KEY", key)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "EASEL_SECRET_KEY" in told
    assert SECOND not in told


async def test_a_reply_that_no_key_opens_is_empty_and_stops_nothing(
    tmp_path: Path,
) -> None:
    place = Installation(
        folder=tmp_path, url=f"sqlite:///{tmp_path / 'easel.db'}"
    )
    await place.migrate()
    engine = database.open_sync(place.inbox_url)
    use_keyring(engine, Keyring([FIRST]))
    inbox = Inbox(engine, "w", ["memory"])
    request = events.command(
        Action.DRAW, key="k", place=PLACE, person="ana", reply={"token": "t"}
    )
    await inbox.add(request)
    use_keyring(engine, Keyring([SECOND]))
    (delivery,) = await inbox.claim(1)
    assert delivery.origin.reply == {}
    await inbox.close()


@pytest.mark.parametrize("made_before", [True, False])
async def test_no_other_user_may_look_in_whoever_made_the_folder(
    tmp_path: Path, made_before: bool
) -> None:
    place = Installation(
        folder=tmp_path / "data",
        url=f"sqlite:///{tmp_path / 'data' / 'easel.db'}",
    )
    chosen = configured(place, None)
    async with AsyncExitStack() as stack:
        if made_before:
            (place.folder / "blobs").mkdir(parents=True)
            place.fill()
            for name in ("link.key", "secret.key"):
                (place.folder / name).write_text("key-of-an-earlier-version")
            engine = database.open_sync(place.url)
            stack.callback(engine.dispose)
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            for path in [place.folder, *place.folder.rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)
        opening = wiring.open_easel(
            chosen, lambda _: {}, simulator=SimulatorConfig(time_scale=0)
        )
        await stack.enter_async_context(opening)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in place.folder.iterdir()
        }
    folders = {"blobs", "simulator"}
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
    for name in ("easel.db", "inbox.db", "link.key", "secret.key"):
        assert modes[name] == 0o600, name
    for name in modes.keys() - folders:
        assert modes[name] == 0o600, name
    assert modes.get("blobs", 0o700) == 0o700
