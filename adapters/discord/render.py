"""Post → message, Form → modals; pure, and within Discord's limits.

Every word is escaped: nothing in it is read as a mention, a link or a format.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.batches import batches
from core.button_ids import encode_button
from core.forms import Choice, Field, FieldKind, Form
from core.i18n import clip, translate
from core.operations import ButtonKind
from core.post import Button, Post

Payload = dict[str, Any]
# Discord's limits, in characters or in number.
CONTENT = 2000
ALT = 1024
ROWS = 5
IN_A_ROW = 5
OPTIONS = 25
BUTTON_TEXT = 80
OPTION_TEXT = 100
ROW_TEXT = 150
TITLE = 45
LABEL = 45
DESCRIPTION = 100
INPUT = 4000
FIELDS = 5
FILLED = "▰"
EMPTY = "▱"
CELLS = 10
SUPPRESS_EMBEDS = 1 << 2
EPHEMERAL = 1 << 6
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
ROW = 1
BUTTON = 2
STRING = 3
TEXT = 4
USERS = 5
CHANNELS = 8
LABELLED = 18
FILES = 19
TICK = 23
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
    post: Post,
    attachments: Sequence[Payload] | None = None,
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
    title = post.title
    text = post.text
    bar = ""
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
    lines = [escape(text), bar]
    if title.strip():
        bold = escape(title.strip())
        lines.insert(0, f"**{bold}**")
    return "\n".join(line for line in lines if line)


def escape(text: str) -> str:
    """Make inert what Discord would read as markup or mentions."""
    escaped = MARKUP.sub(_with_backslash, text)
    # No backslash stops a mention; a space of no width behind the at-sign does.
    return escaped.replace("@", "@\u200b")


def _with_backslash(match: "re.Match[str]") -> str:
    # Before the last character: some patterns begin with white space.
    markup = match[1]
    return f"{markup[:-1]}\\{markup[-1]}"


def _bar(progress: float) -> str:
    done = round(progress * CELLS)
    filled = FILLED * done
    empty = EMPTY * (CELLS - done)
    return f"{filled}{empty} {progress:.0%}"


def _rows(buttons: Sequence[Button]) -> list[Payload]:
    components = [_button(button) for button in buttons]
    return [_row(batch) for batch in batches(components, IN_A_ROW)]


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
    button_rows = math.ceil(len(post.buttons) / IN_A_ROW)
    rows_left = ROWS - button_rows
    if rows_left <= 0:
        return []
    most = rows_left * OPTIONS
    entries = post.menu[-most:]
    return [
        _menu(batch, number)
        for number, batch in enumerate(batches(entries, OPTIONS))
    ]


def _menu(entries: Sequence[Button], number: int) -> Payload:
    options = [_entry(entry) for entry in entries]
    menu = {
        "type": STRING,
        "custom_id": f"menu:{number}",
        "options": options,
        "placeholder": "▾",
    }
    return _row([menu])


def _entry(button: Button) -> Payload:
    button_id = encode_button(button.kind, button.step, button.index)
    return _option(button_id, button.label)


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
        # In the form's own order.
        fields = [field for field in form.fields if field in foremost]
        return [_with(form, fields)]
    return [_with(form, batch) for batch in batches(form.fields, FIELDS)]


def with_typed_options(form: Form, typed: Mapping[str, str]) -> Form:
    """The form with the options that were typed before it.

    What is empty in it then is left out on purpose.
    """
    fields: list[Field] = []
    for field in form.fields:
        value = field.value or typed.get(field.name, "")
        fields.append(replace(field, value=value))
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
    label = translate("discord.change", locale)
    return _row([_opener(interaction, label)])


def chooser(form: Form, interaction: str, text: str) -> Payload:
    """A private message that opens a form: a button, or a menu of its pages."""
    form_pages = pages(form)
    if len(form_pages) == 1:
        control = _opener(interaction, form.title)
    else:
        options = [
            _option(f"p1:{interaction}:{number}", _page_name(page))
            for number, page in enumerate(form_pages)
        ]
        control = {
            "type": STRING,
            "custom_id": "pages",
            "options": options,
            "placeholder": clip(form.title, ROW_TEXT),
        }
    return {
        "content": clip(escape(text), CONTENT),
        "components": [_row([control])],
        "allowed_mentions": NO_MENTIONS,
    }


def _page_name(page: Form) -> str:
    return " · ".join(_short_name(field) for field in page.fields)


def _short_name(field: Field) -> str:
    name, *_ = ASIDE.split(field.label)
    return name.strip()


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
        payload["description"] = clip(field.label, DESCRIPTION)
    return payload


def _element(field: Field) -> Payload:
    return ELEMENTS[field.kind](field)


def _tick(field: Field) -> Payload:
    return {"type": TICK, "default": bool(field.value)}


def _channel_select(field: Field) -> Payload:
    chosen = [_reference(field.value, "channel")] if field.value else []
    select = _select(CHANNELS, 1, chosen)
    return {**select, "channel_types": CHANNEL_KINDS}


def _people_select(field: Field) -> Payload:
    chosen = [_reference(id_, "user") for id_ in field.chosen[:OPTIONS]]
    return _select(USERS, OPTIONS, chosen)


def _file_upload(field: Field) -> Payload:
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
    values = {choice.value for choice in choices}
    # What was typed may be none of those we offer: it stands among them, to be seen and
    # changed.
    if field.value and field.value not in values:
        choices.append(Choice(value=field.value, label=field.value))
    options: list[Payload] = []
    for choice in choices:
        option = _option(choice.value, choice.label)
        option["default"] = choice.value == field.value
        options.append(option)
    return {
        "type": STRING,
        "options": options,
        "required": field.required,
        "min_values": int(field.required),
        "max_values": 1,
    }


def _choices_select(field: Field) -> Payload:
    """A menu of several, none included."""
    chosen = set(field.chosen)
    options: list[Payload] = []
    for choice in field.choices[:OPTIONS]:
        option = _option(choice.value, choice.label)
        option["default"] = choice.value in chosen
        options.append(option)
    return {**_select(STRING, len(options), ()), "options": options}


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


ELEMENTS: Mapping[FieldKind, Callable[[Field], Payload]] = {
    FieldKind.TEXT: _text_input,
    FieldKind.LINE: _text_input,
    FieldKind.FLAG: _tick,
    FieldKind.CHANNEL: _channel_select,
    FieldKind.PEOPLE: _people_select,
    FieldKind.CHOICE: _choice_select,
    FieldKind.CHOICES: _choices_select,
    FieldKind.PICTURES: _file_upload,
    FieldKind.MASK: _file_upload,
}
