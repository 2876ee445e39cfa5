"""Post → message, Form → modals; pure, and within Discord's limits.

Every word is escaped: nothing in it is read as a mention, a link or a format.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.button_ids import encode_button
from core.forms import Choice, Field, FieldKind, Form
from core.i18n import clip, translate
from core.operations import ButtonKind
from core.post import Button, Post

Payload = dict[str, Any]
CONTENT, ALT = 2000, 1024
ROWS, IN_A_ROW, OPTIONS, BUTTON_TEXT, OPTION_TEXT, ROW_TEXT = (
    5,
    5,
    25,
    80,
    100,
    150,
)
TITLE, LABEL, INPUT, FIELDS = 45, 45, 4000, 5
FILLED, EMPTY, CELLS = "▰", "▱", 10
SUPPRESS_EMBEDS, EPHEMERAL = 1 << 2, 1 << 6
NO_MENTIONS: Payload = {"parse": [], "replied_user": False}
MARKUP = re.compile(
    r"([\\*_~`|\[<]|:(?=//|[\w+-]+:)|^[ \t]*[>#+-]|^[ \t]*\d+[.)](?=\s))",
    re.MULTILINE,
)
"""What Discord's Markdown gives a meaning, some of it at the beginning of a line; a backslash takes
it away."""
ASIDE = re.compile(r"[,;:(，；：（]")
"""Where a label begins to explain itself."""
PRIMARY, SECONDARY, DANGER, LINK = 1, 2, 4, 5  # the styles of buttons
# The types of components, by Discord's numbers.
ROW, BUTTON, STRING, TEXT, USERS = 1, 2, 3, 4, 5
CHANNELS, LABELLED, FILES, TICK = 8, 18, 19, 23
CHANNEL_KINDS = [0, 5]  # text and announcements
RANKS = {
    "pictures": 1,
    "mask_picture": 1,
    "n": 3,
    "ar": 3,
    "private": 4,
    "model": 5,
}
"""Which fields of a form stay when it has more than a modal takes: the lower first, a function's
own are 2."""


def message(
    post: Post, attachments: Sequence[Payload] | None = None
) -> Payload:
    """A message; ``attachments`` are all the files it will have, None leaves those it has."""
    rows = [*_rows(post.buttons), *_menus(post)]
    payload: Payload = {
        "content": content(post),
        "components": rows[:ROWS],
        "allowed_mentions": NO_MENTIONS,
    }
    if attachments is not None:
        payload["attachments"] = list(attachments)
    return payload


def content(post: Post) -> str:
    """Bold title and text, escaped, never empty, at most 2,000 characters."""
    title, text, bar = post.title, post.text, ""
    if post.progress is not None:
        bar = _bar(post.progress)
    composed = _compose(title, text, bar)
    # Escaping lengthens by an unknown amount, so cut the longer part until it all fits.
    while len(composed) > CONTENT:
        excess = max(1, (len(composed) - CONTENT) // 2)
        if len(title) > len(text):
            title = clip(title, len(title) - excess)
        else:
            text = clip(text, len(text) - excess)
        composed = _compose(title, text, bar)
    return composed or "…"


def _compose(title: str, text: str, bar: str) -> str:
    bold = ""
    if title.strip():
        bold = f"**{escape(title.strip())}**"
    return "\n".join(filter(None, (bold, escape(text), bar)))


def escape(text: str) -> str:
    """Make inert what Discord would read as markup or mentions."""
    # The backslash goes before the last character: some patterns begin with white space.
    escaped = MARKUP.sub(
        lambda match: f"{match[1][:-1]}\\{match[1][-1]}", text
    )
    # No backslash stops a mention; a space of no width behind the at-sign does.
    return escaped.replace("@", "@\u200b")


def _bar(progress: float) -> str:
    done = round(progress * CELLS)
    return f"{FILLED * done}{EMPTY * (CELLS - done)} {progress:.0%}"


def _rows(buttons: Sequence[Button]) -> list[Payload]:
    components = [_button(button) for button in buttons]
    starts = range(0, len(components), IN_A_ROW)
    return [_row(components[start : start + IN_A_ROW]) for start in starts]


def _row(components: Sequence[Payload]) -> Payload:
    return {"type": ROW, "components": list(components)}


def _button(button: Button) -> Payload:
    label = clip(button.label, BUTTON_TEXT) or "…"
    if button.kind is ButtonKind.LINK:
        return {
            "type": BUTTON,
            "style": LINK,
            "label": label,
            "url": button.url,
        }
    style = DANGER if button.kind is ButtonKind.DELETE else SECONDARY
    return {
        "type": BUTTON,
        "style": style,
        "label": label,
        "custom_id": encode_button(button.kind, button.step, button.index),
    }


def _menus(post: Post) -> list[Payload]:
    """The newest entries: as many menus of 25 as there are rows left."""
    rows_left = ROWS - math.ceil(len(post.buttons) / IN_A_ROW)
    if rows_left <= 0:
        return []
    entries = post.menu[-rows_left * OPTIONS :]
    starts = range(0, len(entries), OPTIONS)
    return [_menu(entries[start : start + OPTIONS], start) for start in starts]


def _menu(entries: Sequence[Button], start: int) -> Payload:
    options = [
        _option(
            encode_button(entry.kind, entry.step, entry.index), entry.label
        )
        for entry in entries
    ]
    menu = {
        "type": STRING,
        "custom_id": f"menu:{start}",
        "options": options,
        "placeholder": "▾",
    }
    return _row([menu])


def _option(value: str, label: str) -> Payload:
    return {
        "label": clip(label, OPTION_TEXT) or "…",
        "value": value[:OPTION_TEXT],
    }


# Forms


def pages(form: Form) -> list[Form]:
    """A form as modals of five fields.

    Settings on several, a picture's in one, without what matters least.
    """
    if len(form.fields) <= FIELDS:
        return [form]
    if any(_rank(field) == 0 for field in form.fields):
        foremost = sorted(form.fields, key=_rank)[:FIELDS]
        return [
            _with(form, [field for field in form.fields if field in foremost])
        ]
    starts = range(0, len(form.fields), FIELDS)
    return [
        _with(form, form.fields[start : start + FIELDS]) for start in starts
    ]


def with_typed_options(form: Form, typed: Mapping[str, str]) -> Form:
    """The form with the options that were typed before it.

    What is empty in it then is left out on purpose.
    """
    fields = [
        field
        if field.value
        else replace(field, value=typed.get(field.name, ""))
        for field in form.fields
    ]
    return _with(form, fields)


def _with(form: Form, fields: Sequence[Field]) -> Form:
    return replace(form, fields=tuple(fields))


def _rank(field: Field) -> int:
    if field.required or field.name == "prompt":
        return 0
    return RANKS.get(field.name, 2)


def modal(form: Form, interaction: str) -> Payload:
    """A page as a modal; ``interaction`` is the one that asked for it."""
    return {
        "title": clip(form.title, TITLE) or "…",
        "custom_id": f"m1:{interaction}",
        "components": [_label_component(field) for field in form.fields],
    }


def change_row(interaction: str, locale: str) -> Payload:
    """The button that brings back what was written, to be changed."""
    return _row([_opener(interaction, translate("discord.change", locale))])


def chooser(form: Form, interaction: str, text: str) -> Payload:
    """A private message that opens a form: a button, or a menu of its pages."""
    form_pages = pages(form)
    if len(form_pages) == 1:
        control = _opener(interaction, form.title)
    else:
        control = {
            "type": STRING,
            "custom_id": "pages",
            "options": [
                _option(f"p1:{interaction}:{number}", _page_name(page))
                for number, page in enumerate(form_pages)
            ],
            "placeholder": clip(form.title, ROW_TEXT),
        }
    return {
        "content": clip(escape(text), CONTENT),
        "components": [_row([control])],
        "allowed_mentions": NO_MENTIONS,
    }


def _page_name(page: Form) -> str:
    names = [ASIDE.split(field.label)[0].strip() for field in page.fields]
    return " · ".join(names)


def _opener(interaction: str, label: str) -> Payload:
    return {
        "type": BUTTON,
        "style": PRIMARY,
        "label": clip(label, BUTTON_TEXT),
        "custom_id": f"p1:{interaction}:0",
    }


def _label_component(field: Field) -> Payload:
    label = clip(field.label, LABEL)
    payload: Payload = {
        "type": LABELLED,
        "label": label,
        "component": {"custom_id": field.name, **_element(field)},
    }
    # What does not fit stands whole below.
    if label != field.label:
        payload["description"] = clip(field.label, 100)
    return payload


def _element(field: Field) -> Payload:
    if field.kind in {FieldKind.TEXT, FieldKind.LINE}:
        return _text_input(field)
    if field.kind is FieldKind.FLAG:
        return {"type": TICK, "default": bool(field.value)}
    if field.kind is FieldKind.CHANNEL:
        channels = [field.value] if field.value else []
        select = _select(
            CHANNELS, 1, [_reference(id_, "channel") for id_ in channels]
        )
        return {**select, "channel_types": CHANNEL_KINDS}
    if field.kind is FieldKind.PEOPLE:
        people = field.value.replace(",", " ").split()[:OPTIONS]
        return _select(
            USERS, OPTIONS, [_reference(id_, "user") for id_ in people]
        )
    if field.kind is FieldKind.CHOICE:
        return _choice_select(field)
    return {
        "type": FILES,
        "min_values": int(field.required),
        "max_values": 1 if field.kind is FieldKind.MASK else 3,
        "required": field.required,
    }


def _text_input(field: Field) -> Payload:
    limit = min(field.limit or INPUT, INPUT)
    payload: Payload = {
        "type": TEXT,
        "style": 2 if field.kind is FieldKind.TEXT else 1,
        "max_length": limit,
        "required": field.required,
    }
    if field.value:
        payload["value"] = field.value[:limit]
    return payload


def _choice_select(field: Field) -> Payload:
    choices = list(field.choices[: OPTIONS - 1])
    # What was typed may be none of those we offer: it stands among them, to be seen and
    # changed.
    if field.value and field.value not in {choice.value for choice in choices}:
        choices.append(Choice(value=field.value, label=field.value))
    options = [
        {
            **_option(choice.value, choice.label),
            "default": choice.value == field.value,
        }
        for choice in choices
    ]
    return {
        "type": STRING,
        "options": options,
        "required": field.required,
        "min_values": int(field.required),
        "max_values": 1,
    }


def _reference(id_: str, kind: str) -> Payload:
    return {"id": id_, "type": kind}


def _select(kind: int, most: int, chosen: Sequence[Payload]) -> Payload:
    payload: Payload = {
        "type": kind,
        "min_values": 0,
        "max_values": most,
        "required": False,
    }
    if chosen:
        payload["default_values"] = list(chosen)
    return payload
