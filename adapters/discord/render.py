"""Post → message, Form → modals; pure, and within Discord's limits.

Every word is escaped: nothing in it is read as a mention, a link or a format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.button_ids import encode_button
from core.forms import Choice, Field, FieldKind, Form
from core.i18n import clip, translate
from core.post import Button, ButtonKind, Post

Payload = dict[str, Any]
CONTENT, ALT = 2000, 1024
ROWS, IN_A_ROW, OPTIONS, BUTTON_TEXT, OPTION_TEXT, ROW_TEXT = 5, 5, 25, 80, 100, 150
TITLE, LABEL, INPUT, FIELDS = 45, 45, 4000, 5
FILLED, EMPTY, CELLS = "▰", "▱", 10
SUPPRESS_EMBEDS, EPHEMERAL = 1 << 2, 1 << 6
NO_MENTIONS: Payload = {"parse": [], "replied_user": False}
MARKUP = re.compile(
    r"([\\*_~`|\[<]|:(?=//|[\w+-]+:)|^[ \t]*[>#+-]|^[ \t]*\d+[.)](?=\s))", re.MULTILINE
)
"""What Discord's Markdown gives a meaning, some of it at the beginning of a line; a backslash takes
it away."""
ASIDE = re.compile(r"[,;:(，；：（]")
"""Where a label begins to explain itself."""
PRIMARY, SECONDARY, DANGER, LINK = 1, 2, 4, 5
ROW, BUTTON, STRING, TEXT, USERS, CHANNELS, LABELLED, FILES, TICK = (
    1,
    2,
    3,
    4,
    5,
    8,
    18,
    19,
    23,
)
CHANNEL_KINDS = [0, 5]
RANKS = {"pictures": 1, "mask_picture": 1, "n": 3, "ar": 3, "private": 4, "model": 5}
"""Which fields of a form stay when it has more than a modal takes: the lower first, a function's
own are 2."""


def message(post: Post, attachments: Sequence[Payload] | None = None) -> Payload:
    """A message; ``attachments`` are all the files it will have, None leaves those it has."""
    made: Payload = {
        "content": content(post),
        "components": [*_rows(post.buttons), *_menus(post)][:ROWS],
        "allowed_mentions": NO_MENTIONS,
    }
    return made if attachments is None else {**made, "attachments": list(attachments)}


def content(post: Post) -> str:
    """Bold title and text, escaped, never empty, at most 2,000 characters."""
    bar = _bar(post.progress) if post.progress is not None else ""
    text, title = post.text, post.title
    made = _compose(title, text, bar)
    while len(made) > CONTENT:
        spare = max(1, (len(made) - CONTENT) // 2)
        if len(title) > len(text):
            title = clip(title, len(title) - spare)
        else:
            text = clip(text, len(text) - spare)
        made = _compose(title, text, bar)
    return made or "…"


def _compose(title: str, text: str, bar: str) -> str:
    bold = f"**{escape(title.strip())}**" if title.strip() else ""
    return "\n".join(filter(None, (bold, escape(text), bar)))


def escape(text: str) -> str:
    """What Discord reads as markup or mentions, made inert.

    An at-sign is cut off from the word behind it.
    """
    return MARKUP.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", text).replace(
        "@", "@\u200b"
    )


def _bar(progress: float) -> str:
    done = round(progress * CELLS)
    return f"{FILLED * done}{EMPTY * (CELLS - done)} {progress:.0%}"


def _rows(buttons: Sequence[Button]) -> list[Payload]:
    rows = [buttons[at : at + IN_A_ROW] for at in range(0, len(buttons), IN_A_ROW)]
    return [_row([_button(one) for one in row]) for row in rows]


def _row(components: Sequence[Payload]) -> Payload:
    return {"type": ROW, "components": list(components)}


def _button(button: Button) -> Payload:
    label = clip(button.label, BUTTON_TEXT) or "…"
    if button.kind is ButtonKind.LINK:
        return {"type": BUTTON, "style": LINK, "label": label, "url": button.url}
    style = DANGER if button.kind is ButtonKind.DELETE else SECONDARY
    return {
        "type": BUTTON,
        "style": style,
        "label": label,
        "custom_id": encode_button(button.kind, button.step, button.index),
    }


def _menus(post: Post) -> list[Payload]:
    """The newest entries: as many menus of 25 as there are rows left."""
    room = (ROWS - (len(post.buttons) + IN_A_ROW - 1) // IN_A_ROW) * OPTIONS
    menu = post.menu[-room:] if room > 0 else ()
    return [_menu(menu[at : at + OPTIONS], at) for at in range(0, len(menu), OPTIONS)]


def _menu(menu: Sequence[Button], at: int) -> Payload:
    options = [
        _option(encode_button(one.kind, one.step, one.index), one.label) for one in menu
    ]
    return _row(
        [
            {
                "type": STRING,
                "custom_id": f"menu:{at}",
                "options": options,
                "placeholder": "▾",
            }
        ]
    )


def _option(value: str, label: str) -> Payload:
    return {"label": clip(label, OPTION_TEXT) or "…", "value": value[:OPTION_TEXT]}


# Forms


def pages(form: Form) -> list[Form]:
    """A form as modals of five fields.

    Settings on several, a picture's in one, without what matters least.
    """
    if len(form.fields) <= FIELDS:
        return [form]
    if any(one.required or one.name == "prompt" for one in form.fields):
        kept = sorted(form.fields, key=_rank)[:FIELDS]
        return [_with(form, [one for one in form.fields if one in kept])]
    return [
        _with(form, form.fields[at : at + FIELDS])
        for at in range(0, len(form.fields), FIELDS)
    ]


def with_typed_options(form: Form, given: Mapping[str, str]) -> Form:
    """The form with the options that were typed before it.

    What is empty in it then is left out on purpose.
    """
    return _with(
        form,
        [
            one if one.value else replace(one, value=given.get(one.name, ""))
            for one in form.fields
        ],
    )


def _with(form: Form, fields: Sequence[Field]) -> Form:
    return replace(form, fields=tuple(fields))


def _rank(field: Field) -> int:
    return 0 if field.required or field.name == "prompt" else RANKS.get(field.name, 2)


def modal(form: Form, asked: str) -> Payload:
    """A page as a modal; ``asked`` is the interaction that it was asked for."""
    return {
        "title": clip(form.title, TITLE) or "…",
        "custom_id": f"m1:{asked}",
        "components": [_label_component(one) for one in form.fields],
    }


def change_row(asked: str, locale: str) -> Payload:
    """The button that brings back what was written, to be changed."""
    return _row([_opener(asked, translate("discord.change", locale))])


def chooser(form: Form, asked: str, text: str) -> Payload:
    """A private message that opens a form: a button, or a menu of its pages."""
    found = pages(form)
    if len(found) == 1:
        rows = [_row([_opener(asked, form.title)])]
    else:
        options = [
            _option(
                f"p1:{asked}:{at}",
                " · ".join(
                    ASIDE.split(field.label)[0].strip() for field in page.fields
                ),
            )
            for at, page in enumerate(found)
        ]
        placeholder = clip(form.title, ROW_TEXT)
        rows = [
            _row(
                [
                    {
                        "type": STRING,
                        "custom_id": "pages",
                        "options": options,
                        "placeholder": placeholder,
                    }
                ]
            )
        ]
    return {
        "content": clip(escape(text), CONTENT),
        "components": rows,
        "allowed_mentions": NO_MENTIONS,
    }


def _opener(asked: str, label: str) -> Payload:
    return {
        "type": BUTTON,
        "style": PRIMARY,
        "label": clip(label, BUTTON_TEXT),
        "custom_id": f"p1:{asked}:0",
    }


def _label_component(field: Field) -> Payload:
    label = clip(field.label, LABEL)
    more = {"description": clip(field.label, 100)} if label != field.label else {}
    return {
        "type": LABELLED,
        "label": label,
        **more,
        "component": {"custom_id": field.name, **_element(field)},
    }


def _element(field: Field) -> Payload:
    value, required = field.value, field.required
    if field.kind in {FieldKind.TEXT, FieldKind.LINE}:
        limit = min(field.limit or INPUT, INPUT)
        style = 2 if field.kind is FieldKind.TEXT else 1
        filled = {"value": value[:limit]} if value else {}
        return {
            "type": TEXT,
            "style": style,
            "max_length": limit,
            "required": required,
            **filled,
        }
    if field.kind is FieldKind.FLAG:
        return {"type": TICK, "default": bool(value)}
    if field.kind is FieldKind.CHANNEL:
        chosen = [{"id": value, "type": "channel"}] if value else []
        return _select(CHANNELS, 1, chosen, channel_types=CHANNEL_KINDS)
    if field.kind is FieldKind.PEOPLE:
        people = value.replace(",", " ").split()[:OPTIONS]
        return _select(USERS, OPTIONS, [{"id": one, "type": "user"} for one in people])
    if field.kind is FieldKind.CHOICE:
        known = field.choices[: OPTIONS - 1]
        # What was typed may be none of those we offer: it stands among them, to be seen and
        # changed.
        more = (
            ()
            if not value or value in {one.value for one in known}
            else (Choice(value=value, label=value),)
        )
        options = [
            {**_option(one.value, one.label), "default": one.value == value}
            for one in (*known, *more)
        ]
        return {
            "type": STRING,
            "options": options,
            "required": required,
            "min_values": int(required),
            "max_values": 1,
        }
    most = 1 if field.kind is FieldKind.MASK else 3
    return {
        "type": FILES,
        "min_values": int(required),
        "max_values": most,
        "required": required,
    }


def _select(kind: int, most: int, known: Sequence[Payload], **more: Any) -> Payload:
    chosen = {"default_values": list(known)} if known else {}
    return {
        "type": kind,
        "min_values": 0,
        "max_values": most,
        "required": False,
        **chosen,
        **more,
    }
