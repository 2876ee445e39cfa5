"""Forms, the registry of commands, and a channel's preferences."""

import pytest

from adapters.web import decode as web_decode
from adapters.web.records import Member
from core import channel_settings, forms, grammar, permissions
from core.budgets import Caps
from core.catalog import Catalog
from core.errors import Rejected
from core.forms import FieldKind
from core.i18n import translate
from core.languages import languages
from core.operations import COMMANDS, Action, command_text_key
from core.options import OPTIONS, Options, options_of
from core.providers.dashscope import catalog_text
from core.types import Person, Place, Request, StepId
from tests.fakes.steps import dashscope

CATALOG = Catalog.load(catalog_text())
MADE = [
    action
    for action in Action
    if action.makes_pictures and action is not Action.AGAIN
]


@pytest.mark.parametrize("action", MADE)
@pytest.mark.parametrize("locale", languages())
def test_every_form_asks_only_for_what_its_action_understands(
    action: Action, locale: str
) -> None:
    asked = forms.operation_form(
        action, CATALOG, (dashscope(),), locale, prompt="as before"
    )
    names = [field.name for field in asked.fields]
    assert len(names) == len(set(names))
    assert asked.fields[0].value == "as before"
    for field in asked.fields:
        assert field.label
        if field.kind is FieldKind.CHOICE:
            for choice in field.choices:
                grammar.parse("", {field.name: choice.value})
    own = [
        option.name for option in options_of(action) if option.is_of_functions
    ]
    assert set(own) <= set(names)


def test_a_form_about_a_settled_picture_asks_for_no_other() -> None:
    free = forms.operation_form(Action.EDIT, CATALOG, (dashscope(),), "en")
    settled = forms.operation_form(
        Action.EDIT,
        CATALOG,
        (dashscope(),),
        "en",
        target=StepId("abc"),
        index=1,
    )
    assert "pictures" in [field.name for field in free.fields]
    assert "pictures" not in [field.name for field in settled.fields]


def test_a_region_without_a_model_does_not_offer_it() -> None:
    offered = forms.operation_form(
        Action.DRAW, CATALOG, (dashscope("singapore"),), "en"
    ).fields
    model = next(field for field in offered if field.name == "model")
    assert all(
        "singapore" in CATALOG.models[choice.value].regions
        for choice in model.choices
    )


def test_every_command_is_understood_as_it_is_written() -> None:
    for action, command in COMMANDS.items():
        rest = command.written.removeprefix(command.name).strip()
        assert grammar.command(command.name, rest)[0] is action
        assert translate(command_text_key(action), "en")
        for option in options_of(action):
            assert OPTIONS[option.name] is option
    assert COMMANDS[Action.EXPAND].written == "wanx expand"
    assert Action.VOTE not in COMMANDS


def test_preferences_fall_back_from_channel_to_workspace_to_defaults() -> None:
    settings = {
        "channels": {
            "*": {"gallery": "g", "quorum": "5"},
            "c": {"quorum": "2", "unheard": "of"},
        }
    }
    assert channel_settings.preferences_of(settings, "c").gallery == "g"
    assert channel_settings.preferences_of(settings, "c").number("quorum") == 2
    assert channel_settings.preferences_of(settings, "d").number("quorum") == 5
    assert channel_settings.preferences_of({}, "d").number("favourites") == 2


def test_an_empty_value_goes_back_to_the_default() -> None:
    first = channel_settings.update(
        {}, "c", {"style": "flat", "n": "2"}, CATALOG
    )
    second = channel_settings.update(first, "c", {"style": ""}, CATALOG)
    assert second["channels"]["c"] == {"n": "2"}


def test_defaults_never_overrule_what_a_person_said_or_reach_where_they_make_no_sense() -> (
    None
):
    preferences = channel_settings.Preferences(
        model="qwen-image-plus", n="2", shape="16:9", style="flat"
    )
    chosen = Options(n=1, model="qwen-image-2.0", ratio=(1, 1))
    assert channel_settings.apply_defaults(
        preferences, Action.DRAW, "a fox", chosen, CATALOG
    ) == (
        "a fox, flat",
        chosen,
    )
    assert channel_settings.apply_defaults(
        preferences, Action.EDIT, "night", Options(), CATALOG
    ) == (
        "night",
        Options(),
    )
    _, drawn = channel_settings.apply_defaults(
        preferences, Action.DRAW, "a fox", Options(), CATALOG
    )
    assert (drawn.model, drawn.n, drawn.ratio) == (
        "qwen-image-plus",
        2,
        (16, 9),
    )


@pytest.mark.parametrize(
    ("name", "text", "nearest"),
    [
        ("functions", "draw wanx.expnd", "wanx.expand"),
        ("galery", "c1", "gallery"),
        ("quorum", "50", 20),
        ("quorum", "0", 2),
        ("quorum", "many", 2),
        ("n", "9", "6"),
        ("shape", "16:900", "1:8"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_nearest_that_can(
    name: str, text: str, nearest: object
) -> None:
    with pytest.raises(Rejected) as refusal:
        channel_settings.update({}, "c", {name: text}, CATALOG)
    assert refusal.value.params["nearest"] == nearest


def require_work(
    preferences: channel_settings.Preferences,
    person: str,
    action: Action,
    prompt: str = "a fox",
    *,
    is_admin: bool = False,
) -> None:
    request = Request(
        key="k",
        place=Place(platform="web", workspace="w", channel="c"),
        person=Person(id=person, name=person.title()),
        locale="en",
        action=action,
        is_admin=is_admin,
    )
    permissions.require_work(preferences, request, action, prompt)


def test_people_and_functions_can_be_limited() -> None:
    preferences = channel_settings.Preferences(
        people="ana, bo", functions="draw wanx.style"
    )
    require_work(preferences, "bo", Action.STYLE)
    require_work(preferences, "cy", Action.DRAW, is_admin=True)
    with pytest.raises(Rejected, match="not_these_people"):
        require_work(preferences, "cy", Action.DRAW)
    with pytest.raises(Rejected, match="not_this_function"):
        require_work(preferences, "ana", Action.EDIT)


def test_the_settings_form_shows_what_stands() -> None:
    asked = channel_settings.settings_form(
        channel_settings.Preferences(style="flat", personal_threads="yes"),
        Caps(),
        CATALOG,
        "en",
    )
    values = {field.name: field.value for field in asked.fields}
    assert values["style"] == "flat"
    assert values["personal_threads"] == "yes"


@pytest.mark.parametrize("locale", languages())
def test_what_settings_ask_is_read_whole_where_a_label_has_45_characters(
    locale: str,
) -> None:
    asked = channel_settings.settings_form(
        channel_settings.Preferences(), Caps(), CATALOG, locale
    )
    assert [
        field.label for field in asked.fields if len(field.label) > 45
    ] == []


def test_of_a_menu_with_25_models_only_dated_editions_fall_out() -> None:
    field = next(
        field
        for field in channel_settings.settings_form(
            channel_settings.Preferences(), Caps(), CATALOG, "en"
        ).fields
    )
    assert field.name == "model"
    left_out = [choice.value for choice in field.choices[24:]]
    assert left_out
    assert all(
        name[-3:-2] == "-" and name[-2:].isdecimal() for name in left_out
    )


def test_the_room_takes_the_names_of_people_for_their_ids() -> None:
    member = Member(id="ana", name="Ana", admin=True)
    page = {
        "key": "abcdefgh-1",
        "channel": "general",
        "action": "settings",
        "given": {"people": "@Ana, Bo Li，小明, "},
    }
    saved = web_decode.form(member, page).fields["people"]
    assert saved == "ana, bo-li, 小明"
    assert web_decode.form(
        member, {**page, "given": {"people": saved}}
    ).fields == {"people": saved}
    limited = channel_settings.Preferences(people=saved)
    require_work(limited, "bo-li", Action.DRAW)
