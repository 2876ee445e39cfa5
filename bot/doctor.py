"""``easel doctor``: looks at everything a bot needs, changes nothing, and says what to do.

It ends with 0 when all is well; with 78 when a person must mend a setting, else with 1, or with 75
when something is only away.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import click
import httpx
from sqlalchemy.exc import SQLAlchemyError

from adapters.discord import checkup as discord_checkup
from adapters.discord.api import Api
from adapters.slack import checkup as slack_checkup
from adapters.slack.api import session, web_client
from bot import accounts, doctor_checks, egress, settings, slack
from bot.clock import WallClock
from bot.exit_codes import ExitCode
from bot.providers import http_client, load_catalog
from bot.settings import Settings
from core.errors import (
    ConfigurationError,
    DeliveryError,
    EaselError,
    Misconfigured,
    Retryable,
)
from core.i18n import translate

MAX_SKEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    ok: bool
    detail: str
    code: ExitCode = ExitCode.MISCONFIGURED
    """What the program ends with when this is not ok."""


Check = Callable[[Settings], Awaitable[str]]


def run(*, as_json: bool) -> int:
    """Check everything and report."""
    config = settings.load()
    findings = asyncio.run(_examine(config))
    code = _worst(findings)
    if as_json:
        click.echo(json.dumps(_report(findings), ensure_ascii=False))
    else:
        for finding in findings:
            mark = "✔" if finding.ok else "✘"
            click.echo(f"{mark} {finding.name}: {finding.detail}")
    return code


def _report(findings: Sequence[Finding]) -> dict[str, Any]:
    checks: list[dict[str, Any]] = []
    for finding in findings:
        row = asdict(finding)
        if finding.ok:
            row["code"] = ExitCode.OK
        checks.append(row)
    code = _worst(findings)
    return {"ok": code is ExitCode.OK, "code": code, "checks": checks}


def _worst(findings: Iterable[Finding]) -> ExitCode:
    """Return what a person must mend before what failed, and that before what is only away."""
    codes = {finding.code for finding in findings if not finding.ok}
    for code in (
        ExitCode.MISCONFIGURED,
        ExitCode.FAILED,
        ExitCode.GIVEN_UP,
    ):
        if code in codes:
            return code
    return ExitCode.OK


async def _examine(config: Settings) -> list[Finding]:
    checks: dict[str, Check] = {
        "settings": _check_settings,
        "network": _describe_network,
        "database": doctor_checks.check_database,
        "jobs": doctor_checks.check_jobs,
        "blobs": doctor_checks.check_blobs,
        "disk": doctor_checks.check_disk,
        "fonts": doctor_checks.check_fonts,
        "links": doctor_checks.check_links,
        "service": _check_service,
        "clock": _check_clock,
    }
    findings = [
        await _run_check(name, check, config) for name, check in checks.items()
    ]
    if config.has_slack:
        findings += await _examine_slack(config)
    if config.has_discord:
        findings += await _examine_discord(config)
    return findings


async def _run_check(name: str, check: Check, config: Settings) -> Finding:
    try:
        return Finding(name, True, await check(config))
    except EaselError as error:
        detail = translate(error.key, config.locale, **error.params)
        return Finding(name, False, detail, _code_for(error))
    except (httpx.HTTPError, OSError, SQLAlchemyError) as error:
        reason = type(error).__name__
        detail = translate("doctor.away", config.locale, reason=reason)
        return Finding(name, False, detail, ExitCode.GIVEN_UP)


def _code_for(error: EaselError) -> ExitCode:
    if isinstance(error, ConfigurationError | Misconfigured):
        return ExitCode.MISCONFIGURED
    # What may pass by itself: a supervisor should start the program again.
    is_away = isinstance(error, Retryable | DeliveryError)
    return ExitCode.GIVEN_UP if is_away else ExitCode.FAILED


async def _check_settings(config: Settings) -> str:
    locale = config.locale
    sentences = [
        translate("config.unknown", locale, setting=name, nearest=nearest)
        for name, nearest in settings.unknown_variables()
    ]
    folder = str(config.data_dir)
    sentences.append(translate("doctor.folder", locale, folder=folder))
    return " · ".join(sentences)


async def _describe_network(config: Settings) -> str:
    """Name the proxy before each dependency, and the trusted certificates."""
    locale = config.locale
    sentences: list[str] = []
    for name, url in _dependencies(config).items():
        proxy = egress.describe(url)
        key = "doctor.proxy" if proxy else "doctor.direct"
        sentences.append(translate(key, locale, name=name, proxy=proxy))
    file = egress.certificates()
    if file:
        sentences.append(translate("doctor.certificates", locale, file=file))
    return " · ".join(sentences)


def _dependencies(config: Settings) -> dict[str, str]:
    catalog = load_catalog()
    accounts.check(config, catalog)
    dependencies: dict[str, str] = {}
    if not accounts.is_simulated(config):
        for region, account in accounts.accounts_of(config, catalog).items():
            dependencies[region] = account.url
    if config.has_slack:
        dependencies["Slack"] = config.slack_api_url
    if config.has_discord:
        dependencies["Discord"] = config.discord_api_url
    return dependencies


async def _check_service(config: Settings) -> str:
    """Ask each account about a task that does not exist.

    That costs nothing, and tells whether address and key fit.
    """
    catalog = load_catalog()
    accounts.check(config, catalog)
    if accounts.is_simulated(config):
        return translate("doctor.simulator", config.locale)
    answers: list[str] = []
    async with http_client() as client:
        for region, account in accounts.accounts_of(config, catalog).items():
            url = f"{account.url}/tasks/easel-doctor"
            headers = {"Authorization": f"Bearer {account.key}"}
            answer = await client.get(url, headers=headers, timeout=10)
            text = translate(
                "doctor.service",
                config.locale,
                region=region,
                status=answer.status_code,
            )
            answers.append(text)
            if answer.status_code in {401, 403}:
                raise Misconfigured("provider.key")
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise Retryable(
                    "doctor.service_broken",
                    region=region,
                    status=answer.status_code,
                )
    return ", ".join(answers)


async def _check_clock(config: Settings) -> str:
    """Compare our clock with the services', which count. Raises EaselError when it is far off."""
    catalog = load_catalog()
    accounts.check(config, catalog)
    if accounts.is_simulated(config):
        return translate("doctor.simulator", config.locale)
    differences: list[str] = []
    async with http_client() as client:
        for region, account in accounts.accounts_of(config, catalog).items():
            answer = await client.get(account.url, timeout=10)
            skew = _skew(answer)
            if abs(skew) > MAX_SKEW:
                raise EaselError(
                    "doctor.clock", seconds=f"{skew.total_seconds():+.0f}"
                )
            differences.append(f"{region} {skew.total_seconds():+.0f} s")
    return ", ".join(differences)


def _skew(answer: httpx.Response) -> timedelta:
    """Return how far our clock is ahead; zero where the answer does not say."""
    date = answer.headers.get("date")
    if date is None:
        return timedelta()
    return WallClock().now() - parsedate_to_datetime(date)


async def _examine_slack(config: Settings) -> list[Finding]:
    try:
        slack.check(config)
    except EaselError as error:
        detail = translate(error.key, config.locale, **error.params)
        return [Finding("slack", False, detail)]
    findings: list[Finding] = []
    proxy = egress.proxy_for(config.slack_api_url)
    async with session(proxy) as http:
        # The two tokens are independent: each may be wrong while the other is right.
        if config.slack_bot_token:
            token = config.slack_bot_token.get_secret_value()
            client = web_client(config.slack_api_url, http, token)
            about_bot = slack_checkup.bot(client, config.locale)
            findings += await _ask("slack token", about_bot, config.locale)
        if config.slack_app_token:
            token = config.slack_app_token.get_secret_value()
            client = web_client(config.slack_api_url, http)
            about_app = slack_checkup.app(client, token, config.locale)
            findings += await _ask("slack socket", about_app, config.locale)
    if config.slack_client_id:
        address = f"{(config.public_url or '').rstrip('/')}/slack/install"
        detail = translate("doctor.slack_install", config.locale, url=address)
        findings.append(Finding("slack install", True, detail))
    return findings


async def _examine_discord(config: Settings) -> list[Finding]:
    assert config.discord_bot_token is not None  # noqa: S101  # has_discord looked
    api = Api(
        config.discord_api_url,
        config.discord_bot_token.get_secret_value(),
        proxy=egress.proxy_for(config.discord_api_url),
    )
    try:
        findings = discord_checkup.findings(api, config.locale)
        return await _ask("discord token", findings, config.locale)
    finally:
        await api.close()


async def _ask(
    name: str, answer: Awaitable[list[tuple[str, bool, str]]], locale: str
) -> list[Finding]:
    """Return what a platform's checkup found, or that the platform is away."""
    try:
        return [Finding(*finding) for finding in await answer]
    except DeliveryError as error:
        detail = translate(error.key, locale, **error.params)
        return [Finding(name, False, detail, ExitCode.GIVEN_UP)]
