"""Inbox rows, drafts and buttons of the version before this one are read and finished."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.earlier import read_incoming, read_origin, read_request
from core.errors import Rejected
from core.incoming import Incoming, Kind
from core.interpret import interpret
from core.meaning import NOWHERE, Choice, Situation
from core.operations import Action
from core.options import Options
from core.types import Request, StepId, to_json

ROWS: dict[str, dict[str, Any]] = json.loads(
    (
        Path(__file__).parents[1] / "samples" / "earlier" / "deliveries.json"
    ).read_text()
)
"""Written by the code of 17ab678, column ``request`` of ``deliveries``."""
STEP = Situation(step=StepId("abcdefghij"), is_ours=True)


@pytest.mark.parametrize(
    ("name", "situation", "action", "text"),
    [
        ("slack command", NOWHERE, Action.DRAW, "a red fox"),
        ("slack mention", NOWHERE, Action.EDIT, "make it night & rainy"),
        ("slack reaction", STEP, None, ""),
        ("slack press", NOWHERE, Action.UNDO, ""),
        ("slack form", NOWHERE, Action.EDIT, "make it night"),
        (
            "slack mention under a picture",
            NOWHERE,
            Action.EDIT,
            "make it night",
        ),
        ("discord command", NOWHERE, Action.DRAW, "a fox"),
        ("discord press", NOWHERE, Action.MORE, ""),
        ("discord region", NOWHERE, Action.REGION, ""),
        ("discord form", NOWHERE, Action.EDIT, "make it night"),
        ("discord reply", STEP, Action.EDIT, "make it night"),
        ("discord reaction", STEP, Action.FAVOURITE, ""),
    ],
)
def test_a_delivery_of_the_version_before_means_what_it_meant(
    name: str, situation: Situation, action: Action | None, text: str
) -> None:
    incoming = read_incoming(ROWS[name])
    meaning = interpret(incoming, situation)
    if action is None:
        assert meaning is None
        return
    assert isinstance(meaning, Request)
    assert (meaning.action, meaning.text) == (action, text)
    assert meaning.key == ROWS[name]["key"]
    assert to_json(meaning.place) == ROWS[name]["place"]
    assert meaning.target == (situation.step or ROWS[name]["target"])


def test_what_stood_among_the_keys_of_a_reply_is_a_fact_now() -> None:
    mention = read_incoming(ROWS["discord mention"])
    assert not mention.is_place_known
    assert mention.answers
    assert (mention.answers.message, mention.answers.is_ours) == ("6", None)
    assert mention.reply == {"message": "10"}
    assert isinstance(interpret(mention, NOWHERE), Choice)


def test_a_form_keeps_the_one_that_asked_and_a_picture_its_thread() -> None:
    form = read_incoming(ROWS["discord form"])
    assert (form.kind, form.reply["asked"]) == (
        Kind.FORM,
        "1200000000000000000",
    )
    under = interpret(
        read_incoming(ROWS["slack mention under a picture"]), NOWHERE
    )
    assert isinstance(under, Request)
    assert [picture.ref for picture in under.attachments] == ["T1 F1 url"]


def test_a_goodbye_is_still_one() -> None:
    assert read_incoming(ROWS["slack goodbye"]).kind is Kind.REMOVED


@pytest.mark.parametrize("name", sorted(ROWS))
def test_what_is_read_once_is_the_same_when_it_is_read_again(
    name: str,
) -> None:
    incoming = read_incoming(ROWS[name])
    assert read_incoming(to_json(incoming)) == incoming


def test_a_request_that_was_understood_is_read_as_it_is() -> None:
    request = read_request(ROWS["discord command"])
    assert (request.action, request.text) == (Action.DRAW, "a fox")
    assert request.options == Options(n=2, private=True)
    assert read_request(to_json(request)) == request


def test_what_was_understood_with_a_wrong_option_is_understood_once_more() -> (
    None
):
    row = {**ROWS["discord command"], "given": {"n": "99"}}
    origin = read_origin(row, is_event=False)
    assert isinstance(origin, Incoming)
    with pytest.raises(Rejected):
        interpret(origin, NOWHERE)
