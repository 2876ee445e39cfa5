"""The audit log: who asked for, changed, deleted or was refused what. It holds no prompts. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import budgets, channel_settings, sessions
from core.channel_settings import SHARED
from core.errors import EaselError
from core.incoming import Origin
from core.operations import OPERATIONS, Action, Takes
from core.types import Money, Person, Request

PAGE = 15
"""Entries on a page."""
LONGEST = 2000
"""Characters of a setting's value: a list of refused words fits."""
LONGEST_ID = 20
NOBODY = Person(id="", name="")
ASKED, SET, REFUSED = "asked", "set", "refused"
"""Acts beside those that are called like the action which was done. They reach the database."""
REASONS = {
    "refuse.no_function": "functions_off",
    "refuse.not_these_people": "people",
    "refuse.not_this_function": "functions_off",
    "refuse.refused_person": "refused_people",
    "refuse.refused_word": "refused_words",
}
"""The settings behind refusals. All by a budget are noted, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act of a person.

    ``act``: ASKED, SET, REFUSED, or the action that was done. ``subject``: the function asked for,
    the setting, the setting behind a refusal, or the step it was done to. ``channel`` is "" for
    what holds everywhere. ``cost`` is what was spent or is held, for what was ASKED.
    """

    id: str
    at: datetime
    act: str
    person: Person
    channel: str = ""
    subject: str = ""
    before: str = ""
    after: str = ""
    cost: Money | None = None


def act_of(request: Request, now: datetime) -> AuditEntry:
    """An entry for what was done; the same one if it is done again after a crash."""
    if request.action is Action.FORGET:
        # It may be written when everything else of them is gone.
        return AuditEntry(
            id=sessions.step_id(request),
            at=now,
            act=Action.FORGET.value,
            person=NOBODY,
        )
    return AuditEntry(
        id=sessions.step_id(request),
        at=now,
        act=request.action.value,
        person=request.person,
        channel=request.place.channel,
        subject=request.target or _typed_id(request),
    )


def _typed_id(request: Request) -> str:
    """The id behind a command that takes one; any other words may be a prompt."""
    command = OPERATIONS[request.action].command
    if command is None or command.takes is not Takes.ID:
        return ""
    return request.text.strip()[:LONGEST_ID]


def changes_by(
    request: Request,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> list[AuditEntry]:
    """An entry for each setting and budget that a request has changed."""
    old_values = dict(_values(before, request.place.channel))
    entries = []
    for name, value in _values(after, request.place.channel):
        if value == old_values[name]:
            continue
        holds_everywhere = name in SHARED or name in budgets.NAMES
        entry = AuditEntry(
            id=f"{sessions.step_id(request)}:{name}",
            at=now,
            act=SET,
            person=request.person,
            channel="" if holds_everywhere else request.place.channel,
            subject=name,
            before=old_values[name][:LONGEST],
            after=value[:LONGEST],
        )
        entries.append(entry)
    return entries


def _values(
    settings: Mapping[str, Any], channel: str
) -> Iterator[tuple[str, str]]:
    preferences = channel_settings.preferences_of(settings, channel)
    for name in channel_settings.NAMES:
        yield name, getattr(preferences, name)
    caps = budgets.caps(settings)
    for name in budgets.NAMES:
        yield name, budgets.write(getattr(caps, name))


def refusal(
    request: Origin, error: EaselError, now: datetime
) -> AuditEntry | None:
    """An entry for what a workspace's own rules refuse, one an hour for each person and reason.

    None for any other refusal.
    """
    subject = REASONS.get(error.key, "")
    if error.key.startswith("budget."):
        subject = "budget"
    if not subject:
        return None
    name = f"{request.person.id}\n{error.key}\n{now:%Y-%m-%d %H}"
    return AuditEntry(
        id=hashlib.sha256(name.encode()).hexdigest()[:40],
        at=now,
        act=REFUSED,
        person=request.person,
        channel=request.place.channel,
        subject=subject,
    )
