"""Events that a platform could deliver: commands, presses, reactions, a goodbye."""

from typing import Any

from core.button_ids import encode_button
from core.incoming import Incoming, Kind, Quoted
from core.operations import BUTTONS, Action, ButtonKind
from core.post import PostedMessage
from core.types import Person, Place


def command(
    action: Action,
    text: str = "",
    *,
    key: str,
    place: Place,
    person: str,
    **facts: Any,
) -> Incoming:
    """A typed command; what is never typed is pressed."""
    if not action.is_typed:
        kinds = [kind for kind, does in BUTTONS.items() if does is action]
        target, index = (
            facts.pop("target", None),
            facts.pop("index", None) or 0,
        )
        return press(
            kinds[0],
            target,
            index,
            key=key,
            place=place,
            person=person,
            **facts,
        )
    return Incoming(
        key=key,
        kind=Kind.COMMAND,
        place=place,
        person=somebody(person),
        operation=action.value,
        words=text,
        **{"locale": "en", **facts},
    )


def press(
    kind: ButtonKind,
    step: str,
    index: int = 0,
    *,
    key: str,
    place: Place,
    person: str,
    **facts: Any,
) -> Incoming:
    """A button of a message of Easel's."""
    return Incoming(
        key=key,
        kind=Kind.BUTTON,
        place=place,
        person=somebody(person),
        button=encode_button(kind, step, index),
        **{"locale": "en", **facts},
    )


def reaction(
    emoji: str,
    message: PostedMessage,
    *,
    key: str,
    person: str,
    added: bool = True,
    **facts: Any,
) -> Incoming:
    """A reaction to a message of Easel's."""
    return Incoming(
        key=key,
        kind=Kind.REACTION,
        place=message.place,
        person=somebody(person),
        answers=Quoted(message=message.message),
        emoji=emoji,
        is_added=added,
        **{"locale": "en", **facts},
    )


def goodbye(key: str, place: Place) -> Incoming:
    """We were removed from a workspace."""
    return Incoming(
        key=key, kind=Kind.REMOVED, place=place, person=Person(id="", name="")
    )


def somebody(person: str) -> Person:
    """Named by their id."""
    return Person(id=person, name=person.title())
