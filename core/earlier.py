"""Rows that earlier versions wrote, read as today's values. Pure.

Until 0.1 an event was kept as a Request from the start; some of its facts stood among the keys of
its reply.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import grammar
from core.button_ids import encode_button
from core.errors import Rejected
from core.incoming import Incoming, Kind, Origin
from core.operations import BUTTONS, Action
from core.types import Request, from_json

SAME = ("key", "place", "person", "locale", "is_admin", "attachments")
Row = Mapping[str, Any]
Facts = dict[str, Any]


def read_incoming(row: Row) -> Incoming:
    """An event from its JSON."""
    if "kind" in row:
        return from_json(Incoming, row)
    return from_json(Incoming, _facts(row))


def read_request(row: Row) -> Request:
    """A request from its JSON. Raises Rejected for options that were never checked."""
    if "given" not in row:
        return from_json(Request, row)
    row_of_today = {**row, "values": row["given"]}
    plain = from_json(Request, row_of_today)
    if not plain.action.makes_pictures:
        return plain
    parsed = grammar.parse(plain.text, row["given"])
    return replace(
        plain,
        text=parsed.prompt,
        options=parsed.options,
        values={},
    )


def read_origin(row: Row, *, is_event: bool) -> Origin:
    """What a delivery holds: an event, or what it was understood as.

    What an earlier version had understood but not yet checked is understood once more.
    """
    if is_event:
        return read_incoming(row)
    try:
        return read_request(row)
    except Rejected:
        return read_incoming(row)


def _facts(row: Row) -> Facts:
    facts: Facts = {name: row[name] for name in SAME if name in row}
    reply = dict(row.get("reply") or {})
    looked_up = reply.pop("look", "")
    facts["is_place_known"] = reply.pop("where", "") != "unknown"
    facts["reply"] = reply
    if row.get("message"):
        facts["answers"] = {"message": row["message"], "is_ours": True}
    elif looked_up:
        facts["answers"] = {"message": looked_up}
    return facts | _facts_of_kind(row)


def _facts_of_kind(row: Row) -> Facts:
    action = row["action"]
    if action == "said":
        return _message_facts(row)
    if action == "reacted":
        return {
            "kind": Kind.REACTION,
            "emoji": row["text"],
            "is_added": row.get("added", True),
        }
    if action == "left":
        return {"kind": Kind.REMOVED}
    if not Action(action).is_typed:
        return {"kind": Kind.BUTTON, "button": _button(row)}
    return {
        "kind": Kind.FORM,
        "operation": action,
        "words": row.get("text", ""),
        "fields": row.get("given") or {},
        "mask": row.get("mask"),
        "target": row.get("target"),
        "index": row.get("index"),
    }


def _message_facts(row: Row) -> Facts:
    """Read words; Slack's commands were kept as words said to the bot, too."""
    key = str(row["key"])
    is_command = key.startswith("command:")
    said: Facts = {
        "kind": Kind.COMMAND if is_command else Kind.MESSAGE,
        "words": row.get("text", ""),
        "mentions": {"us": row.get("to_us", False)},
    }
    if row.get("replied"):
        thread = row["place"].get("thread", "")
        said["root"] = {"message": thread, "pictures": row["replied"]}
    return said


def _button(row: Row) -> str:
    action = row["action"]
    kinds = [kind for kind, meaning in BUTTONS.items() if meaning == action]
    step = row["target"] or ""
    index = row.get("index") or 0
    return encode_button(kinds[0], step, index)
