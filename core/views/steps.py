"""Posts about a step's progress, its end, and errors, in the reader's language.

Their words are plain: the platform's renderer escapes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core import sessions
from core.errors import EaselError
from core.i18n import clip, join_list, translate
from core.operations import ButtonKind
from core.post import Button, Post, Tally, Tone
from core.types import Request, Step, StepState
from core.views.captions import (
    caption,
    cost,
    describe_work,
    notes,
    pick_buttons,
    post_images,
    step_button,
    title,
)

MOST_WORDS = 1500
"""Characters of a describing model's answer that are shown: no platform cuts so many."""
LONG_FACTOR = 3
"""How many times its usual time a job may take before we say that it takes long."""
MOST_PROGRESS = 0.95
"""How far the bar goes by itself: only the result fills it."""
RESULT_BUTTONS = (
    ButtonKind.EDIT,
    ButtonKind.UNDO,
    ButtonKind.AGAIN,
    ButtonKind.MORE,
    ButtonKind.DELETE,
)


def json_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an error as JSON values, to be kept with its step."""
    return {name: _json(value) for name, value in params.items()}


def _json(value: Any) -> Any:
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return str(value)


def acknowledgement_post(request: Request, step: str) -> Post:
    """The private word that a request has been stored durably."""
    return Post(
        tone=Tone.NOTE,
        text=translate("status.accepted", request.locale),
        job=step,
        private=True,
    )


def refusal_post(
    error: EaselError,
    locale: str,
    job: str = "",
    *,
    could_cost: bool = True,
) -> Post:
    """Refuse, with the reason, to the person who asked and no one else.

    That nothing was charged is said where it could have been.
    """
    text = translate(error.key, locale, **error.params)
    if could_cost:
        text = explain(error.key, error.params, locale, "no")
    return Post(
        tone=Tone.REFUSAL,
        text=text,
        job=job,
        private=True,
        reason=error.key,
    )


def explain(
    key: str,
    params: Mapping[str, Any],
    locale: str,
    charged: str,
) -> str:
    """What happened and what it cost, in two sentences or more."""
    reason = translate(key, locale, **params)
    if "file" in params:
        reason = translate(
            "status.of_file",
            locale,
            file=params["file"],
            reason=reason,
        )
    return join_list(
        locale,
        reason,
        translate(f"status.charged.{charged}", locale),
    )


def note_post(key: str, locale: str, **params: object) -> Post:
    """A short private answer."""
    return Post(
        tone=Tone.NOTE,
        text=translate(key, locale, **params),
        private=True,
    )


def queued_post(
    step: Step,
    parent: Step | None,
    position: int,
    seconds: float,
) -> Post:
    """A step not started yet: its place in line and an honest estimate."""
    key = "status.in_line" if position > 1 else "status.starting"
    line = translate(
        key,
        step.locale,
        position=position,
        seconds=round_seconds(seconds),
    )
    return _status_post(step, parent, line, 0.0)


def paused_post(step: Step, parent: Step | None) -> Post:
    """A step that waits until an administrator resumes the workspace."""
    line = translate("status.is_paused", step.locale)
    return _status_post(step, parent, line, 0.0)


def running_post(
    step: Step,
    parent: Step | None,
    elapsed: float,
    typical: float,
) -> Post:
    """At work: how long it still takes, or that it takes longer than usual."""
    if elapsed > LONG_FACTOR * typical:
        key = "status.slow"
        seconds = elapsed
    else:
        # Never "about 0 s left": an estimate that has run out is still an estimate.
        key = "status.running"
        seconds = max(typical - elapsed, 1)
    line = translate(key, step.locale, seconds=round_seconds(seconds))
    progress = 0.0
    if typical:
        progress = min(elapsed / typical, MOST_PROGRESS)
    return _status_post(step, parent, line, progress)


def round_seconds(seconds: float) -> int:
    """Seconds as a person says them: to five above ten, to ten above a minute."""
    grain = 1
    if seconds > 60:
        grain = 10
    elif seconds > 10:
        grain = 5
    return max(1, round(seconds / grain) * grain)


def waiting_post(step: Step, parent: Step | None, dependency: str) -> Post:
    """A job that waits for something that is away: a platform, the service, our own parts."""
    post = _status_post(step, parent, _outage(step, dependency), 0.0)
    if step.state is StepState.MADE:
        return replace(post, progress=MOST_PROGRESS, buttons=())
    return post


def with_outage(post: Post, step: Step, dependency: str) -> Post:
    """A status post with a last line that says what is away."""
    lines = post.text.split("\n")[:-1]
    return replace(post, text="\n".join([*lines, _outage(step, dependency)]))


def _outage(step: Step, dependency: str) -> str:
    platform = step.place.platform.capitalize()
    return translate(
        f"status.away.{dependency}",
        step.locale,
        platform=platform,
    )


def awaited_file_post(request: Request, job: str, platform: str) -> Post:
    """Nothing is begun yet: the platform does not give the picture that was attached."""
    cancel = Button(
        kind=ButtonKind.CANCEL,
        step=job,
        label=translate("button.cancel", request.locale),
    )
    return Post(
        tone=Tone.STATUS,
        title=request.text,
        text=translate(
            "status.file_awaited",
            request.locale,
            platform=platform,
        ),
        job=job,
        buttons=(cancel,),
    )


def ended_wait_post(error: EaselError, locale: str, job: str) -> Post:
    """Why nothing was begun, in place of the words that it waits."""
    text = explain(error.key, error.params, locale, error.charged)
    return Post(tone=Tone.NOTE, text=text, job=job, reason=error.key)


def _status_post(
    step: Step,
    parent: Step | None,
    line: str,
    progress: float,
) -> Post:
    work = f"{describe_work(step, parent)} · {step.model}"
    return Post(
        tone=Tone.STATUS,
        title=title(step),
        text="\n".join([work, *notes(step, step.locale), line]),
        job=step.id,
        progress=progress,
        buttons=(step_button(ButtonKind.CANCEL, step, step.locale),),
        private=step.options.private,
        awaited=_awaited_sizes(step),
    )


def _awaited_sizes(step: Step) -> tuple[tuple[int, int], ...]:
    """The size of each picture to come: as asked for, else the ratio of the last input."""
    if step.size is not None:
        size = (step.size.width, step.size.height)
    elif step.inputs:
        size = (step.inputs[-1].width, step.inputs[-1].height)
    else:
        return ()
    return (size,) * step.n


def outcome_post(
    step: Step,
    locale: str | None = None,
    tally: Tally | None = None,
) -> Post:
    """The result with what people think of it, or how the step ended without one."""
    locale = locale or step.locale
    if step.deleted:
        text = translate("status.deleted", locale, version=step.number)
        return Post(
            tone=Tone.NOTE,
            text=text,
            job=step.id,
            private=step.options.private,
        )
    if step.outputs:
        return _result_post(step, locale, tally)
    if step.text:
        return _words_post(step, step.text, locale)
    if not step.state.is_final:
        return Post(
            tone=Tone.STATUS,
            title=title(step),
            text=translate("status.still_working", locale),
            job=step.id,
            private=step.options.private,
        )
    return _failure_post(step, locale)


def _failure_post(step: Step, locale: str) -> Post:
    """Why there is no result, whether it was charged, and the next thing to do."""
    tone = Tone.REFUSAL
    kinds: tuple[ButtonKind, ...] = (ButtonKind.RETRY,)
    if step.state is StepState.CANCELLED:
        tone = Tone.NOTE
        kinds = (ButtonKind.SHOW_ANYWAY,) if step.withheld else ()
    elif step.state is StepState.UNKNOWN:
        kinds = (ButtonKind.RETRY, ButtonKind.DROP)
    params = {"reference": step.id, **step.error_params}
    return Post(
        tone=tone,
        title=title(step),
        text=explain(
            step.error or "status.broken",
            params,
            locale,
            step.charged,
        ),
        job=step.id,
        buttons=_buttons(kinds, step, locale),
        private=step.options.private,
        secret=step.options.private,
    )


def elsewhere_post(step: Step, *, is_shown: bool) -> Post:
    """Where the result is, in a message that may not show it."""
    key = "status.in_direct" if is_shown else "status.nowhere"
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text=translate(key, step.locale, id=step.id),
        job=step.id,
    )


def broken_post(step: Step) -> Post:
    """Our own error keeps the end of a step from being shown; the result is safe."""
    key = "status.not_shown" if step.outputs else "status.broken"
    return Post(
        tone=Tone.REFUSAL,
        title=title(step),
        text=translate(key, step.locale, reference=step.id),
        job=step.id,
        private=step.options.private,
    )


def _result_post(step: Step, locale: str, tally: Tally | None) -> Post:
    lines = [caption(step, locale), *notes(step, locale)]
    lines += _opinions(step, locale, tally)
    kinds = [*RESULT_BUTTONS]
    if step.partial:
        lines.append(_missing_pictures(step, step.partial, locale))
    if step.depth >= sessions.WEAR_DEPTH:
        lines.append(translate("result.worn", locale, depth=step.depth))
        kinds.append(ButtonKind.RERUN)
    return Post(
        tone=Tone.RESULT,
        title=title(step),
        text="\n".join(lines),
        job=step.id,
        pictures=post_images(step, locale),
        buttons=_buttons(kinds, step, locale) + pick_buttons(step),
        private=step.options.private,
        locale=locale,
    )


def _missing_pictures(step: Step, reason: str, locale: str) -> str:
    return translate(
        "result.partial",
        locale,
        made=len(step.outputs),
        asked=step.n,
        why=translate(reason, locale),
    )


def _words_post(step: Step, text: str, locale: str) -> Post:
    """The words of a model that answers with words: there is no picture to edit further."""
    facts = (
        step.person.name,
        step.model,
        f"v{step.number}",
        cost(step, locale),
    )
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text=f"{clip(text, MOST_WORDS)}\n{' · '.join(facts)}",
        job=step.id,
        buttons=_buttons((ButtonKind.AGAIN, ButtonKind.DELETE), step, locale),
        private=step.options.private,
        secret=step.options.private,
        locale=locale,
    )


def _opinions(step: Step, locale: str, tally: Tally | None) -> list[str]:
    """Votes, the choice and stars: a line for each that there is."""
    lines: list[str] = []
    if tally and tally.votes:
        votes = " · ".join(
            translate("result.vote", locale, picture=index + 1, count=count)
            for index, count in tally.votes.items()
        )
        lines.append(translate("result.votes", locale, votes=votes))
    if step.chosen is not None:
        lines.append(
            translate("result.chosen", locale, picture=step.chosen + 1)
        )
    if tally and tally.favourites:
        lines.append(
            translate("result.favourites", locale, count=tally.favourites)
        )
    return lines


def _buttons(
    kinds: Sequence[ButtonKind],
    step: Step,
    locale: str,
) -> tuple[Button, ...]:
    return tuple(step_button(kind, step, locale) for kind in kinds)
