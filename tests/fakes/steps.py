"""Steps for tests: a plain one, changed where the test cares."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.operations import Action
from core.options import Options
from core.size import Size
from core.types import (
    Account,
    Money,
    Person,
    Picture,
    Place,
    SessionId,
    Step,
    StepId,
    StepState,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PLACE = Place(platform="test", workspace="w", channel="c")


def dashscope(region: str = "beijing") -> Account:
    return Account(name=region, provider="dashscope", region=region)


def yuan(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="CNY")


def dollars(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def picture(letter: str = "a") -> Picture:
    return Picture(
        key=letter * 64,
        width=600,
        height=400,
        media_type="image/png",
        length=1000,
    )


def step(name: str = "one", **changes: Any) -> Step:
    plain = Step(
        id=StepId(name),
        place=PLACE,
        session=SessionId("c/@ana"),
        number=1,
        person=Person(id="ana", name="Ana"),
        locale="en",
        action=Action.DRAW,
        prompt="a fox",
        options=Options(),
        model="qwen-image-plus",
        account="beijing",
        seed=1,
        n=1,
        size=Size(width=1328, height=1328),
        state=StepState.QUEUED,
        created=NOW,
        price=yuan("0.2"),
    )
    return replace(plain, **changes)
