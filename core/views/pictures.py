"""Posts that offer something to do with a picture, or show it in another place."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from core.i18n import clip, translate
from core.operations import BUTTONS, Action, ButtonKind, more_menu
from core.options import REGIONS
from core.post import Button, Post, Tally, Tone
from core.types import Person, Step
from core.views.captions import (
    SHORT,
    link_button,
    pick_buttons,
    post_image,
    short_title,
    step_button,
    title,
)
from core.views.steps import outcome_post


def more_post(
    step: Step, index: int, locale: str, functions: Collection[Action]
) -> Post:
    """Everything else one can do with a picture, for the person who pressed More.

    ``functions``: those that are allowed here.
    """
    kinds = [
        kind
        for kind in more_menu()
        if not BUTTONS[kind].is_wanx or BUTTONS[kind] in functions
    ]
    # What was drawn from words has no original to run again from, and no picture before it.
    if not step.depth:
        kinds.remove(ButtonKind.RERUN)
    if not step.inputs:
        kinds.remove(ButtonKind.COMPARE)
    return Post(
        tone=Tone.NOTE,
        text=translate(
            "more.text",
            locale,
            version=step.number,
            name=short_title(step),
        ),
        buttons=tuple(
            step_button(kind, step, locale, index) for kind in kinds
        ),
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
            index=index,
        )
        for index, name in enumerate(REGIONS)
    )
    key = "mask.offer" if url else "refuse.no_mask"
    return Post(
        tone=Tone.NOTE,
        text=translate(key, locale),
        job=job,
        buttons=link_button(url, "mask.paint", locale, draft) + regions,
        private=True,
        reason="refuse.no_mask",
    )


def choice_post(
    draft: str,
    words: str,
    version: int | None,
    locale: str,
) -> Post:
    """Draw it, or edit the picture of that version? Without a picture there is one way only."""
    label = translate("choice.draw", locale, words=clip(words, SHORT))
    buttons = [Button(kind=ButtonKind.AS_DRAWING, step=draft, label=label)]
    if version is not None:
        label = translate("choice.edit", locale, version=version)
        buttons.append(
            Button(kind=ButtonKind.AS_EDIT, step=draft, label=label)
        )
    key = "choice.offer_draw" if version is None else "choice.offer"
    return Post(
        tone=Tone.NOTE,
        text=translate(key, locale),
        job=draft,
        buttons=tuple(buttons),
        private=True,
    )


def gallery_post(step: Step, tally: Tally, link: str, locale: str) -> Post:
    """A favourite's copy in the gallery: its picture, who made it, and the way back."""
    text = translate(
        "gallery.text",
        locale,
        person=step.person.name,
        count=tally.favourites,
        version=step.number,
    )
    return Post(
        tone=Tone.RESULT,
        title=title(step),
        text=text,
        # A read-back must not take the copy for the result itself.
        job=f"{step.id}g",
        pictures=(post_image(step, step.chosen or 0, locale),),
        buttons=link_button(link, "gallery.back", locale, step.id),
        locale=locale,
    )


def copy_post(step: Step, request: str, locale: str) -> Post:
    """A result sent to a person in private, as often as they ask."""
    return replace(
        outcome_post(step, locale),
        job=f"{request}c",
        private=False,
    )


def head_post(
    step: Step,
    index: int,
    person: Person,
    locale: str,
    *,
    may_redo: bool,
) -> Post:
    """Say from which version a person's next edit starts, and show it with all its buttons."""
    key = "session.moved_picture" if len(step.outputs) > 1 else "session.moved"
    text = translate(
        key,
        locale,
        version=step.number,
        name=short_title(step),
        picture=index + 1,
        person=person.name,
    )
    buttons = [
        step_button(kind, step, locale, index)
        for kind in _head_buttons(step, may_redo=may_redo)
    ]
    return Post(
        tone=Tone.NOTE,
        text=text,
        job=step.id,
        pictures=(post_image(step, index, locale),),
        buttons=(*buttons, *pick_buttons(step)),
        private=step.options.private,
        locale=locale,
    )


def _head_buttons(step: Step, *, may_redo: bool) -> Iterator[ButtonKind]:
    """What leads on from a version one went back to; nothing that would be refused."""
    yield ButtonKind.EDIT
    if step.parent is not None:
        yield ButtonKind.UNDO
    if may_redo:
        yield ButtonKind.REDO
    yield ButtonKind.AGAIN
    yield ButtonKind.MORE
