"""Posts about what is kept of a person."""

from core.i18n import translate
from core.operations import ButtonKind
from core.post import Button, Post, Tone
from core.views.captions import link_button


def export_post(url: str, person: str, locale: str) -> Post:
    """The link to an export, for its person alone; without one, who else can make it."""
    key = "people.export" if url else "people.export_by_operator"
    return Post(
        tone=Tone.NOTE,
        title=translate("action.export", locale),
        text=translate(key, locale, person=person),
        buttons=link_button(url, "people.download", locale),
        private=True,
        secret=True,
    )


def forget_question(draft: str, locale: str) -> Post:
    """What goes and what stays when a person is forgotten, and the button that does it."""
    label = translate(f"button.{ButtonKind.FORGET.value}", locale)
    button = Button(kind=ButtonKind.FORGET, step=draft, label=label)
    return Post(
        tone=Tone.NOTE,
        title=translate("action.forget_me", locale),
        text=translate("people.forget_question", locale),
        job=draft,
        buttons=(button,),
        private=True,
    )
