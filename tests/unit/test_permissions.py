"""Refused words and people, and functions that are switched off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import channel_settings, permissions
from core.catalog import Catalog
from core.channel_settings import FUNCTIONS, Preferences
from core.errors import Rejected
from core.operations import Action
from core.providers.dashscope import catalog_text
from core.refused_words import holds_refused_word, split_words
from core.types import Person, Place, Request

CATALOG = Catalog.load(catalog_text())
LISTED = "gun, Straße,血腥\nkill bill；ปืน,कल"


@pytest.mark.parametrize(
    "prompt",
    [
        "a gun",
        "A GUN!",
        "ｇｕｎ",
        "g\u200bun",
        "a \u202egun",
        "画一把gun吧",
        "STRASSE",
        "一张血腥的图",
        "血 腥 血腥",
        "Kill   Bill, the film",
        "เด็กถือปืนเล่น",
        "gun-metal",
        "gu\u034fn",
        "gun\ufe0f",
        "gun\u0338",
        "कल का चित्र",
    ],
)
def test_a_listed_word_is_found_however_it_is_written(prompt: str) -> None:
    assert holds_refused_word(prompt, LISTED)


@pytest.mark.parametrize(
    "prompt",
    ["", "begun", "gunther", "gun2", "血", "kill", "a fox, running", "कला"],
)
def test_a_part_of_a_longer_word_is_another_word(prompt: str) -> None:
    assert not holds_refused_word(prompt, LISTED)


@given(st.text(), st.text())
def test_no_list_and_no_prompt_breaks_the_search(
    prompt: str, refused: str
) -> None:
    for word in split_words(refused):
        assert holds_refused_word(f"a {word} b", refused)
    holds_refused_word(prompt, refused)


def request(
    person: str = "ana",
    action: Action = Action.DRAW,
    *,
    is_admin: bool = False,
) -> Request:
    return Request(
        key="k",
        place=Place(platform="web", workspace="w", channel="c"),
        person=Person(id=person, name=person.title()),
        locale="en",
        action=action,
        is_admin=is_admin,
    )


def test_a_refusal_never_repeats_the_list() -> None:
    preferences = Preferences(refused_words="gun, secretproject")
    with pytest.raises(Rejected, match="refused_word") as refusal:
        permissions.require_work(preferences, request(), Action.DRAW, "a gun")
    assert refusal.value.params == {}


def test_a_refused_person_keeps_help_and_an_admin_keeps_everything() -> None:
    preferences = Preferences(refused_people="ana bo")
    for action in (Action.DRAW, Action.UNDO, Action.VOTE):
        with pytest.raises(Rejected, match="refused_person"):
            permissions.require_person(preferences, request("bo", action))
    permissions.require_person(preferences, request("cy"))
    permissions.require_person(preferences, request("bo", Action.HELP))
    permissions.require_person(preferences, request("bo", is_admin=True))
    with pytest.raises(Rejected, match="not_yourself"):
        permissions.require_not_oneself(
            request("ana", Action.SETTINGS), {"refused_people": "bo, ana"}
        )


def test_a_function_switched_off_is_off_in_every_channel() -> None:
    settings = channel_settings.update(
        {}, "c", {"functions_off": "draw wanx.upscale"}, CATALOG
    )
    settings = channel_settings.update(
        settings, "d", {"functions": "draw, edit"}, CATALOG
    )
    in_c = channel_settings.preferences_of(settings, "c")
    in_d = channel_settings.preferences_of(settings, "d")
    assert permissions.allowed_functions(in_d) == [Action.EDIT]
    assert set(FUNCTIONS) - set(permissions.allowed_functions(in_c)) == {
        Action.DRAW,
        Action.UPSCALE,
    }
    with pytest.raises(Rejected, match="not_this_function"):
        permissions.require_work(in_d, request(), Action.DRAW, "a fox")


def test_with_every_function_off_the_refusal_lists_none() -> None:
    all_of_them = " ".join(action.value for action in FUNCTIONS)
    preferences = Preferences(functions_off=all_of_them)
    with pytest.raises(Rejected, match="no_function"):
        permissions.require_work(preferences, request(), Action.DRAW, "a fox")
