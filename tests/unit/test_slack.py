"""Slack's payloads without a Slack: every documented shape in, nothing over a limit out."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from adapters.slack import decode, render, users
from adapters.slack.api import SlackError
from adapters.slack.manifest import EVENTS, SCOPES, manifest
from adapters.slack.payloads import split, workspace_of
from core import forms
from core.catalog import Catalog
from core.channel_settings import FUNCTIONS
from core.errors import Rejected
from core.i18n import translate
from core.incoming import Incoming
from core.interpret import interpret
from core.languages import languages
from core.meaning import NOWHERE, OpenForm
from core.operations import OPERATIONS, Action, ButtonKind
from core.options import Options
from core.post import Button, Post, Tone
from core.providers.dashscope import catalog_text
from core.relevance import Relevance, relevance
from core.types import Picture, Request
from core.views import steps
from tests.fakes.slack import limits
from tests.fakes.slack.driver import SAMPLES, sample
from tests.fakes.steps import dashscope, step

SCHEMAS = Path(__file__).parents[3] / "shared" / "schemas"
CATALOG = Catalog.load(catalog_text())


def event(name: str, **changes: Any) -> Mapping[str, Any]:
    body = sample(name)
    body["event"] |= changes
    return body


def form(body: Mapping[str, Any]) -> Incoming:
    filled = decode.form(body)
    assert filled is not None
    return filled


def picture(_file: str) -> str:
    return "image/png"


def test_a_mention_is_read_without_the_mention_and_with_its_picture() -> None:
    incoming = decode.message(event("message_file_share"))
    assert incoming is not None
    assert incoming.words == "make it night & rainy"
    assert incoming.is_addressed
    assert incoming.key == "message:C00000001:1766217602.000300"
    assert incoming.place.thread == "1766217602.000300"
    assert incoming.attachments[0].ref.startswith(
        "T00000001 F00000001 https://files.slack.com/files-pri/"
    )
    mention = decode.message(event("app_mention", ts="1766217602.000300"))
    assert mention is not None
    assert mention.key == incoming.key


@pytest.mark.parametrize(
    "name", ["message", "message_changed", "message_deleted", "message_bot"]
)
def test_what_nobody_said_to_us_is_nothing(name: str) -> None:
    said = decode.message(event(name))
    assert said is None or relevance(said) is Relevance.NONE


@pytest.mark.parametrize(
    "text", ["<@UBOMM00001> look", ":heart: :+1::skin-tone-3:", "🦊🦊", "…"]
)
def test_in_a_thread_emoji_and_words_to_others_are_not_for_us(
    text: str,
) -> None:
    said = decode.message(event("message_thread_reply", text=text))
    assert said is not None
    assert relevance(said) is Relevance.NONE
    said = decode.message(event("message_thread_reply", text="make it night"))
    assert said is not None
    assert relevance(said) is Relevance.PERHAPS


def test_a_mention_added_by_an_edit_is_heard_once() -> None:
    body = sample("message_changed_mention")
    read = decode.event(body)
    assert read is not None
    assert read.words == "a red fox in the snow"
    assert read.mentions.us
    assert read.place.thread == "1766217600.000100"
    # The words before the edit, and its telling as app_mention, have their own keys.
    event = body["event"]
    told = {**event["message"], "type": "app_mention", "channel": "C00000001"}
    again = decode.event({**body, "event": told})
    assert again is not None
    assert again.key == read.key
    del told["edited"]
    first = decode.event({**body, "event": told})
    assert first is not None
    assert first.key != read.key
    for text in ("<@UBOT00000001> a fox", "<@UBOT00000001> a red fox"):
        event["previous_message"]["text"] = text
        assert decode.event(body) is None


def test_our_own_words_are_not_for_us() -> None:
    assert decode.message(event("message_im", user="UBOT00000001")) is None
    assert (
        decode.reaction(event("reaction_added", user="UBOT00000001")) is None
    )


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;!channel&amp;gt;", "&lt;!channel&gt;"),
        (
            "<#C1|general> <!here> <https://a.example|a> <https://b.example>",
            "general here a https://b.example",
        ),
        ("a\u202eb\u0000c", "abc"),
        (
            ":fox_face: and :rose::skin-tone-2: at 12:30:45 :our_logo:",
            "🦊 and 🌹 at 12:30:45 :our_logo:",
        ),
        (
            ":heart: :sunny: :thumbsup: :+1: :smile: :large_blue_circle:",
            "❤️ ☀️ 👍 👍 😄 🔵",
        ),
    ],
)
def test_text_is_read_as_it_was_typed(typed: str, read: str) -> None:
    incoming = decode.message(event("message_im", text=typed))
    assert incoming is not None
    assert incoming.words == read


def test_emoji_are_read_as_slack_tells_of_them() -> None:
    told = [
        {"type": "emoji", "name": "heart", "unicode": "2764-fe0f"},
        {"type": "emoji", "name": "our_logo"},
        {"type": "emoji", "name": "odd", "unicode": "ffffff"},
    ]
    blocks = [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": told}],
        }
    ]
    text = "a :heart: with :our_logo: and :odd:"
    incoming = decode.message(event("message_im", text=text, blocks=blocks))
    assert incoming is not None
    assert incoming.words == "a ❤️ with :our_logo: and :odd:"
    filled = sample("view_submission")
    filled["view"]["state"]["values"]["prompt"]["value"]["value"] = (
        "a :fox_face:"
    )
    assert form(filled).words == "a 🦊"


def test_a_reaction_names_its_message_and_whether_it_was_added() -> None:
    incoming = decode.reaction(event("reaction_added"))
    assert incoming is not None
    assert incoming.answers
    assert (incoming.emoji, incoming.answers.message, incoming.is_added) == (
        "thumbsup",
        "1766217600.000100",
        True,
    )
    incoming = decode.reaction(event("reaction_removed"))
    assert incoming is not None
    assert not incoming.is_added
    assert (
        decode.reaction(
            event("reaction_added", item={"type": "file", "file": "F1"})
        )
        is None
    )


def test_a_command_a_press_a_shortcut_and_a_modal_are_read() -> None:
    incoming = decode.command(sample("slash_command"))
    assert incoming.words == "/draw a red fox --n 2"
    assert incoming.key.startswith("command:")
    pressed = decode.button(sample("block_actions_button"))
    assert pressed is not None
    meant = interpret(pressed, NOWHERE)
    assert isinstance(meant, Request)
    assert (meant.action, meant.target) == (Action.UNDO, "abcdefghij")
    chosen = decode.button(sample("block_actions_select"))
    assert chosen is not None
    meant = interpret(chosen, NOWHERE)
    assert isinstance(meant, Request)
    assert meant.action is Action.PICK
    assert meant.place.thread == "1766217600.000100"
    hidden = decode.button(sample("block_actions_ephemeral"))
    assert hidden is not None
    assert hidden.place.thread == "1766217600.000100"
    pointed = decode.shortcut(sample("message_action")).answers
    assert pointed
    assert pointed.pictures
    filled = interpret(form(sample("view_submission")), NOWHERE)
    assert isinstance(filled, Request)
    assert filled.text == "make it night"
    assert len(filled.attachments) == 1
    assert (filled.options, filled.values) == (Options(), {})


def test_what_we_never_made_is_refused() -> None:
    body = sample("block_actions_button")
    body["actions"][0]["value"] = "e1:undo:../../etc:0"
    pressed = decode.button(body)
    assert pressed
    with pytest.raises(Rejected):
        interpret(pressed, NOWHERE)
    view = sample("view_submission")
    made = json.loads(view["view"]["private_metadata"])
    another = {
        **made,
        "p": [
            "T00000002 F00000001 https://files.slack.com/files-pri/T2-F1/x.png"
        ],
    }
    for odd in (
        "{}",
        "",
        "[]",
        "7",
        '{"a":"edit"}',
        json.dumps(made | {"a": "sing"}),
        json.dumps(another),
    ):
        view["view"]["private_metadata"] = odd
        with pytest.raises(Rejected):
            decode.form(view)


def test_only_our_own_token_taken_away_means_that_we_left() -> None:
    assert decode.removal(event("app_uninstalled")) is not None
    assert decode.removal(event("tokens_revoked")) is not None
    assert (
        decode.removal(event("tokens_revoked", tokens={"oauth": ["U1"]}))
        is None
    )


@pytest.mark.parametrize(
    ("enterprise", "team"), [(None, "T1"), ("E1", "T1"), ("E1", None)]
)
def test_a_workspace_is_its_team_and_enterprise(
    enterprise: str | None, team: str | None
) -> None:
    assert split(workspace_of(enterprise, team)) == (
        enterprise,
        team,
    )


def test_a_modal_keeps_all_pictures_of_a_message_however_long_their_addresses() -> (
    None
):
    body = sample("message_action")
    file = body["message"]["files"][0]
    url = f"https://files.slack.com/files-pri/{'x' * 900}.png"
    body["message"]["files"] = [
        {**file, "id": f"F{at:010}", "url_private_download": url}
        for at in range(10)
    ]
    opened = interpret(decode.shortcut(body), NOWHERE)
    assert isinstance(opened, OpenForm)
    known = decode.meta(opened.request, Action.EDIT)
    assert len(known) <= 3000
    view = sample("view_submission")
    view["view"]["private_metadata"] = known
    view["view"]["state"]["values"].pop("pictures")
    assert len(form(view).attachments) == 10


def test_a_modal_sent_back_from_elsewhere_belongs_to_where_we_are_installed() -> (
    None
):
    body = sample("view_submission")
    body["team"]["id"] = "T00000009"
    body["view"]["app_installed_team_id"] = "T00000001"
    assert form(body).place.workspace == "T00000001"


def test_a_partner_of_another_organisation_speaks_to_our_installation() -> (
    None
):
    # Slack Connect: the body names the organisation of the sender.
    body = {**event("message_im"), "enterprise_id": "E013Y3SHLAY"}
    body["authorizations"] = [
        {
            "team_id": "T0G9PQBBK",
            "enterprise_id": None,
            "is_enterprise_install": False,
            "user_id": "U0BOT",
        }
    ]
    incoming = decode.message(body)
    assert incoming is not None
    assert incoming.place.workspace == "T0G9PQBBK"
    # The reverse: we are in an organisation, the sender in none.
    body["authorizations"][0]["enterprise_id"] = "E1"
    body["enterprise_id"] = None
    incoming = decode.message(body)
    assert incoming is not None
    assert incoming.place.workspace == "E1.T0G9PQBBK"


def test_a_modal_knows_its_workspace_whoever_sends_it_back() -> None:
    opened = interpret(decode.shortcut(sample("message_action")), NOWHERE)
    assert isinstance(opened, OpenForm)
    view = sample("view_submission")
    view["view"]["private_metadata"] = decode.meta(opened.request, Action.EDIT)
    view["enterprise"] = {"id": "E013Y3SHLAY", "name": "A partner"}
    view["team"] = {"id": "T00000009", "enterprise_id": "E013Y3SHLAY"}
    assert form(view).place.workspace == opened.request.place.workspace


@pytest.mark.parametrize("language", languages())
def test_what_a_modal_is_called_fits_above_it(language: str) -> None:
    titles = [f"action.{action}" for action in OPERATIONS]
    for key in (*titles, "form.functions"):
        assert len(translate(key, language)) <= render.VIEW_TITLE, key


@pytest.mark.parametrize(
    "code",
    ["rate_limited", "message_limit_exceeded", "ratelimited", ""],
)
def test_a_limit_that_passes_is_waited_for(code: str) -> None:
    assert not SlackError(code).permanent
    assert SlackError("channel_not_found").permanent


@pytest.mark.parametrize(
    ("workspace", "user", "runs"),
    [
        ("T1", {"team_id": "T1", "is_admin": True}, True),
        ("T1", {"team_id": "T1", "is_owner": True}, True),
        ("T1", {"team_id": "T1"}, False),
        ("T1", {"team_id": "T9", "is_admin": True}, False),
        (
            "T1",
            {"team_id": "T1", "is_admin": True, "is_stranger": True},
            False,
        ),
        (
            "E1.T1",
            {
                "team_id": "T2",
                "is_admin": True,
                "enterprise_user": {"teams": ["T1", "T2"]},
            },
            True,
        ),
        (
            "E1.",
            {
                "team_id": "T1",
                "is_admin": True,
                "enterprise_user": {"teams": ["T1"]},
            },
            False,
        ),
        (
            "E1.",
            {
                "team_id": "T1",
                "enterprise_user": {"enterprise_id": "E1", "is_admin": True},
            },
            True,
        ),
        (
            "E1.",
            {
                "team_id": "T9",
                "enterprise_user": {"enterprise_id": "E9", "is_owner": True},
            },
            False,
        ),
    ],
)
def test_whoever_runs_this_workspace_is_told_from_whoever_runs_another(
    workspace: str, user: Mapping[str, Any], runs: bool
) -> None:
    assert users.is_admin(user, workspace) is runs


@given(
    st.text(max_size=12_000),
    st.text(max_size=9_000),
    st.integers(0, 30),
    st.floats(0, 1),
)
def test_whatever_is_said_stays_within_slacks_limits_and_inert(
    title: str, text: str, many: int, done: float
) -> None:
    buttons = tuple(
        Button(
            kind=ButtonKind.PICK,
            step="abcdefghij",
            label=title[:200] or "x",
            index=at % 10,
        )
        for at in range(many)
    )[:10]
    post = Post(
        tone=Tone.STATUS,
        title=title,
        text=text,
        job="j",
        progress=done,
        buttons=buttons,
        menu=buttons,
    )
    made = render.message(post, [("F00000001", title)], sure="Sure?")
    said = {**made, "channel": "C1"}
    limits.message(said, picture, update=True)
    assert "<" not in made["text"].replace("&lt;", "")
    parsed = Block.parse_all(copy.deepcopy(made["blocks"]))
    assert all(parsed)


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize(
    "action",
    [
        action
        for action in Action
        if action.makes_pictures and action is not Action.AGAIN
    ],
)
def test_every_form_is_a_modal_slack_takes(
    action: Action, locale: str
) -> None:
    asked = forms.operation_form(
        action, CATALOG, (dashscope(),), locale, prompt="x" * 5000
    )
    opened = interpret(decode.shortcut(sample("message_action")), NOWHERE)
    assert isinstance(opened, OpenForm)
    meta = decode.meta(opened.request, action)
    limits.view(render.modal(asked, meta), picture)


@pytest.mark.parametrize("locale", languages())
def test_the_form_of_functions_and_every_button_label_fit(locale: str) -> None:
    limits.view(
        render.modal(forms.functions_form(locale, FUNCTIONS), "{}"), picture
    )
    for kind in ButtonKind:
        if kind not in {ButtonKind.PICK, ButtonKind.REGION, ButtonKind.LINK}:
            assert (
                len(translate(f"button.{kind.value}", locale))
                <= render.BUTTON_TEXT
            )


def test_a_result_asks_before_it_is_deleted() -> None:
    made = step(
        outputs=(
            Picture(
                key="k" * 64,
                width=1,
                height=1,
                media_type="image/png",
                length=1,
            ),
        )
    )
    message = render.message(steps.outcome_post(made), sure="Really?")
    asked = [
        one["confirm"]["text"]["text"]
        for row in message["blocks"][1:]
        for one in row["elements"]
        if "confirm" in one
    ]
    assert asked == ["Really?"]


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("url", ["", "https://easel.example"])
def test_the_manifest_is_one_slack_takes(locale: str, url: str) -> None:
    found = manifest(locale, url, installable=bool(url))
    commands = {
        one["command"]: one for one in found["features"]["slash_commands"]
    }
    assert list(commands) == ["/draw", "/edit", "/wanx", "/easel"]
    assert all(len(one["description"]) <= 2000 for one in commands.values())
    assert all(one["usage_hint"] for one in commands.values())
    is_english = commands["/edit"]["usage_hint"] == "INSTRUCTION"
    assert is_english == (locale == "en")
    shortcut = found["features"]["shortcuts"][0]
    assert len(shortcut["name"]) <= 24
    assert len(shortcut["description"]) <= 150
    assert len(found["display_information"]["description"]) <= 140
    assert found["settings"]["socket_mode_enabled"] is not bool(url)
    assert ("url" in commands["/draw"]) is bool(url)


@pytest.mark.skipif(
    not SCHEMAS.is_dir(),
    reason="the vendor's schemas do not stand beside the project",
)
@pytest.mark.parametrize("url", ["", "https://easel.example"])
def test_the_manifest_fits_the_vendors_schemas(url: str) -> None:
    found = manifest("id", url, installable=bool(url))
    for version in ("1.0.0", "2.0.0"):
        schema = json.loads(
            (SCHEMAS / f"slack-manifest.{version}.json").read_text()
        )
        jsonschema.validate(found, schema)


def test_scopes_and_events_are_the_least_that_is_needed() -> None:
    assert "channels:read" not in SCOPES
    assert "reactions:write" not in SCOPES
    for name in EVENTS:
        assert (SAMPLES / f"{name.partition('.')[0]}.json").exists()


def test_an_invitation_of_ours_is_told_from_that_of_others() -> None:
    invited = sample("member_joined_channel")
    assert decode.is_invitation(invited)
    invited["event"]["user"] = "UANA000001"
    assert not decode.is_invitation(invited)
    assert decode.event(invited) is None


def test_a_file_of_a_type_slack_does_not_know_is_not_passed_over() -> None:
    listed = [
        {"id": "F1", "name": "a.png", "mimetype": "image/png"},
        {"id": "F2", "name": "b.avif", "mimetype": "application/octet-stream"},
        {"id": "F3", "name": "c.pdf", "mimetype": "application/pdf"},
    ]
    names = [file.name for file in decode.files(listed, "T1")]
    assert names == ["a.png", "b.avif"]
