"""What we say: a step, an error or an answer as a Post in its reader's language. Renderers escape, not we."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core import sessions
from core.budgets import Caps, Spending
from core.errors import EaselError
from core.messages import say
from core.types import CURRENCY, Action, Button, ButtonKind, Money, Picture, Post, Request, Shown, Step, StepState, Tone

SHORT = 40
"""Characters of a prompt where it only names a picture."""
LONG_FACTOR = 3
"""How many times its usual time a job may take before we say that it takes long."""


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a message as JSON values."""

    def one(value: Any) -> Any:
        if isinstance(value, str | int | float | bool):
            return value
        return [str(each) for each in value] if isinstance(value, list | tuple) else str(value)

    return {name: one(value) for name, value in params.items()}


def accepted(request: Request, step: str) -> Post:
    """The private word that it has been stored durably."""
    return Post(tone=Tone.NOTE, text=say("status.accepted", request.locale), job=step, private=True)


def refusal(error: EaselError, locale: str, job: str = "") -> Post:
    """No, and why, and that nothing was charged: for its person only."""
    text = explain(error.key, error.params, locale, "no")
    return Post(tone=Tone.REFUSAL, text=text, job=job, private=True, reason=error.key)


def explain(key: str, params: Mapping[str, Any], locale: str, charged: str) -> str:
    """What happened and what it cost, in one or two sentences."""
    return f"{say(key, locale, **params)} {say(f'status.charged.{charged}', locale)}"


def note(key: str, locale: str, **params: object) -> Post:
    """A short private answer."""
    return Post(tone=Tone.NOTE, text=say(key, locale, **params), private=True)


def queued(step: Step, parent: Step | None, position: int, seconds: float) -> Post:
    """Not yet at work: its place in line and an honest estimate."""
    line = say("status.in_line", step.locale, position=position, seconds=rounded(seconds))
    return _working(step, parent, line, 0.0)


def running(step: Step, parent: Step | None, elapsed: float, typical: float) -> Post:
    """At work: how long still, or that it takes longer than usual."""
    if elapsed > LONG_FACTOR * typical:
        line = say("status.slow", step.locale, seconds=rounded(elapsed))
    else:
        line = say("status.running", step.locale, seconds=rounded(max(typical - elapsed, 1)))
    return _working(step, parent, line, min(elapsed / typical, 0.95) if typical else 0.0)


def rounded(seconds: float) -> int:
    """Seconds as a person says them: to five above ten, to ten above a minute."""
    grain = 10 if seconds > 60 else 5 if seconds > 10 else 1
    return max(1, round(seconds / grain) * grain)


def _working(step: Step, parent: Step | None, line: str, progress: float) -> Post:
    return Post(
        tone=Tone.STATUS,
        title=title(step),
        text="\n".join([f"{what(step, parent)} · {step.model}", *_notes(step, step.locale), line]),
        job=step.id,
        progress=progress,
        buttons=(_button(ButtonKind.CANCEL, step),),
    )


def _notes(step: Step, locale: str) -> list[str]:
    return [say(note, locale) for note in step.notes]


def title(step: Step) -> str:
    """The prompt, or the action's name where there is none."""
    return step.prompt or say(f"action.{step.action.value}", step.locale)


def what(step: Step, parent: Step | None) -> str:
    """What is done, naming the picture it is done to."""
    if step.action is Action.DRAW:
        return say("status.drawing", step.locale)
    verb = say(f"action.{step.action.value}", step.locale)
    if parent is None:
        return say("status.editing_upload", step.locale, action=verb, count=len(step.inputs))
    return say(
        "status.editing", step.locale, action=verb, version=parent.number, owner=parent.person.name, name=short(parent)
    )


def short(step: Step) -> str:
    """A few words that name a step's picture."""
    text = title(step)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1].rstrip()}…"


def ended(step: Step, locale: str | None = None) -> Post:
    """The result, or how the step ended without one."""
    locale = locale or step.locale
    if step.outputs:
        return _result(step, locale)
    if not step.state.is_final:
        return Post(tone=Tone.STATUS, title=title(step), text=say("status.still_working", locale), job=step.id)
    kinds = {
        StepState.UNKNOWN: (ButtonKind.RETRY, ButtonKind.DROP),
        StepState.FAILED: (ButtonKind.RETRY,),
        StepState.CANCELLED: (),
    }[step.state]
    return Post(
        tone=Tone.NOTE if step.state is StepState.CANCELLED else Tone.REFUSAL,
        title=title(step),
        text=explain(step.error or "status.broken", {"reference": step.id, **step.error_params}, locale, step.charged),
        job=step.id,
        buttons=tuple(_button(kind, step) for kind in kinds),
    )


def _result(step: Step, locale: str) -> Post:
    lines = [caption(step, locale), *_notes(step, locale)]
    if step.partial:
        lines.append(say("result.partial", locale, made=len(step.outputs), asked=step.n, why=say(step.partial, locale)))
    if step.depth >= sessions.WEAR_DEPTH:
        lines.append(say("result.worn", locale, depth=step.depth))
    kinds = [ButtonKind.EDIT, ButtonKind.UNDO, ButtonKind.AGAIN, ButtonKind.MORE, ButtonKind.DELETE]
    if step.depth >= sessions.WEAR_DEPTH:
        kinds.append(ButtonKind.RERUN)
    picks = range(len(step.outputs)) if len(step.outputs) > 1 else ()
    return Post(
        tone=Tone.RESULT,
        title=title(step),
        text="\n".join(lines),
        job=step.id,
        pictures=tuple(shown(step, index, locale) for index in range(len(step.outputs))),
        buttons=(*(_button(kind, step) for kind in kinds), *(_button(ButtonKind.PICK, step, at) for at in picks)),
    )


def caption(step: Step, locale: str) -> str:
    """Action, who asked, model, seed, size, version and cost on one line."""
    first = step.outputs[0]
    cost = say("result.cost", locale, cost=step.cost) if step.cost else say("result.cost_unknown", locale)
    return say(
        "result.caption",
        locale,
        action=say(f"action.{step.action.value}", locale),
        person=step.person.name,
        model=step.model,
        seed=step.seed,
        size=f"{first.width}×{first.height}",
        version=step.number,
        cost=cost,
    )


def shown(step: Step, index: int, locale: str) -> Shown:
    """One of a step's pictures, with a file name of our making and alternative text from the prompt."""
    picture = step.outputs[index]
    extension = picture.media_type.rsplit("/", 1)[-1].replace("jpeg", "jpg")
    return Shown(
        picture=picture,
        name=f"v{step.number}-{step.id}-{index + 1}.{extension}",
        alt=say("result.alt", locale, prompt=title(step), version=step.number),
    )


def moved(step: Step, picture: Picture, index: int, locale: str) -> Post:
    """The head is elsewhere now; here is its picture."""
    assert picture is step.outputs[index]  # noqa: S101  # the caller took it from there
    text = say("session.moved", locale, version=step.number, name=short(step), picture=index + 1)
    return Post(tone=Tone.NOTE, text=text, job=step.id, pictures=(shown(step, index, locale),))


def history(steps: Sequence[Step], tree: bytes, locale: str) -> Post:
    """The picture of the tree and a line for each version."""
    lines = [say("history.line", locale, version=step.number, name=short(step), id=step.id) for step in steps]
    alt = say("history.alt", locale, count=len(steps))
    drawn = Shown(drawn=tree, name="history.png", alt=alt)
    return Post(tone=Tone.NOTE, title=say("history.title", locale), text="\n".join(lines), pictures=(drawn,))


def node(step: Step, *, foreign: bool, locale: str) -> tuple[str, str]:
    """Label and caption of a step in the tree."""
    if foreign:
        return say("history.foreign", locale, owner=step.person.name, version=step.number), short(step)
    return f"v{step.number}", short(step)


def compare_labels(step: Step, parent: Step | None, locale: str) -> tuple[str, str]:
    """What to write over the two halves."""
    before = f"v{parent.number}" if parent else say("compare.upload", locale)
    return before, f"v{step.number}"


def compare(step: Step, side: bytes, flicker: bytes, locale: str) -> Post:
    """Before and after, side by side and as a two-frame animation."""
    text = say("compare.text", locale, version=step.number, name=short(step))
    alt = say("compare.alt", locale, name=short(step))
    pictures = (
        Shown(drawn=side, name=f"compare-{step.id}.png", alt=alt),
        Shown(drawn=flicker, name=f"compare-{step.id}.webp", alt=alt),
    )
    return Post(tone=Tone.NOTE, title=say("compare.title", locale), text=text, pictures=pictures)


def info(step: Step, locale: str) -> Post:
    """Everything that made a step's picture."""
    facts = {
        **sessions.recipe(step, 0),
        "task": step.task_id or "",
        "request": step.request_id or "",
        "negative": step.options.negative or "",
    }
    lines = [say("info.line", locale, name=name, value=value) for name, value in facts.items() if value]
    return Post(tone=Tone.NOTE, title=title(step), text="\n".join(lines), job=step.id, private=True)


def usage(spending: Sequence[Spending], caps: Caps, now: datetime, locale: str) -> Post:
    """What this month cost, by day and person."""
    title_line = say("usage.title", locale, month=f"{now:%Y-%m}")
    if not spending:
        return Post(tone=Tone.NOTE, title=title_line, text=say("usage.none", locale), private=True)
    lines = [
        say("usage.line", locale, day=one.day, person=one.person, count=one.steps, cost=one.total) for one in spending
    ]
    totals: dict[str, Money] = {}
    for one in spending:
        known = totals.get(one.total.currency)
        amount = one.total.amount + (known.amount if known else 0)
        totals[one.total.currency] = Money(amount=amount, currency=one.total.currency)
    lines += [say("usage.total", locale, cost=total) for total in totals.values()]
    return Post(tone=Tone.NOTE, title=title_line, text="\n".join([*lines, _caps(caps, locale)]), private=True)


def budget(caps: Caps, locale: str) -> Post:
    """The budgets as they stand."""
    return Post(tone=Tone.NOTE, title=say("budget.title", locale), text=_caps(caps, locale), private=True)


def _caps(caps: Caps, locale: str) -> str:
    known = {name: getattr(caps, name) for name in Caps.__dataclass_fields__}
    limits = {name: Money(amount=limit, currency=CURRENCY) for name, limit in known.items() if limit is not None}
    lines = [say(f"budget.cap.{name}", locale, limit=limit) for name, limit in limits.items()]
    return "\n".join(lines) or say("budget.no_caps", locale)


def help_text(locale: str) -> Post:
    """What one can do here."""
    return Post(tone=Tone.NOTE, title=say("help.title", locale), text=say("help.text", locale), private=True)


def _button(kind: ButtonKind, step: Step, index: int = 0) -> Button:
    label = str(index + 1) if kind is ButtonKind.PICK else say(f"button.{kind.value}", step.locale)
    return Button(kind=kind, step=step.id, label=label, index=index)
