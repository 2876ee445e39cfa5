"""No secret reaches the log, whichever client's error it hides in, whatever stands around it."""

import logging
import string
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import discord
import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from slack_sdk.errors import SlackApiError
from sqlalchemy.exc import OperationalError
from yarl import URL

from bot import logs, settings
from bot.logs import Redaction

ALNUM = string.ascii_letters + string.digits


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A token or an address as it is written, and the part that must not be read."""

    text: str
    secret: str


def parts(shape: str, length: int) -> st.SearchStrategy[Planted]:
    """Plant the secret in place of "{}"."""
    secrets = st.text(ALNUM, min_size=length, max_size=length + 20)
    return secrets.map(
        lambda secret: Planted(text=shape.replace("{}", secret), secret=secret)
    )


SECRETS = st.one_of(
    parts("sk-{}", 20),
    parts("xoxb-12345-{}", 12),
    parts("xoxe.xoxb-1-{}", 20),
    parts("xoxe-1-{}", 20),
    parts("xapp-1-{}", 12),
    parts("MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.{}", 30),
    parts("Bearer {}", 20),
    parts("eyJ{}.abc.def", 20),
    parts("LTAI{}", 12),
)
ADDRESSES = st.one_of(
    parts("postgresql://easel:{}@db:5432/easel", 12),
    parts("http://user:{}@proxy:3128", 12),
    parts("https://b.oss-cn-x.aliyuncs.com/1.png?Expires=1&Signature={}", 20),
    parts("https://s3.example/1?X-Amz-Credential=a&X-Amz-Signature={}", 20),
    parts("https://cdn.discordapp.com/a/1.png?ex=1&is=2&hm={}&", 20),
    parts(
        "https://discord.com/api/v10/webhooks/123/{}/messages/@original", 30
    ),
    parts("https://discord.com/api/v10/interactions/123/{}/callback", 30),
    parts("https://hooks.slack.com/commands/T1/123/{}", 20),
)


@given(
    planted=st.one_of(SECRETS, ADDRESSES),
    before=st.sampled_from(["", "call with ", "{'token': '", '"url": "', "("]),
    behind=st.sampled_from(["", " failed", "'}", '", "n": 1}', ")", "\n  at"]),
)
def test_a_secret_is_starred_by_its_shape(
    planted: Planted, before: str, behind: str
) -> None:
    told = Redaction([]).text(f"{before}{planted.text}{behind}")
    assert planted.secret not in told
    assert told.startswith(before)


def errors(secret: str, address: str) -> list[Exception]:
    """What each client raises, with a secret wherever it may hold one."""
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": secret}))
    asked = aiohttp.RequestInfo(URL(address), "GET", headers, URL(address))
    request = httpx.Request("GET", address, headers={"Authorization": secret})
    answer = httpx.Response(500, request=request)
    refused = cast("Any", SimpleNamespace(status=401, reason=f"no {secret}"))
    return [
        aiohttp.ClientResponseError(asked, (), headers=headers),
        aiohttp.InvalidURL(address),
        httpx.HTTPStatusError(
            f"500 for url {address}", request=request, response=answer
        ),
        httpx.ConnectError(f"no route to {address}", request=request),
        SlackApiError(f"{secret} at {address}", {"error": secret}),  # type: ignore[no-untyped-call]
        discord.HTTPException(refused, {"message": address, "code": 0}),
        OperationalError("SELECT 1", {}, Exception(f"cannot reach {address}")),
        OSError(5, f"cannot write {address}"),
        ValueError({"headers": {"authorization": secret}, "url": address}),
    ]


@given(token=SECRETS, link=ADDRESSES)
def test_no_clients_error_brings_a_secret_into_the_log(
    token: Planted, link: Planted
) -> None:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            logs.StandardError, "write", lambda _, text: lines.append(text)
        )
        logs.set_up("json", "debug", [])
        for error in errors(token.text, link.text):
            try:
                raise RuntimeError(f"broke at {link.text}") from error
            except RuntimeError as outer:
                structlog.get_logger().exception("broke", error=error)
                logging.getLogger("library").error("%r", error, exc_info=outer)
    written = "".join(lines)
    assert written
    assert token.secret not in written
    assert link.secret not in written


def test_passwords_and_keys_that_have_no_shape_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EASEL_DATABASE_URL", "postgresql://e:p%40ss-w@db/e")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "bucket/secret")
    monkeypatch.setenv(
        "EASEL_SECRET_KEY", "first-key-of-ours,second-key-of-ours"
    )
    told = Redaction(settings.secrets(settings.load())).text(
        "p%40ss-w p@ss-w bucket/secret first-key-of-ours second-key-of-ours"
    )
    assert set(told.split()) == {logs.STARS}
