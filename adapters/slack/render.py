"""Post → blocks and text, Form → modal, home tab; pure, and within Slack's limits.

Words stand in rich text, where nothing is read as a mention, a link or a format; the fallback text
is escaped.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.slack.decode import FIELD, MODAL
from core.batches import batches
from core.button_ids import encode_button
from core.forms import Field, FieldKind, Form
from core.i18n import clip
from core.operations import ButtonKind
from core.post import Button, Post

Block = dict[str, Any]
"""A block, or a part of one."""
# In characters: chat.update takes 4,000 of fallback text; all blocks together about 13,000.
TITLE = 2500
TEXT = 6000
FALLBACK = 3900
IN_A_ROW = 5
BUTTON_TEXT = 75
OPTION_TEXT = 75
OPTION_VALUE = 150
PLACEHOLDER = 150
ALT = 1000
MENU = 100
LABEL = 150
VIEW_TITLE = 24
VIEW_BLOCKS = 100
INPUT = 3000
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
FILLED = "▰"
EMPTY = "▱"
CELLS = 10
PICTURE_TYPES = [
    "png",
    "jpg",
    "jpeg",
    "webp",
    "gif",
    "heic",
    "heif",
    "bmp",
    "tiff",
]


def message(
    post: Post,
    pictures: Sequence[tuple[str, str]] = (),
    sure: str = "",
) -> Block:
    """Blocks and fallback text.

    ``pictures``: file and alternative text of each; ``sure``: asked before deleting.
    """
    blocks = _words(post)
    blocks += [_picture(file, alt) for file, alt in pictures]
    blocks += _rows(post.buttons, sure)
    blocks += _menu(post.menu)
    return {"text": fallback(post), "blocks": blocks}


def fallback(post: Post) -> str:
    """The words for notifications and screen readers: escaped, never empty, never too long."""
    text = f"{post.title}\n{post.text}".strip() or "…"
    text = clip(text, FALLBACK)
    # An escaped character is up to five long, so cut a fifth of the excess at a time.
    while (excess := len(escape(text)) - FALLBACK) > 0:
        cut = max(1, excess // 5)
        text = clip(text, len(text) - cut)
    return escape(text)


def escape(text: str) -> str:
    """Make inert what Slack would read as markup."""
    text = text.replace("&", "&amp;")
    text = text.replace("<", "&lt;")
    return text.replace(">", "&gt;")


def _words(post: Post) -> list[Block]:
    parts: list[Block] = []
    if post.title:
        title = clip(post.title, TITLE)
        bold = {"bold": True}
        parts.append({"type": "text", "text": title, "style": bold})
    text = clip(post.text, TEXT)
    if post.progress is not None:
        bar = _bar(post.progress)
        text = f"{text}\n{bar}".strip()
    if text:
        below_title = f"\n{text}" if parts else text
        parts.append({"type": "text", "text": below_title})
    return [_rich(parts)] if parts else []


def _rich(parts: Sequence[Block]) -> Block:
    section = {
        "type": "rich_text_section",
        "elements": list(parts),
    }
    return {
        "type": "rich_text",
        "elements": [section],
    }


def _bar(progress: float) -> str:
    done = round(progress * CELLS)
    filled = FILLED * done
    empty = EMPTY * (CELLS - done)
    return f"{filled}{empty} {progress:.0%}"


def _picture(file: str, alt: str) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": file},
        "alt_text": clip(alt, ALT) or "…",
    }


def _rows(buttons: Sequence[Button], sure: str) -> list[Block]:
    elements = [_button(button, sure) for button in buttons]
    return [_actions(batch) for batch in batches(elements, IN_A_ROW)]


def _actions(elements: Sequence[Block]) -> Block:
    return {
        "type": "actions",
        "elements": list(elements),
    }


def _button(button: Button, sure: str) -> Block:
    text = _plain(button.label, BUTTON_TEXT)
    if button.kind is ButtonKind.LINK:
        return {
            "type": "button",
            "text": text,
            "url": button.url,
            "action_id": f"link:{button.step or 'page'}",
        }
    button_id = encode_button(button.kind, button.step, button.index)
    payload: Block = {
        "type": "button",
        "text": text,
        "action_id": button_id,
        "value": button_id,
    }
    if button.spoken:
        payload["accessibility_label"] = clip(button.spoken, BUTTON_TEXT)
    if button.kind is not ButtonKind.DELETE or not sure:
        return payload
    confirm = {
        "title": _plain(button.label, CONFIRM_TITLE),
        "text": _plain(sure, CONFIRM_TEXT),
        "confirm": _plain(button.label, CONFIRM_BUTTON),
        "deny": _plain("✕", CONFIRM_BUTTON),
    }
    return {**payload, "style": "danger", "confirm": confirm}


def _menu(menu: Sequence[Button]) -> list[Block]:
    if not menu:
        return []
    newest = menu[-MENU:]
    select = {
        "type": "static_select",
        "action_id": "menu",
        "options": [_entry(button) for button in newest],
        "placeholder": _plain("▾", PLACEHOLDER),
    }
    return [_actions([select])]


def _entry(button: Button) -> Block:
    button_id = encode_button(button.kind, button.step, button.index)
    return _option(button_id, button.label)


def _plain(text: str, limit: int) -> Block:
    return {
        "type": "plain_text",
        "text": clip(text.strip(), limit) or "…",
        "emoji": True,
    }


def _option(value: str, label: str) -> Block:
    return {
        "text": _plain(label, OPTION_TEXT),
        "value": clip(value, OPTION_VALUE),
    }


def modal(form: Form, metadata: str) -> Block:
    """A form as a modal; ``metadata`` is what must come back with it."""
    return {
        "type": "modal",
        "callback_id": MODAL,
        "title": _plain(form.title, VIEW_TITLE),
        "submit": _plain(form.submit, VIEW_TITLE),
        "private_metadata": metadata,
        "blocks": [_input(field) for field in form.fields],
    }


def _input(field: Field) -> Block:
    return {
        "type": "input",
        "block_id": field.name,
        "label": _plain(field.label, LABEL),
        "optional": not field.required,
        "element": {**_element(field), "action_id": FIELD},
    }


def _element(field: Field) -> Block:
    return ELEMENTS[field.kind](field)


def _tick(field: Field) -> Block:
    option = _option("yes", field.label)
    initial = [option] if field.value else []
    return _with_initial(
        "checkboxes",
        "initial_options",
        initial,
        options=[option],
    )


def _channel_select(field: Field) -> Block:
    return _with_initial(
        "conversations_select",
        "initial_conversation",
        field.value,
    )


def _people_select(field: Field) -> Block:
    return _with_initial("multi_users_select", "initial_users", field.chosen)


def _file_input(field: Field) -> Block:
    most = 1 if field.kind is FieldKind.MASK else 3
    return {
        "type": "file_input",
        "filetypes": PICTURE_TYPES,
        "max_files": most,
    }


def _text_input(field: Field) -> Block:
    limit = min(field.limit or INPUT, INPUT)
    return _with_initial(
        "plain_text_input",
        "initial_value",
        field.value[:limit],
        multiline=field.kind is FieldKind.TEXT,
        max_length=limit,
    )


def _choice_select(field: Field) -> Block:
    choices = field.choices[:MENU]
    options = [_option(choice.value, choice.label) for choice in choices]
    initial = None
    for option in options:
        if option["value"] == field.value:
            initial = option
    return _with_initial(
        "static_select",
        "initial_option",
        initial,
        options=options,
    )


def _choices_select(field: Field) -> Block:
    choices = field.choices[:MENU]
    options = [_option(choice.value, choice.label) for choice in choices]
    chosen = set(field.chosen)
    initial = [option for option in options if option["value"] in chosen]
    return _with_initial(
        "multi_static_select",
        "initial_options",
        initial,
        options=options,
    )


def _with_initial(
    kind: str,
    name: str,
    initial: object,
    **settings: Any,
) -> Block:
    """An element with what stands in it at first; that is left out where there is nothing."""
    element = {"type": kind, **settings}
    if initial:
        element[name] = initial
    return element


ELEMENTS: Mapping[FieldKind, Callable[[Field], Block]] = {
    FieldKind.TEXT: _text_input,
    FieldKind.LINE: _text_input,
    FieldKind.FLAG: _tick,
    FieldKind.CHANNEL: _channel_select,
    FieldKind.PEOPLE: _people_select,
    FieldKind.CHOICE: _choice_select,
    FieldKind.CHOICES: _choices_select,
    FieldKind.PICTURES: _file_input,
    FieldKind.MASK: _file_input,
}


def home(posts: Sequence[Post], files: Mapping[str, str]) -> Block:
    """The home tab: what each post says, its picture where Slack has a file of it (by blob key)."""
    blocks: list[Block] = []
    for post in posts:
        blocks += _words(post)
        for image in post.pictures:
            key = image.picture.key if image.picture else ""
            if key in files:
                blocks.append(_picture(files[key], image.alt))
        blocks += _rows(post.buttons, "")
        blocks.append({"type": "divider"})
    return {
        "type": "home",
        "blocks": blocks[:VIEW_BLOCKS],
    }
