"""Discord's pure parts: payloads within its limits, and understood whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import decode, render
from adapters.discord.checkup import app_of
from adapters.discord.commands import registry
from adapters.discord.entities import plain
from adapters.discord.files import has_expired
from adapters.discord.pictures import pictures_in
from adapters.discord.uploads import same_pictures
from bot import settings
from core import channel_settings
from core.budgets import Caps
from core.catalog import Catalog
from core.forms import FieldKind, operation_form
from core.incoming import Incoming, Kind
from core.interpret import interpret
from core.languages import languages
from core.meaning import NOWHERE
from core.operations import Action, ButtonKind
from core.options import OPTIONS, Options
from core.post import Button, Post, PostImage, Tone
from core.providers.dashscope import catalog_text
from core.types import Person, Request
from core.url_policy import is_allowed
from tests.fakes.discord import limits
from tests.fakes.steps import PLACE, dashscope

CATALOG = Catalog.load(catalog_text())
SHOWN = tuple(
    PostImage(name=f"v1-one-{at}.png", alt="", drawn=b"x") for at in (1, 2)
)


@given(
    title=st.text(max_size=4000),
    text=st.text(max_size=4000),
    progress=st.none() | st.floats(0, 1),
)
def test_whatever_is_said_fits_and_is_never_empty(
    title: str, text: str, progress: float | None
) -> None:
    found = render.content(
        Post(tone=Tone.NOTE, title=title, text=text, progress=progress)
    )
    assert 0 < len(found) <= 2000


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "**bold** _it_ ~~no~~ `code` ||hidden||",
            r"\*\*bold\*\* \_it\_ \~\~no\~\~ \`code\` \|\|hidden\|\|",
        ),
        ("[bank](https://evil.tld)", r"\[bank](https\://evil.tld)"),
        (
            "<@123> <@&1> <#5> <t:0> </draw:1>",
            "\\<@\u200b123> \\<@\u200b&1> \\<#5> \\<t:0> \\</draw:1>",
        ),
        ("@everyone @here", "@\u200beveryone @\u200bhere"),
        (
            "# head\n> quote\n- list\n-# small\n1. one",
            "\\# head\n\\> quote\n\\- list\n\\-# small\n1\\. one",
        ),
        ("v2.1 costs ¥0.20, 3 - 1 = 2", "v2.1 costs ¥0.20, 3 - 1 = 2"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_nothing_in_what_is_said_means_anything_to_discord(
    text: str, written: str
) -> None:
    assert render.escape(text) == written


def test_a_result_with_every_button_and_menu_fits() -> None:
    buttons = tuple(
        Button(kind=ButtonKind.PICK, step=f"{at:040}", label="x" * 200)
        for at in range(12)
    )
    menu = tuple(
        Button(kind=ButtonKind.HISTORY, step=f"s{at}", label="y" * 300)
        for at in range(200)
    )
    message = render.message(
        Post(tone=Tone.RESULT, text="x", buttons=buttons, menu=menu)
    )
    limits.message(message, [], render.SUPPRESS_EMBEDS)
    assert len(message["components"]) == 5
    newest = message["components"][-1]["components"][0]["options"][-1]
    assert newest["value"].split(":")[2] == "s199"


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize(
    "action",
    [one for one in Action if one.makes_pictures and one is not Action.AGAIN],
)
def test_every_form_is_a_modal_that_keeps_its_words_and_pictures(
    action: Action, locale: str
) -> None:
    accounts = tuple(dashscope(region) for region in CATALOG.regions)
    asked = operation_form(
        action, CATALOG, accounts, locale, prompt="x" * 3000
    )
    pages = render.pages(asked)
    assert len(pages) == 1
    limits.modal(render.modal(pages[0], "1" * 19))
    kept = {one.name for one in pages[0].fields}
    assert "prompt" in kept
    assert ("pictures" in kept) is any(
        one.kind is FieldKind.PICTURES for one in asked.fields
    )


@pytest.mark.parametrize("locale", languages())
def test_settings_come_on_pages_that_leave_nothing_out(locale: str) -> None:
    caps = Caps(person_day=None, channel_month=None, workspace_month=None)
    asked = channel_settings.settings_form(
        channel_settings.Preferences(gallery="1", people="2 3"),
        caps,
        CATALOG,
        locale,
    )
    pages = render.pages(asked)
    assert tuple(one for page in pages for one in page.fields) == asked.fields
    for page in pages:
        limits.modal(render.modal(page, "1"))
    chooser = render.chooser(asked, "1", "?")
    limits.message(chooser, [], render.EPHEMERAL)
    options = chooser["components"][0]["components"][0]["options"]
    assert [
        decode.PAGE.fullmatch(one["value"]) is not None for one in options
    ] == [True] * len(pages)


def test_the_registry_fits_discord_and_every_option_is_one_of_the_grammars() -> (
    None
):
    found = registry()
    limits.commands(found)
    grouped = [
        one
        for command in found
        if command["type"] == 1
        for one in command["options"]
    ]
    options = [
        *grouped,
        *(inner for one in grouped for inner in one.get("options", [])),
    ]
    names = {one["name"] for one in options if one["type"] != 1}
    ours = {
        "prompt",
        "instruction",
        "id",
        "number",
        "page",
        "picture1",
        "picture2",
        "picture3",
        "mask-picture",
    }
    assert names - ours <= set(OPTIONS)
    for command in found:
        assert set(command["name_localizations"]) == {
            "en-US",
            "en-GB",
            "zh-CN",
            "zh-TW",
            "id",
        }


def test_the_pictures_of_a_message_are_known_again_hidden_or_smaller() -> None:
    there = [
        {"filename": "SPOILER_v1-one-1.jpg"},
        {"filename": "v1-one-2.png"},
    ]
    assert same_pictures(there, SHOWN)
    assert not same_pictures(there[:1], SHOWN)
    assert not same_pictures([], SHOWN)


@pytest.mark.parametrize(
    ("query", "old"),
    [
        ("ex=1&is=0&hm=a", True),
        (f"ex={1 << 40:x}", False),
        ("", False),
        ("ex=zz", False),
    ],
)
def test_a_link_tells_itself_when_it_is_over(query: str, old: bool) -> None:
    assert has_expired(f"https://cdn.discordapp.com/a.png?{query}") is old


@pytest.mark.parametrize(
    "token", ["", "x", "changeme", "aGVsbG8.a.b", "é.a.b"]
)
def test_a_token_that_is_none_has_no_application(token: str) -> None:
    assert app_of(token) == ""


def test_what_a_form_left_empty_never_hides_what_was_typed_before() -> None:
    filled = {"n": "", "private": "false", "seed": "3"}
    assert asked_by_form(Action.DRAW, filled).options == Options(seed=3)
    filled = {"n": "", "personal_threads": "true"}
    values = asked_by_form(Action.SETTINGS, filled).values
    assert values == {"n": "", "personal_threads": "yes"}


def asked_by_form(action: Action, fields: dict[str, str]) -> Request:
    sent_back = Incoming(
        key="k",
        kind=Kind.FORM,
        place=PLACE,
        person=Person(id="1", name="Ana"),
        operation=action.value,
        fields=fields,
    )
    request = interpret(sent_back, NOWHERE)
    assert isinstance(request, Request)
    return request


def test_mentions_fall_away_and_a_guilds_own_emoji_are_read_by_name() -> None:
    assert (
        plain("<@1> <@!2> draw <:fox:3> <a:hop:4> in <#5> </draw:6>")
        == "draw :fox: :hop: in  /draw"
    )


def test_a_sticker_is_a_picture_unless_it_moves_in_a_way_of_its_own() -> None:
    def shown_by(kind: int) -> list[str]:
        sticker = {"id": "77", "name": "wave", "format_type": kind}
        message = {"id": "5", "sticker_items": [sticker]}
        pictures = pictures_in(message, "4")
        return [picture.ref.split(" ")[-1] for picture in pictures]

    assert shown_by(1) == ["https://cdn.discordapp.com/stickers/77.png"]
    assert shown_by(4) == ["https://media.discordapp.net/stickers/77.gif"]
    assert shown_by(3) == []


def test_a_file_whose_type_says_nothing_is_known_by_its_name() -> None:
    def file(name: str, kind: str) -> dict[str, str]:
        return {"id": name, "filename": name, "content_type": kind}

    files = [
        file("a.png", "image/png"),
        file("b.avif", "application/octet-stream"),
        file("c.pdf", "application/pdf"),
    ]
    pictures = pictures_in({"id": "5", "attachments": files}, "4")
    assert [picture.name for picture in pictures] == ["a.png", "b.avif"]


def test_discords_hosts_for_pictures_of_other_sites_are_allowed() -> None:
    hosts = settings.Settings().discord_cdn_hosts
    address = "https://images-ext-1.discordapp.net/external/abc/a.png"
    assert is_allowed(address, hosts)
