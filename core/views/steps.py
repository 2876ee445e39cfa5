"""What we say: a step, an error or an answer as a Post in its reader's language.

Renderers escape, not we.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import sessions
from core.errors import EaselError
from core.i18n import clip, join_list, translate
from core.operations import more_menu
from core.post import Button, ButtonKind, Post, PostImage, Tally, Tone
from core.types import Action, Picture, Request, Step, StepState

SHORT = 40
"""Characters of a prompt where it only names a picture."""
REGIONS = ("left", "right", "top", "bottom", "center")
"""The quick regions of a mask, in the order of their buttons' index."""
MOST_WORDS = 1500
"""Characters of a describing model's answer that are shown: no platform cuts so many."""
LONG_FACTOR = 3
"""How many times its usual time a job may take before we say that it takes long."""


def json_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a message as JSON values."""

    def one(value: Any) -> Any:
        if isinstance(value, str | int | float | bool):
            return value
        return (
            [str(each) for each in value]
            if isinstance(value, list | tuple)
            else str(value)
        )

    return {name: one(value) for name, value in params.items()}


def acknowledgement_post(request: Request, step: str) -> Post:
    """The private word that it has been stored durably."""
    return Post(
        tone=Tone.NOTE,
        text=translate("status.accepted", request.locale),
        job=step,
        private=True,
    )


def refusal_post(error: EaselError, locale: str, job: str = "") -> Post:
    """No, and why, and that nothing was charged: for its person only."""
    text = explain(error.key, error.params, locale, "no")
    return Post(tone=Tone.REFUSAL, text=text, job=job, private=True, reason=error.key)


def explain(key: str, params: Mapping[str, Any], locale: str, charged: str) -> str:
    """What happened and what it cost, in one or two sentences."""
    return join_list(
        locale,
        translate(key, locale, **params),
        translate(f"status.charged.{charged}", locale),
    )


def note_post(key: str, locale: str, **params: object) -> Post:
    """A short private answer."""
    return Post(tone=Tone.NOTE, text=translate(key, locale, **params), private=True)


def queued_post(step: Step, parent: Step | None, position: int, seconds: float) -> Post:
    """Not yet at work: its place in line and an honest estimate."""
    line = translate(
        "status.in_line", step.locale, position=position, seconds=round_seconds(seconds)
    )
    return _working(step, parent, line, 0.0)


def running_post(
    step: Step, parent: Step | None, elapsed: float, typical: float
) -> Post:
    """At work: how long still, or that it takes longer than usual."""
    if elapsed > LONG_FACTOR * typical:
        line = translate("status.slow", step.locale, seconds=round_seconds(elapsed))
    else:
        line = translate(
            "status.running",
            step.locale,
            seconds=round_seconds(max(typical - elapsed, 1)),
        )
    return _working(
        step, parent, line, min(elapsed / typical, 0.95) if typical else 0.0
    )


def round_seconds(seconds: float) -> int:
    """Seconds as a person says them: to five above ten, to ten above a minute."""
    grain = 10 if seconds > 60 else 5 if seconds > 10 else 1
    return max(1, round(seconds / grain) * grain)


def _working(step: Step, parent: Step | None, line: str, progress: float) -> Post:
    return Post(
        tone=Tone.STATUS,
        title=title(step),
        text="\n".join(
            [
                f"{describe_work(step, parent)} · {step.model}",
                *_notes(step, step.locale),
                line,
            ]
        ),
        job=step.id,
        progress=progress,
        buttons=(_button(ButtonKind.CANCEL, step),),
        private=step.options.private,
    )


def _notes(step: Step, locale: str) -> list[str]:
    return [translate(note, locale) for note in step.notes]


def title(step: Step) -> str:
    """The prompt, or the action's name where there is none."""
    return step.prompt or translate(f"action.{step.action.value}", step.locale)


def describe_work(step: Step, parent: Step | None) -> str:
    """What is done, naming the picture it is done to."""
    if step.action is Action.DRAW:
        return translate("status.drawing", step.locale)
    verb = translate(f"action.{step.action.value}", step.locale)
    if parent is None:
        return translate(
            "status.editing_uploads", step.locale, action=verb, count=len(step.inputs)
        )
    return translate(
        "status.editing",
        step.locale,
        action=verb,
        version=parent.number,
        owner=parent.person.name,
        name=short_title(parent),
    )


def short_title(step: Step) -> str:
    """A few words that name a step's picture."""
    return clip(title(step), SHORT)


def outcome_post(
    step: Step, locale: str | None = None, tally: Tally | None = None
) -> Post:
    """The result with what people think of it, or how the step ended without one."""
    locale = locale or step.locale
    if step.deleted:
        text = translate("status.deleted", locale, version=step.number)
        return Post(
            tone=Tone.NOTE, text=text, job=step.id, private=step.options.private
        )
    if step.outputs:
        return _result(step, locale, tally)
    if step.text:
        return _described(step, step.text, locale)
    if not step.state.is_final:
        text = translate("status.still_working", locale)
        return Post(
            tone=Tone.STATUS,
            title=title(step),
            text=text,
            job=step.id,
            private=step.options.private,
        )
    kinds = {
        StepState.UNKNOWN: (ButtonKind.RETRY, ButtonKind.DROP),
        StepState.FAILED: (ButtonKind.RETRY,),
        StepState.CANCELLED: (),
    }[step.state]
    return Post(
        tone=Tone.NOTE if step.state is StepState.CANCELLED else Tone.REFUSAL,
        title=title(step),
        text=explain(
            step.error or "status.broken",
            {"reference": step.id, **step.error_params},
            locale,
            step.charged,
        ),
        job=step.id,
        buttons=tuple(_button(kind, step, locale=locale) for kind in kinds),
        private=step.options.private,
        secret=step.options.private,
    )


def _result(step: Step, locale: str, tally: Tally | None) -> Post:
    lines = [
        caption(step, locale),
        *_notes(step, locale),
        *_opinions(step, locale, tally),
    ]
    if step.partial:
        lines.append(
            translate(
                "result.partial",
                locale,
                made=len(step.outputs),
                asked=step.n,
                why=translate(step.partial, locale),
            )
        )
    if step.depth >= sessions.WEAR_DEPTH:
        lines.append(translate("result.worn", locale, depth=step.depth))
    kinds = [
        ButtonKind.EDIT,
        ButtonKind.UNDO,
        ButtonKind.AGAIN,
        ButtonKind.MORE,
        ButtonKind.DELETE,
    ]
    if step.depth >= sessions.WEAR_DEPTH:
        kinds.append(ButtonKind.RERUN)
    picks = range(len(step.outputs)) if len(step.outputs) > 1 else ()
    return Post(
        tone=Tone.RESULT,
        title=title(step),
        text="\n".join(lines),
        job=step.id,
        pictures=tuple(
            post_image(step, index, locale) for index in range(len(step.outputs))
        ),
        buttons=(
            *(_button(kind, step, locale=locale) for kind in kinds),
            *(_button(ButtonKind.PICK, step, at) for at in picks),
        ),
        private=step.options.private,
        locale=locale,
    )


def _described(step: Step, text: str, locale: str) -> Post:
    """The words of a model that answers with words: there is no picture to go on from."""
    kinds = (ButtonKind.AGAIN, ButtonKind.DELETE)
    facts = (step.person.name, step.model, f"v{step.number}", _cost(step, locale))
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text=f"{clip(text, MOST_WORDS)}\n{' · '.join(facts)}",
        job=step.id,
        buttons=tuple(_button(kind, step, locale=locale) for kind in kinds),
        private=step.options.private,
        secret=step.options.private,
        locale=locale,
    )


def _opinions(step: Step, locale: str, tally: Tally | None) -> list[str]:
    lines: list[str] = []
    if tally and tally.votes:
        votes = " · ".join(
            f"{index + 1} × {count}" for index, count in tally.votes.items()
        )
        lines.append(translate("result.votes", locale, votes=votes))
    if step.chosen is not None:
        lines.append(translate("result.chosen", locale, picture=step.chosen + 1))
    if tally and tally.favourites:
        lines.append(translate("result.favourites", locale, count=tally.favourites))
    return lines


def more_post(step: Step, index: int, locale: str) -> Post:
    """Everything else one can do with a picture, for whoever asked."""
    kinds = [kind for kind in more_menu() if kind is not ButtonKind.RERUN or step.depth]
    kinds = [kind for kind in kinds if kind is not ButtonKind.COMPARE or step.inputs]
    text = translate("more.text", locale, version=step.number, name=short_title(step))
    buttons = tuple(
        Button(kind=kind, step=step.id, label=_label(kind, locale), index=index)
        for kind in kinds
    )
    return Post(
        tone=Tone.NOTE,
        text=text,
        buttons=buttons,
        private=True,
        secret=step.options.private,
    )


def mask_offer_post(draft: str, url: str, locale: str, job: str = "") -> Post:
    """Which part should change? The painter where it can be reached, and quick regions."""
    regions = tuple(
        Button(
            kind=ButtonKind.REGION,
            step=draft,
            label=translate(f"region.{name}", locale),
            index=at,
        )
        for at, name in enumerate(REGIONS)
    )
    painter = (
        (
            Button(
                kind=ButtonKind.LINK,
                step=draft,
                label=translate("mask.paint", locale),
                url=url,
            ),
        )
        if url
        else ()
    )
    text = translate("mask.offer" if url else "refuse.no_mask", locale)
    return Post(
        tone=Tone.NOTE,
        text=text,
        job=job,
        buttons=painter + regions,
        private=True,
        reason="refuse.no_mask",
    )


def gallery_post(step: Step, tally: Tally, link: str, locale: str) -> Post:
    """A favourite's copy: its picture, whose it is, and the way back."""
    index = step.chosen or 0
    text = translate(
        "gallery.text",
        locale,
        person=step.person.name,
        count=tally.favourites,
        version=step.number,
    )
    back = (
        (
            Button(
                kind=ButtonKind.LINK,
                step=step.id,
                label=translate("gallery.back", locale),
                url=link,
            ),
        )
        if link
        else ()
    )
    pictures = (post_image(step, index, locale),)
    return Post(
        tone=Tone.RESULT,
        title=title(step),
        text=text,
        job=f"{step.id}g",
        pictures=pictures,
        buttons=back,
        locale=locale,
    )


def copy_post(step: Step, request: str, locale: str) -> Post:
    """A result sent to somebody in private, as often as they ask."""
    return replace(outcome_post(step, locale), job=f"{request}c", private=False)


def caption(step: Step, locale: str) -> str:
    """Action, who asked, model, seed, size, version and cost on one line."""
    first = step.outputs[0]
    return translate(
        "result.caption",
        locale,
        action=translate(f"action.{step.action.value}", locale),
        person=step.person.name,
        model=step.model,
        seed=step.seed,
        size=f"{first.width}×{first.height}",
        version=step.number,
        cost=_cost(step, locale),
    )


def _cost(step: Step, locale: str) -> str:
    if step.cost is None:
        return translate("result.cost_unknown", locale)
    return translate("result.cost", locale, cost=step.cost)


def post_image(step: Step, index: int, locale: str) -> PostImage:
    """One of a step's pictures, with a file name of our making and alternative text from the prompt."""
    picture = step.outputs[index]
    extension = picture.media_type.rsplit("/", 1)[-1].replace("jpeg", "jpg")
    return PostImage(
        picture=picture,
        name=f"v{step.number}-{step.id}-{index + 1}.{extension}",
        alt=translate("result.alt", locale, prompt=title(step), version=step.number),
    )


def head_post(step: Step, picture: Picture, index: int, locale: str) -> Post:
    """The head is elsewhere now; here is its picture."""
    assert picture is step.outputs[index]  # noqa: S101  # the caller took it from there
    text = translate(
        "session.moved",
        locale,
        version=step.number,
        name=short_title(step),
        picture=index + 1,
    )
    return Post(
        tone=Tone.NOTE,
        text=text,
        job=step.id,
        pictures=(post_image(step, index, locale),),
        private=step.options.private,
        locale=locale,
    )


def _button(kind: ButtonKind, step: Step, index: int = 0, locale: str = "") -> Button:
    label = (
        str(index + 1)
        if kind is ButtonKind.PICK
        else _label(kind, locale or step.locale)
    )
    return Button(kind=kind, step=step.id, label=label, index=index)


def _label(kind: ButtonKind, locale: str) -> str:
    return translate(f"button.{kind.value}", locale)
