"""What an event can mean, and the facts about its place that this depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.types import Request, StepId


class FormSubject(StrEnum):
    """What a form asks for."""

    ACTION = "action"
    FUNCTION = "function"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the store knows about where something was said.

    ``is_ours``: the thread hangs from, or holds, one of our messages. ``step``: the one that the
    message answered shows. ``reactions``: the workspace's own map of emoji.
    """

    is_ours: bool = False
    step: StepId | None = None
    reactions: Mapping[str, str] | None = None


NOWHERE = Situation()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForm:
    """A form to show first.

    ``request`` holds what is known already, but for the ``words`` and typed ``fields``, which stand
    in the form as they were written.
    """

    request: Request
    subject: FormSubject = FormSubject.ACTION
    words: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Words that may ask for a drawing or for an edit: the person says which.

    ``request`` is the edit.
    """

    request: Request


Meaning = Request | OpenForm | Choice
