"""``easel doctor``: looks at settings, database, blobs and the service, and says what to do.

Exit code 0 or 1.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import click
import httpx

from adapters.discord import checkup as discord_checkup
from adapters.discord.api import Api
from adapters.slack import checkup
from adapters.slack.api import session, web_client
from bot import accounts, settings, slack
from bot.providers import http_client, load_catalog
from core.errors import EaselError
from core.i18n import translate
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.store import Store

MAX_SKEW = timedelta(minutes=5)


def run(*, as_json: bool) -> int:
    """Check everything and report."""
    chosen = settings.load()
    checks = asyncio.run(_examine(chosen))
    ok = all(check["ok"] for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": checks}, ensure_ascii=False))
    else:
        for check in checks:
            click.echo(
                f"{'✔' if check['ok'] else '✘'} {check['name']}: {check['detail']}"
            )
    return 0 if ok else 1


async def _examine(chosen: settings.Settings) -> list[dict[str, Any]]:
    checks: dict[str, Callable[[settings.Settings], Awaitable[str]]] = {
        "settings": _settings,
        "database": _database,
        "blobs": _blobs,
        "service": _service,
    }
    found = [await _checked(name, check, chosen) for name, check in checks.items()]
    found += await _slack(chosen) if chosen.has_slack else []
    return [*found, *(await _discord(chosen) if chosen.has_discord else [])]


async def _checked(
    name: str,
    check: Callable[[settings.Settings], Awaitable[str]],
    chosen: settings.Settings,
) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": await check(chosen)}
    except EaselError as error:
        return {
            "name": name,
            "ok": False,
            "detail": translate(error.key, "en", **error.params),
        }
    except (httpx.HTTPError, OSError) as error:
        return {"name": name, "ok": False, "detail": type(error).__name__}


async def _settings(chosen: settings.Settings) -> str:
    strangers = [
        f"{name} (did you mean {nearest}?)"
        for name, nearest in settings.unknown_variables()
    ]
    return (
        f"unknown: {', '.join(strangers)}"
        if strangers
        else f"data folder {chosen.data_dir}"
    )


async def _database(chosen: settings.Settings) -> str:
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    await database.migrate(chosen.database)
    engine = database.open_async(chosen.database)
    try:
        await Store(engine).check()
    finally:
        await engine.dispose()
    return "migrated and answering"


async def _slack(chosen: settings.Settings) -> list[dict[str, Any]]:
    """What Slack says of us."""
    try:
        slack.check(chosen)
    except EaselError as error:
        return [
            {
                "name": "slack",
                "ok": False,
                "detail": translate(error.key, chosen.locale, **error.params),
            }
        ]
    found: list[checkup.Finding] = []
    async with session() as http:
        if chosen.slack_bot_token:
            client = web_client(
                chosen.slack_api_url, http, chosen.slack_bot_token.get_secret_value()
            )
            found += await checkup.bot(client, chosen.locale)
        if chosen.slack_app_token:
            client = web_client(chosen.slack_api_url, http)
            found.append(
                await checkup.app(
                    client, chosen.slack_app_token.get_secret_value(), chosen.locale
                )
            )
    if chosen.slack_client_id:
        address = f"{(chosen.public_url or '').rstrip('/')}/slack/install"
        found.append(
            (
                "slack install",
                True,
                translate("doctor.slack_install", chosen.locale, url=address),
            )
        )
    return [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in found]


async def _discord(chosen: settings.Settings) -> list[dict[str, Any]]:
    """What Discord says of us."""
    assert chosen.discord_bot_token is not None  # noqa: S101  # has_discord looked
    api = Api(chosen.discord_api_url, chosen.discord_bot_token.get_secret_value())
    try:
        found = await discord_checkup.findings(api, chosen.locale)
    finally:
        await api.close()
    return [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in found]


async def _blobs(chosen: settings.Settings) -> str:
    await open_blobs(chosen.blobs).check()
    return "writable"


async def _service(chosen: settings.Settings) -> str:
    """A free question (an unknown task) tells whether address and key fit, and how far our clock is off."""
    if accounts.is_simulated(chosen):
        return "no DASHSCOPE_API_KEY: the simulator stands in"
    catalog = load_catalog()
    found: list[str] = []
    async with http_client() as client:
        for region, account in accounts.accounts_of(chosen, catalog).items():
            headers = {"Authorization": f"Bearer {account.key}"}
            answer = await client.get(
                f"{account.url}/tasks/easel-doctor", headers=headers, timeout=10
            )
            found.append(f"{region} answers {answer.status_code}{_skew(answer)}")
            if answer.status_code in {401, 403}:
                raise EaselError("provider.key")
    return ", ".join(found)


def _skew(answer: httpx.Response) -> str:
    date = answer.headers.get("date")
    off = datetime.now(UTC) - parsedate_to_datetime(date) if date else timedelta()
    return f", this clock is off by {off}" if abs(off) > MAX_SKEW else ""
