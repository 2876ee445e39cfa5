"""Post → blocks and text, Form → modal, home tab; pure, and within Slack's limits.

Words stand in rich text, where nothing is read as a mention, a link or a format; the fallback text
is escaped.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.decode import FIELD, MODAL
from core.button_ids import encode_button
from core.forms import Choice, Field, FieldKind, Form
from core.i18n import clip
from core.post import Button, ButtonKind, Post

Block = dict[str, Any]
TITLE, TEXT, FALLBACK = 2500, 6000, 3900
"""Characters. chat.update takes 4,000 of fallback text; all blocks together about 13,000."""
IN_A_ROW, BUTTON_TEXT, OPTION_TEXT, ALT, MENU = 5, 75, 75, 1000, 100
LABEL, VIEW_TITLE, INPUT = 150, 24, 3000
FILLED, EMPTY, CELLS = "▰", "▱", 10
PICTURE_TYPES = ["png", "jpg", "jpeg", "webp", "gif", "heic", "heif", "bmp", "tiff"]


def message(
    post: Post, pictures: Sequence[tuple[str, str]] = (), sure: str = ""
) -> dict[str, Any]:
    """Blocks and fallback text.

    ``pictures``: file and alternative text of each; ``sure``: asked before deleting.
    """
    shown = [_picture(file, alt) for file, alt in pictures]
    return {
        "text": fallback(post),
        "blocks": [
            *_words(post),
            *shown,
            *_rows(post.buttons, sure),
            *_menu(post.menu),
        ],
    }


def fallback(post: Post) -> str:
    """The words for notifications and screen readers: escaped, never empty, never too long."""
    raw = clip(f"{post.title}\n{post.text}".strip() or "…", FALLBACK)
    while len(escape(raw)) > FALLBACK:
        raw = clip(raw, len(raw) - max(1, (len(escape(raw)) - FALLBACK) // 5))
    return escape(raw)


def escape(text: str) -> str:
    """What Slack reads as markup, made inert."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _words(post: Post) -> list[Block]:
    parts: list[dict[str, Any]] = []
    if post.title:
        parts.append(
            {"type": "text", "text": clip(post.title, TITLE), "style": {"bold": True}}
        )
    text = clip(post.text, TEXT)
    if post.progress is not None:
        text = f"{text}\n{_bar(post.progress)}".strip()
    if text:
        parts.append({"type": "text", "text": f"\n{text}" if parts else text})
    return [_rich(parts)] if parts else []


def _rich(parts: Sequence[dict[str, Any]]) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": list(parts)}],
    }


def _bar(progress: float) -> str:
    done = round(progress * CELLS)
    return f"{FILLED * done}{EMPTY * (CELLS - done)} {progress:.0%}"


def _picture(file: str, alt: str) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": file},
        "alt_text": clip(alt, ALT) or "…",
    }


def _rows(buttons: Sequence[Button], sure: str) -> list[Block]:
    rows = [buttons[at : at + IN_A_ROW] for at in range(0, len(buttons), IN_A_ROW)]
    return [
        {"type": "actions", "elements": [_button(one, sure) for one in row]}
        for row in rows
    ]


def _button(button: Button, sure: str) -> dict[str, Any]:
    text = _plain(button.label, BUTTON_TEXT)
    if button.kind is ButtonKind.LINK:
        return {
            "type": "button",
            "text": text,
            "url": button.url,
            "action_id": f"link:{button.step or 'page'}",
        }
    known = encode_button(button.kind, button.step, button.index)
    made = {"type": "button", "text": text, "action_id": known, "value": known}
    if button.kind is not ButtonKind.DELETE or not sure:
        return made
    confirm = {
        "title": _plain(button.label, 100),
        "text": _plain(sure, 300),
        "confirm": _plain(button.label, 30),
        "deny": _plain("✕", 30),
    }
    return {**made, "style": "danger", "confirm": confirm}


def _menu(menu: Sequence[Button]) -> list[Block]:
    if not menu:
        return []
    options = [
        _option(encode_button(one.kind, one.step, one.index), one.label)
        for one in menu[-MENU:]
    ]
    select = {
        "type": "static_select",
        "action_id": "menu",
        "options": options,
        "placeholder": _plain("▾", 150),
    }
    return [{"type": "actions", "elements": [select]}]


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {
        "type": "plain_text",
        "text": clip(text.strip(), limit) or "…",
        "emoji": True,
    }


def _option(value: str, label: str) -> dict[str, Any]:
    return {"text": _plain(label, OPTION_TEXT), "value": clip(value, 150)}


def modal(form: Form, known: str) -> dict[str, Any]:
    """A form as a modal; ``known`` is what must come back with it."""
    return {
        "type": "modal",
        "callback_id": MODAL,
        "title": _plain(form.title, VIEW_TITLE),
        "submit": _plain(form.submit, VIEW_TITLE),
        "private_metadata": known,
        "blocks": [_input(one) for one in form.fields],
    }


def _input(field: Field) -> Block:
    return {
        "type": "input",
        "block_id": field.name,
        "label": _plain(field.label, LABEL),
        "optional": not field.required,
        "element": {**_element(field), "action_id": FIELD},
    }


def _element(field: Field) -> dict[str, Any]:
    value = field.value
    if field.kind in {FieldKind.TEXT, FieldKind.LINE}:
        limit = min(field.limit or INPUT, INPUT)
        filled = {"initial_value": value[:limit]} if value else {}
        is_long = field.kind is FieldKind.TEXT
        return {
            "type": "plain_text_input",
            "multiline": is_long,
            "max_length": limit,
            **filled,
        }
    if field.kind is FieldKind.FLAG:
        option = _option("yes", field.label)
        return {
            "type": "checkboxes",
            "options": [option],
            **({"initial_options": [option]} if value else {}),
        }
    if field.kind is FieldKind.CHANNEL:
        return {
            "type": "conversations_select",
            **({"initial_conversation": value} if value else {}),
        }
    if field.kind is FieldKind.PEOPLE:
        people = value.replace(",", " ").split()
        return {
            "type": "multi_users_select",
            **({"initial_users": people} if people else {}),
        }
    if field.kind is FieldKind.CHOICE:
        return _choices(field.choices, value)
    most = 1 if field.kind is FieldKind.MASK else 3
    return {"type": "file_input", "filetypes": PICTURE_TYPES, "max_files": most}


def _choices(choices: Sequence[Choice], value: str) -> dict[str, Any]:
    options = [_option(one.value, one.label) for one in choices[:MENU]]
    chosen = [one for one in options if one["value"] == value]
    return {
        "type": "static_select",
        "options": options,
        **({"initial_option": chosen[0]} if chosen else {}),
    }


def home(posts: Sequence[Post], pictures: Mapping[str, str]) -> dict[str, Any]:
    """The home tab: what each post says, its picture where Slack has a file of it (by blob key)."""
    blocks: list[Block] = []
    for post in posts:
        blocks += _words(post)
        for one in post.pictures:
            file = pictures.get(one.picture.key) if one.picture else None
            if file:
                blocks.append(_picture(file, one.alt))
        blocks += [*_rows(post.buttons, ""), {"type": "divider"}]
    return {"type": "home", "blocks": blocks[:100]}
