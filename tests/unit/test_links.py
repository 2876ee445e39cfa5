"""Links in people's words: those that lead to pictures are never passed over."""

import pytest

from core import links
from core.errors import Rejected
from core.incoming import Incoming
from core.interpret import interpret
from core.meaning import NOWHERE
from core.operations import Action
from tests.fakes import events
from tests.fakes.steps import PLACE


def command(action: Action, words: str) -> Incoming:
    return events.command(action, words, key="e1", place=PLACE, person="ana")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.example/x.png, please", ["https://a.example/x.png"]),
        ("(https://a.example/x.png)", ["https://a.example/x.png"]),
        ("<https://a.example/x> is", ["https://a.example/x"]),
        ("变成夜晚https://a.example/x.png。", ["https://a.example/x.png"]),
        ("no link: a.png, http//x", []),
    ],
)
def test_links_are_found_without_the_marks_around_them(
    text: str, found: list[str]
) -> None:
    assert links.links_in(text) == found


@pytest.mark.parametrize(
    ("link", "is_picture"),
    [
        ("https://a.example/x.PNG?size=2#top", True),
        ("https://a.example/x.avif", True),
        ("https://a.example/x.html", False),
        ("https://a.example/", False),
        ("https://[broken/x.png", False),
    ],
)
def test_an_address_says_whether_a_picture_is_there(
    link: str, is_picture: bool
) -> None:
    assert links.is_picture(link) is is_picture


@pytest.mark.parametrize("action", [Action.DRAW, Action.EDIT, Action.UPSCALE])
def test_a_picture_that_cannot_be_had_is_refused_with_its_host(
    action: Action,
) -> None:
    words = "like https://a.example:81/x.png but at night"
    with pytest.raises(Rejected, match=r"refuse\.link") as caught:
        interpret(command(action, words), NOWHERE)
    assert caught.value.params["host"] == "a.example:81"
    page = "a poster for https://a.example/shop"
    assert interpret(command(action, page), NOWHERE)
