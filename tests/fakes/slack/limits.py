"""Slack's documented limits of messages, blocks and views.

It knows nothing of who sends them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
FILE_ID = re.compile(r"F[A-Z0-9]{8,}")
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif"})
IN_MESSAGES = frozenset(
    {
        "section",
        "image",
        "actions",
        "context",
        "divider",
        "header",
        "rich_text",
        "markdown",
        "file",
    }
)
IN_VIEWS = IN_MESSAGES | {"input"}
IN_ACTIONS = frozenset(
    {
        "button",
        "static_select",
        "overflow",
        "conversations_select",
        "channels_select",
        "users_select",
        "checkboxes",
    }
)
IN_INPUT = frozenset(
    {
        "plain_text_input",
        "static_select",
        "multi_users_select",
        "multi_static_select",
        "users_select",
        "conversations_select",
        "channels_select",
        "checkboxes",
        "radio_buttons",
        "file_input",
        "number_input",
    }
)
FileType = Callable[[str], str | None]
"""File id → media type once Slack has looked at it; None while it has not, or there is no such
file."""


class Wrong(Exception):
    """A limit is broken; the text says which."""


def need(fact: object, what: str) -> None:
    if not fact:
        raise Wrong(what)


def message(arguments: Json, file_type: FileType, *, update: bool) -> None:
    """chat.postMessage, chat.update, chat.postEphemeral."""
    text, blocks = arguments.get("text"), arguments.get("blocks")
    need(text or blocks, "no_text")
    need(text is None or isinstance(text, str), "text is no text")
    need(len(text or "") <= (4000 if update else 40_000), "msg_too_long")
    if blocks is not None:
        need(
            isinstance(blocks, list) and len(blocks) <= 50,
            "msg_blocks_too_many",
        )
        need(text, "no fallback text beside the blocks")
        check_blocks(blocks, IN_MESSAGES, file_type)
        need(
            sum(len(text) for text in _texts(blocks)) <= 13_200,
            "msg_blocks_too_long",
        )


def view(found: Json, file_type: FileType) -> None:
    """views.open and views.publish."""
    need(found.get("type") in {"modal", "home"}, "view type")
    need(
        len(json.dumps(found, ensure_ascii=False).encode()) <= 250_000,
        "view_too_large",
    )
    blocks = found.get("blocks")
    need(isinstance(blocks, list) and 1 <= len(blocks) <= 100, "view blocks")
    assert isinstance(blocks, list)
    check_blocks(blocks, IN_VIEWS, file_type)
    need(len(found.get("private_metadata", "")) <= 3000, "private_metadata")
    need(len(found.get("callback_id", "")) <= 255, "callback_id")
    if found["type"] == "modal":
        plain(found.get("title"), 24, "title")
        for name in ("submit", "close"):
            if name in found:
                plain(found[name], 24, name)
        need(
            "submit" in found
            or all(block["type"] != "input" for block in blocks),
            "an input block needs submit",
        )
    else:
        need(
            all(
                block.get("element", {}).get("type") != "file_input"
                for block in blocks
            ),
            "file_input outside a modal",
        )


def check_blocks(
    blocks: Sequence[Json], allowed: frozenset[str], file_type: FileType
) -> None:
    """Each block, and that ids are their own."""
    block_ids = [block["block_id"] for block in blocks if "block_id" in block]
    need(len(block_ids) == len(set(block_ids)), "block_id twice")
    need(
        all(1 <= len(block_id) <= 255 for block_id in block_ids),
        "block_id length",
    )
    actions: list[str] = []
    for block in blocks:
        kind = block.get("type")
        need(kind in allowed, f"no block type {kind}")
        checks: dict[str, Callable[[Json], None]] = {
            "section": _section,
            "image": lambda block_id: _image(block_id, file_type),
            "actions": lambda block_id: _actions(block_id, actions),
            "context": lambda block_id: need(
                1 <= len(block_id["elements"]) <= 10, "context elements"
            ),
            "header": lambda block_id: plain(
                block_id.get("text"), 150, "header"
            ),
            "rich_text": _rich,
            "input": _input,
        }
        if str(kind) in checks:
            checks[str(kind)](block)
    need(len(actions) == len(set(actions)), "action_id twice in one message")


def plain(found: Any, limit: int, what: str) -> None:
    need(
        isinstance(found, dict) and found.get("type") == "plain_text",
        f"{what}: not plain_text",
    )
    need(
        1 <= len(found.get("text", "")) <= limit,
        f"{what}: 1 to {limit} characters, not {len(found.get('text', ''))}",
    )


def _section(block: Json) -> None:
    need("text" in block or "fields" in block, "an empty section")
    if "text" in block:
        need(1 <= len(block["text"].get("text", "")) <= 3000, "section text")
    fields = block.get("fields", [])
    need(
        len(fields) <= 10
        and all(1 <= len(field["text"]) <= 2000 for field in fields),
        "section fields",
    )


def _image(block: Json, file_type: FileType) -> None:
    need(1 <= len(block.get("alt_text", "")) <= 2000, "image alt_text")
    need(
        ("image_url" in block) != ("slack_file" in block),
        "image: exactly one of image_url and slack_file",
    )
    if "slack_file" in block:
        file = block["slack_file"]
        need(
            ("id" in file) != ("url" in file),
            "slack_file: exactly one of id and url",
        )
        need(FILE_ID.fullmatch(file.get("id", "F00000000")), "slack_file id")
        need(file_type(file["id"]) in PICTURES, "invalid slack file")
    need(len(block.get("image_url", "")) <= 3000, "image_url")


def _actions(block: Json, seen: list[str]) -> None:
    elements = block.get("elements", [])
    need(1 <= len(elements) <= 25, "actions elements")
    for control in elements:
        need(
            control.get("type") in IN_ACTIONS,
            f"no element {control.get('type')} in actions",
        )
        need(1 <= len(control.get("action_id", "")) <= 255, "action_id")
        seen.append(control["action_id"])
        element(control)


def element(one: Json) -> None:
    """A button, select, text field or the like."""
    kind = one["type"]
    if kind == "button":
        plain(one.get("text"), 75, "button text")
        need(len(one.get("value", "")) <= 2000, "button value")
        need(len(one.get("url", "")) <= 3000, "button url")
        need(
            one.get("style", "primary") in {"primary", "danger"},
            "button style",
        )
        if "confirm" in one:
            plain(one["confirm"].get("title"), 100, "confirm title")
            plain(one["confirm"].get("text"), 300, "confirm text")
            plain(one["confirm"].get("confirm"), 30, "confirm button")
            plain(one["confirm"].get("deny"), 30, "deny button")
    limits = {
        "static_select": 100,
        "multi_static_select": 100,
        "checkboxes": 10,
        "radio_buttons": 10,
        "overflow": 5,
    }
    if kind in limits:
        options = one.get("options", [])
        need(1 <= len(options) <= limits[kind], f"{kind}: options")
        for option in options:
            plain(option.get("text"), 75, "option text")
            need(1 <= len(option.get("value", "")) <= 150, "option value")
        chosen = (
            [one["initial_option"]]
            if "initial_option" in one
            else one.get("initial_options", [])
        )
        need(
            all(option in options for option in chosen),
            "an initial option that is none of the options",
        )
    if kind == "plain_text_input":
        need(1 <= one.get("max_length", 3000) <= 3000, "max_length")
        need(
            len(one.get("initial_value", "")) <= one.get("max_length", 3000),
            "initial_value",
        )
    if kind == "file_input":
        need(1 <= one.get("max_files", 10) <= 10, "max_files")
    if "placeholder" in one:
        plain(one["placeholder"], 150, "placeholder")


def _input(block: Json) -> None:
    plain(block.get("label"), 2000, "label")
    inner = block.get("element", {})
    need(
        inner.get("type") in IN_INPUT,
        f"no element {inner.get('type')} in input",
    )
    need(1 <= len(inner.get("action_id", "")) <= 255, "action_id")
    element(inner)


def _rich(block: Json) -> None:
    for part in block.get("elements", []):
        need(
            part.get("type")
            in {"rich_text_section", "rich_text_list", "rich_text_quote"},
            "rich_text part",
        )
        for element in part.get("elements", []):
            need(
                element.get("type") in {"text", "emoji", "user", "link"},
                "rich_text element",
            )
            need(
                element["type"] != "text" or element.get("text"),
                "rich_text: empty text",
            )
    need(block.get("elements"), "an empty rich_text")


def _texts(structure: Any) -> list[str]:
    """Every string that is read in a structure."""
    if isinstance(structure, dict):
        return _texts(
            [part for key, part in structure.items() if key != "type"]
        )
    if isinstance(structure, list):
        return [text for part in structure for text in _texts(part)]
    return [structure] if isinstance(structure, str) else []
