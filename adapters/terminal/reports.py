"""What ``--json`` prints about steps, spending and budgets; pure."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.audit import AuditEntry
from core.budgets import Caps, Spending
from core.incoming import Incoming
from core.types import Head, Money, Picture, Step, to_json

Json = dict[str, Any]
"""A JSON object."""


def describe_step(step: Step) -> Json:
    """Everything that made a step, in plain values."""
    return {
        "step": step.id,
        "version": step.number,
        "parent": step.parent,
        "action": step.action.value,
        "state": step.state.value,
        "prompt": step.prompt,
        "options": _chosen(to_json(step.options)),
        "person": step.person.name,
        "created": step.created.isoformat(),
        "model": step.model,
        "seed": step.seed,
        "pictures": [_describe_picture(picture) for picture in step.outputs],
        "cost": describe_money(step.cost),
        "task_id": step.task_id,
        "request_id": step.request_id,
    }


def describe_tree(steps: Iterable[Step], head: Head | None) -> Json:
    """A history: its steps, oldest first, and where its head is."""
    described = None
    if head:
        described = {"step": head.step, "picture": head.index + 1}
    return {
        "head": described,
        "steps": [describe_step(step) for step in steps],
    }


def describe_spending(spending: Sequence[Spending]) -> Json:
    """What each person spent each day, and the sums by currency."""
    totals: dict[str, Money] = {}
    for part in spending:
        currency = part.total.currency
        amount = part.total.amount
        if currency in totals:
            amount += totals[currency].amount
        totals[currency] = Money(amount=amount, currency=currency)
    return {
        "days": [_describe_day(part) for part in spending],
        "totals": [describe_money(total) for total in totals.values()],
    }


def describe_entry(entry: AuditEntry) -> Json:
    """An entry of the audit log, without its row's id."""
    return {
        "at": entry.at.isoformat(),
        "person": entry.person.name,
        "act": entry.act,
        "channel": entry.channel,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
        "cost": describe_money(entry.cost),
    }


def describe_caps(caps: Caps) -> Json:
    """The budgets by name; null is no limit."""
    return {
        "person_day": describe_money(caps.person_day),
        "channel_month": describe_money(caps.channel_month),
        "workspace_month": describe_money(caps.workspace_month),
    }


def describe_inputs(request: Incoming, step: Step) -> list[Json]:
    """What was edited: the files that were given, or the picture of an earlier step."""
    if request.attachments:
        return [{"path": file.ref} for file in request.attachments]
    if step.parent and step.inputs:
        return [{"step": step.parent, "picture": step.parent_index + 1}]
    return []


def describe_file(path: Path, picture: Picture) -> Json:
    """A picture and the file it was written to."""
    return {"path": str(path), **_describe_picture(picture)}


def describe_money(money: Money | None) -> dict[str, str] | None:
    """An amount as text, since a float would round it."""
    if money is None:
        return None
    return {"amount": str(money.amount), "currency": money.currency}


def _describe_picture(picture: Picture) -> Json:
    return {
        "width": picture.width,
        "height": picture.height,
        "format": picture.media_type.rpartition("/")[2],
        "sha256": picture.key,
        "bytes": picture.length,
    }


def _describe_day(part: Spending) -> Json:
    return {
        "day": part.day,
        "person": part.person,
        "steps": part.steps,
        "cost": describe_money(part.total),
    }


def _chosen(options: Json) -> Json:
    """Without those that were left to the model."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and value is not False
    }
