"""The words, pictures and buttons that posts about a step have in common."""

from core.i18n import clip, translate
from core.operations import Action, ButtonKind
from core.post import Button, PostImage
from core.types import Step

SHORT = 40
"""Characters of a prompt where it only names a picture."""


def title(step: Step) -> str:
    """The prompt, or the action's name where there is none; that it was removed."""
    if step.deleted:
        return translate("result.removed", step.locale)
    return step.prompt or action_name(step, step.locale)


def short_title(step: Step) -> str:
    """A few words that name a step's picture."""
    return clip(title(step), SHORT)


def action_name(step: Step, locale: str) -> str:
    """What was asked for: Draw, Upscale …"""
    return translate(f"action.{step.action.value}", locale)


def describe_work(step: Step, parent: Step | None) -> str:
    """What is being done, naming the picture it is done to."""
    if step.action is Action.DRAW:
        return translate("status.drawing", step.locale)
    verb = action_name(step, step.locale)
    if parent is None:
        count = len(step.inputs)
        return translate(
            "status.editing_uploads",
            step.locale,
            action=verb,
            count=count,
        )
    return translate(
        "status.editing",
        step.locale,
        action=verb,
        version=parent.number,
        owner=parent.person.name,
        name=short_title(parent),
    )


def caption(step: Step, locale: str) -> str:
    """What was done, who asked, model, seed, size, version and cost on one line."""
    return translate(
        "result.caption",
        locale,
        action=translate(f"result.done.{step.action.value}", locale),
        person=step.person.name,
        model=step.model,
        seed=step.seed,
        size=dimensions(step),
        version=step.number,
        cost=cost(step, locale),
    )


def dimensions(step: Step) -> str:
    """Width and height of the pictures that came."""
    first = step.outputs[0]
    return f"{first.width}×{first.height}"


def cost(step: Step, locale: str) -> str:
    """What a step cost, or that its price is unknown."""
    if step.cost is None:
        return translate("result.cost_unknown", locale)
    return translate("result.cost", locale, cost=step.cost)


def notes(step: Step, locale: str) -> list[str]:
    """What was done to the pictures before they were used."""
    return [translate(note, locale) for note in step.notes]


def post_image(step: Step, index: int, locale: str) -> PostImage:
    """One of a step's pictures, with a file name and alternative text from the prompt."""
    picture = step.outputs[index]
    _, _, subtype = picture.media_type.rpartition("/")
    extension = subtype.replace("jpeg", "jpg")
    # Platforms show the name, and a prompt makes no safe file name.
    name = f"v{step.number}-{step.id}-{index + 1}.{extension}"
    alt = translate(
        "result.alt",
        locale,
        prompt=title(step),
        version=step.number,
    )
    return PostImage(
        picture=picture,
        name=name,
        alt=alt,
        hidden=step.is_hidden,
    )


def post_images(step: Step, locale: str) -> tuple[PostImage, ...]:
    """All of a step's pictures."""
    indexes = range(len(step.outputs))
    return tuple(post_image(step, index, locale) for index in indexes)


def step_button(
    kind: ButtonKind,
    step: Step,
    locale: str,
    index: int = 0,
) -> Button:
    """A button that does something to a step, or to one of its pictures."""
    label = translate(f"button.{kind.value}", locale)
    return Button(kind=kind, step=step.id, label=label, index=index)


def pick_buttons(step: Step) -> tuple[Button, ...]:
    """A number for each picture, where there are several to choose from."""
    # A single picture is chosen already.
    if len(step.outputs) < 2:
        return ()
    return tuple(
        Button(
            kind=ButtonKind.PICK,
            step=step.id,
            label=str(index + 1),
            index=index,
            spoken=translate(
                "result.pick_number",
                step.locale,
                number=index + 1,
            ),
        )
        for index in range(len(step.outputs))
    )


def link_button(
    url: str,
    key: str,
    locale: str,
    step: str = "",
) -> tuple[Button, ...]:
    """A button that opens a page; none where there is no address to open."""
    if not url:
        return ()
    label = translate(key, locale)
    return (Button(kind=ButtonKind.LINK, step=step, label=label, url=url),)
