"""Between rows and types: the only module that knows in which columns a Step is stored."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping

from core.errors import Charged
from core.operations import Action
from core.options import Options
from core.size import Size
from core.types import (
    Money,
    Person,
    Picture,
    PictureRole,
    Place,
    Step,
    StepState,
    from_json,
    to_json,
)

MICRO = Decimal(1_000_000)
Row = Mapping[str, Any] | RowMapping


def micros(money: Money | None) -> int | None:
    """Millionths of the currency."""
    if money is None:
        return None
    # Whole numbers add up exactly on every database.
    return int((money.amount * MICRO).to_integral_value())


def money(amount: int | None, currency: str | None) -> Money | None:
    """The amount back from millionths."""
    if amount is None or currency is None:
        return None
    return Money(amount=Decimal(amount) / MICRO, currency=currency)


def step_row(step: Step) -> dict[str, Any]:
    """The columns of a new step."""
    return {
        "tenant": step.place.tenant,
        "id": step.id,
        "platform": step.place.platform,
        "workspace": step.place.workspace,
        "channel": step.place.channel,
        "thread": step.place.thread,
        "session": step.session,
        "number": step.number,
        "person": step.person.id,
        "person_name": step.person.name,
        "locale": step.locale,
        "action": step.action.value,
        "prompt": step.prompt,
        "options": to_json(step.options),
        "model": step.model,
        "account": step.account,
        "seed": step.seed,
        "n": step.n,
        "width": step.size.width if step.size else None,
        "height": step.size.height if step.size else None,
        "parent": step.parent,
        "parent_index": step.parent_index,
        "depth": step.depth,
        "reply": dict(step.reply),
        "notes": list(step.notes),
        "created": step.created,
        "state": step.state.value,
        "charged": step.charged,
        "price_micros": micros(step.price),
        "currency": step.price.currency if step.price else None,
    }


def picture_row(tenant: str, picture: Picture) -> dict[str, Any]:
    """The columns of a picture."""
    return {
        "tenant": tenant,
        **{
            name: getattr(picture, name)
            for name in Picture.__dataclass_fields__
        },
    }


def picture(row: Row) -> Picture:
    """A picture from its columns."""
    return Picture(
        **{name: row[name] for name in Picture.__dataclass_fields__}
    )


def step(row: Row, held: Iterable[Row]) -> Step:
    """A step from its columns and the rows of step_pictures joined with pictures."""
    by_role: dict[str, list[Picture]] = {role: [] for role in PictureRole}
    for held_row in sorted(
        held, key=lambda held_row: int(held_row["position"])
    ):
        by_role[held_row["role"]].append(picture(held_row))
    return Step(
        id=row["id"],
        place=_place(row),
        session=row["session"],
        number=row["number"],
        person=Person(id=row["person"], name=row["person_name"]),
        locale=row["locale"],
        action=Action(row["action"]),
        prompt=row["prompt"],
        options=from_json(Options, row["options"]),
        model=row["model"],
        account=row["account"],
        seed=row["seed"],
        n=row["n"],
        size=Size(width=row["width"], height=row["height"])
        if row["width"]
        else None,
        state=StepState(row["state"]),
        created=row["created"],
        parent=row["parent"],
        parent_index=row["parent_index"],
        depth=row["depth"],
        inputs=tuple(by_role["input"]),
        mask=by_role["mask"][0] if by_role["mask"] else None,
        outputs=tuple(by_role["output"]),
        withheld=tuple(by_role["withheld"]),
        price=money(row["price_micros"], row["currency"]),
        cost=money(row["cost_micros"], row["currency"]),
        task_id=row["task_id"],
        request_id=row["request_id"],
        seconds=row["seconds"],
        error=row["error"],
        error_params=row["error_params"] or {},
        charged=Charged(row["charged"]),
        reply=row["reply"],
        notes=tuple(row["notes"]),
        deleted=row["deleted"],
        **_progress(row),
    )


def _place(row: Row) -> Place:
    return Place(
        platform=row["platform"],
        workspace=row["workspace"],
        channel=row["channel"],
        thread=row["thread"],
    )


def _progress(row: Row) -> dict[str, Any]:
    return {
        name: row[name]
        for name in (
            "priority",
            "cancel_requested",
            "intended",
            "submitted",
            "finished",
            "attempts",
            "outcome",
            "text",
            "partial",
            "chosen",
        )
    }
