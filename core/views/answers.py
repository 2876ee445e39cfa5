"""Posts that answer a question: history, compare, info, newest pictures, help."""

from collections.abc import Mapping, Sequence

from core.i18n import translate
from core.languages import sentences
from core.operations import ButtonKind
from core.post import Button, Post, PostImage, Tone
from core.types import Step
from core.views.captions import (
    action_name,
    caption,
    cost,
    dimensions,
    link_button,
    post_image,
    short_title,
    title,
)
from core.views.help import help_lines

MENU = 25
"""Most entries of a menu: Discord's limit."""


def newest_note(shown: int, count: int, locale: str) -> str:
    """Say that the tree does not show all; nothing when it does."""
    if shown == count:
        return ""
    return translate("history.newest", locale, shown=shown, count=count)


def history_post(
    steps: Sequence[Step],
    tree: bytes,
    shown: int,
    note: str,
    url: str,
    locale: str,
) -> Post:
    """The picture of the tree, a line for each version, a menu to jump, and a link to its page.

    ``shown`` pictures stand in the tree; the note says so when there are more.
    """
    lines = [
        translate(
            "history.line",
            locale,
            label=_plain_label(step, locale),
            name=short_title(step),
        )
        for step in steps
    ]
    present = [step for step in steps if not step.deleted]
    alt = _with_note(translate("history.alt", locale, count=shown), note)
    image = PostImage(
        drawn=tree,
        name="history.png",
        alt=alt,
        hidden=any(step.is_hidden for step in steps),
    )
    return Post(
        tone=Tone.NOTE,
        title=_with_note(translate("history.title", locale), note),
        text="\n".join(lines),
        pictures=(image,),
        locale=locale,
        buttons=link_button(url, "history.open", locale),
        private=any(step.options.private for step in steps),
        menu=tuple(_menu_entry(step) for step in present[-MENU:]),
        drawn_from=tuple(step.id for step in steps),
    )


def _with_note(text: str, note: str) -> str:
    return f"{text} · {note}" if note else text


def _menu_entry(step: Step) -> Button:
    label = f"v{step.number} · {short_title(step)}"
    return Button(kind=ButtonKind.PICK, step=step.id, label=label)


def node_labels(step: Step, *, foreign: bool, locale: str) -> tuple[str, str]:
    """Label and caption of a step in the tree; another person's step bears their name."""
    label = _plain_label(step, locale)
    if foreign and step.person.name:
        label = translate(
            "history.foreign",
            locale,
            owner=step.person.name,
            version=step.number,
        )
    return label, short_title(step)


def _plain_label(step: Step, locale: str) -> str:
    """The version; that of a forgotten person has no name."""
    if not step.person.id:
        return translate("history.forgotten", locale)
    return _version_label(step, locale)


def _version_label(step: Step, locale: str) -> str:
    """The version; private steps have a separate count and say so."""
    if step.options.private:
        return translate("history.private", locale, version=step.number)
    return f"v{step.number}"


def compare_labels(
    step: Step,
    parent: Step | None,
    locale: str,
) -> tuple[str, str]:
    """Labels of the two halves."""
    before = translate("compare.upload", locale)
    if parent:
        before = f"v{parent.number}"
    return before, f"v{step.number}"


def compare_post(
    step: Step,
    side: bytes,
    flicker: bytes,
    url: str,
    locale: str,
) -> Post:
    """Before and after, side by side, as a two-frame animation, and a link to the slider."""
    name = short_title(step)
    alt = translate("compare.alt", locale, name=name)
    pictures = tuple(
        PostImage(
            drawn=drawn,
            name=f"compare-{step.id}.{extension}",
            alt=alt,
            hidden=step.is_hidden,
        )
        for drawn, extension in ((side, "png"), (flicker, "webp"))
    )
    return Post(
        tone=Tone.NOTE,
        title=translate("compare.title", locale),
        text=translate("compare.text", locale, version=step.number, name=name),
        job=step.id,
        private=step.options.private,
        pictures=pictures,
        locale=locale,
        buttons=link_button(url, "compare.open", locale),
        drawn_from=(step.id, step.parent) if step.parent else (step.id,),
    )


def removed_post(locale: str) -> Post:
    """What stands in place of a history or comparison that showed a deleted picture."""
    return Post(tone=Tone.NOTE, text=translate("status.drawing_gone", locale))


def info_post(step: Step, locale: str) -> Post:
    """Everything that made a step's picture, and the ids that support asks for."""
    facts: dict[str, object] = {
        "action": action_name(step, locale),
        "prompt": step.prompt,
        "negative": step.options.negative,
        "person": step.person.name,
        "created": step.created,
        "model": step.model,
        # Too long to be read as a number: it is copied into --seed.
        "seed": str(step.seed),
        "size": dimensions(step) if step.outputs else "",
        "cost": cost(step, locale),
        "step": step.id,
        "parent": step.parent,
        "task": step.task_id,
        "request": step.request_id,
    }
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text="\n".join(_fact_lines(facts, locale)),
        job=step.id,
        private=True,
        secret=step.options.private,
    )


def recipe_post(facts: Mapping[str, str], locale: str) -> Post:
    """What a file says about itself. Anybody can write that, so it is quoted as such."""
    lines = _fact_lines(facts, locale)
    if lines:
        lines.insert(0, translate("info.from_file", locale))
    else:
        lines = [translate("info.no_recipe", locale)]
    return Post(tone=Tone.NOTE, text="\n".join(lines), private=True)


def _fact_lines(facts: Mapping[str, object], locale: str) -> list[str]:
    """A line for each fact there is; a name without a label stands as it is."""
    lines = []
    for name, fact in facts.items():
        if not fact:
            continue
        key = f"info.label.{name}"
        label = name
        if key in sentences("en"):
            label = translate(key, locale)
        lines.append(translate("info.line", locale, name=label, value=fact))
    return lines


def recent_post(step: Step, link: str, locale: str) -> Post:
    """One of a person's newest pictures, and the way to its message."""
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text=caption(step, locale),
        pictures=(post_image(step, step.chosen or 0, locale),),
        locale=locale,
        buttons=link_button(link, "home.open", locale, step.id),
    )


def help_post(locale: str) -> Post:
    """Say what can be done here."""
    return Post(
        tone=Tone.NOTE,
        title=translate("help.title", locale),
        text=help_lines(locale),
        private=True,
    )
