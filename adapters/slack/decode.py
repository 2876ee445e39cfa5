"""What Slack delivers → Request; pure.

The workspace is that of the verified payload, the key Slack's own id of it.
"""

import html
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.button_ids import decode_button
from core.errors import Rejected
from core.operations import BUTTONS
from core.post import ButtonKind
from core.text import clean, has_words
from core.types import Action, Attachment, Person, Place, Request

PLATFORM = "slack"
Payload = Mapping[str, Any]
MENTION = re.compile(r"<@([A-Z0-9]{2,40})(?:\|[^>]*)?>")
OTHER_TOKEN = re.compile(
    r"<(?:[#!][^>|]*\|([^>]*)|[#!]([^>|]*)|([^>|]+)(?:\|([^>]*))?)>"
)
EMOJI_NAME = re.compile(r":([a-z0-9_+'-]+)(?:::skin-tone-[2-6])?:")
FIRST_EMOJI = "\U0001f300"
"""Older signs bear names of other things: SMILE is ⌣."""
SPOKEN = frozenset({None, "file_share", "thread_broadcast"})
"""Kinds of message that are a person's words; the rest are edits, deletions, other bots, channel
news."""
MOST_PICTURES = 10
MODAL, FIELD, SHORTCUT = "easel", "value", "edit_image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button or menu entry: what it does; ``request`` is aimed already."""

    kind: ButtonKind
    request: Request


def command(body: Payload) -> Request:
    """A slash command, as words said to us: "/draw a fox --n 2"."""
    return _request(
        f"command:{body['trigger_id']}",
        _place(
            _workspace(body, body.get("enterprise_id"), body.get("team_id")),
            body.get("channel_id"),
            "",
        ),
        Person(id=str(body["user_id"]), name=str(body.get("user_name", ""))),
        Action.SAID,
        text=f"{body['command']} {_plain(str(body.get('text', '')))}".strip(),
        reply=_reply(body),
        to_us=True,
    )


def said(body: Payload) -> Request | None:
    """A message that may be meant for us: in a direct message, mentioning us, or in a thread.

    None for any other.

    ``app_mention`` and ``message`` tell of the same words: both have the message's own key.
    """
    event = body["event"]
    if (
        event.get("subtype") not in SPOKEN
        or event.get("bot_id")
        or not event.get("user")
    ):
        return None
    us = _us(body)
    if event["user"] == us:
        return None
    text, ts = str(event.get("text") or ""), str(event["ts"])
    mentioned = MENTION.findall(text)
    is_direct = event.get("channel_type") == "im"
    to_us = is_direct or event["type"] == "app_mention" or us in mentioned
    words = _plain(text, _emoji_of(event.get("blocks")))
    thread = str(event.get("thread_ts") or "")
    if not to_us and (
        not thread or set(mentioned) or not has_words(EMOJI_NAME.sub("", words))
    ):
        return None
    if not thread and not is_direct:
        thread = ts
    return _request(
        f"message:{event['channel']}:{ts}",
        _place(_workspace_of_event(body), event["channel"], thread),
        Person(id=str(event["user"]), name=""),
        Action.SAID,
        text=words,
        attachments=files(event.get("files"), _workspace_of_event(body)),
        reply={"ts": ts},
        to_us=to_us,
    )


def reacted(body: Payload) -> Request | None:
    """A reaction added or taken away; None when it is our own, or not to a message."""
    event = body["event"]
    item = event.get("item") or {}
    if item.get("type") != "message" or event.get("user") in {None, _us(body)}:
        return None
    return _request(
        f"event:{body['event_id']}",
        _place(_workspace_of_event(body), item.get("channel"), ""),
        Person(id=str(event["user"]), name=""),
        Action.REACTED,
        text=str(event.get("reaction", ""))[:100],
        message=str(item["ts"]),
        added=event["type"] == "reaction_added",
    )


def left(body: Payload) -> Request | None:
    """We were removed from a workspace, or our token was taken away.

    None when only people's tokens were.
    """
    event = body["event"]
    if event["type"] == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
        return None
    return _request(
        f"event:{body['event_id']}",
        _place(_workspace_of_event(body), "", ""),
        Person(id="", name=""),
        Action.LEFT,
    )


def pressed(body: Payload) -> Pressed | None:
    """A button or a menu of a message of ours; None for a link.

    Raises Rejected for an id we never made.
    """
    action = body["actions"][0]
    value = (
        (action.get("selected_option") or {}).get("value") or action.get("value") or ""
    )
    if str(action.get("action_id", "")).startswith("link"):
        return None
    kind, step, index = decode_button(str(value))
    return Pressed(
        kind=kind,
        request=where_pressed(body, BUTTONS.get(kind, Action.HELP), step, index),
    )


def where_pressed(
    body: Payload, action: Action, step: str | None = None, index: int | None = None
) -> Request:
    """The request of a press, whatever it was that was pressed."""
    container = body.get("container") or {}
    message = body.get("message") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id")
    thread = _thread(message, container)
    return _request(
        f"press:{body['trigger_id']}",
        _place(_workspace_of_press(body), channel, thread),
        _presser(body),
        action,
        target=step,
        index=index,
        reply=_reply(body),
    )


def shortcut(body: Payload) -> Request:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    message = body["message"]
    return _request(
        f"press:{body['trigger_id']}",
        _place(_workspace_of_press(body), body["channel"]["id"], _thread(message, {})),
        _presser(body),
        Action.EDIT,
        message=str(message["ts"]),
        attachments=files(message.get("files"), _workspace_of_press(body)),
        reply=_reply(body),
    )


def opened_home(body: Payload) -> Request:
    """Somebody looks at our home tab."""
    event = body["event"]
    return _request(
        f"event:{body['event_id']}",
        _place(_workspace_of_event(body), str(event.get("channel") or ""), ""),
        Person(id=str(event["user"]), name=""),
        Action.HELP,
    )


def meta(request: Request, action: Action) -> str:
    """What a modal must know when it comes back: at most 3,000 characters."""
    known = {
        "a": action.value,
        "c": request.place.channel,
        "h": request.place.thread,
        "l": request.locale,
        "t": request.target,
        "i": request.index,
        # Without their addresses, which may be long: they are asked for again.
        "p": [" ".join(one.ref.split(" ")[:2]) for one in request.attachments],
    }
    return json.dumps(known, separators=(",", ":"))


def filled(body: Payload) -> Request:
    """A modal sent back. Raises Rejected for one we never made."""
    view, workspace = body["view"], _workspace_of_press(body)
    try:
        known = json.loads(view["private_metadata"])
        action, place = Action(known["a"]), _place(workspace, known["c"], known["h"])
        locale, target, index, refs = (
            str(known["l"]),
            known["t"],
            known["i"],
            [str(one) for one in known["p"]],
        )
    except (ValueError, KeyError, TypeError):
        raise Rejected("button.unknown") from None
    if not all(one.startswith(f"{workspace} ") for one in refs):
        raise Rejected("button.unknown")
    values = {
        name: block.get(FIELD) or {} for name, block in view["state"]["values"].items()
    }
    pictures = [*(values.pop("pictures", {}).get("files") or [])]
    mask = values.pop("mask_picture", {}).get("files") or []
    given = {
        name: text
        for name, value in values.items()
        if (text := _value(value, action)) is not None
    }
    function = given.pop("function", "")
    if function:
        action = (
            Action(f"wanx.{function}") if f"wanx.{function}" in set(Action) else action
        )
    return _request(
        f"view:{view['id']}",
        place,
        _presser(body),
        action,
        locale=locale,
        text=given.pop("prompt", ""),
        given=given,
        attachments=tuple(Attachment(ref=one) for one in refs)
        + files(pictures, workspace),
        mask=next(iter(files(mask, workspace)), None),
        target=target,
        index=index,
        reply={"trigger": str(body.get("trigger_id", ""))},
    )


def files(found: Sequence[Payload] | None, workspace: str) -> tuple[Attachment, ...]:
    """Pictures that came along.

    When there are none, whatever came, so that it is refused with words.
    """
    kept = [
        one for one in found or () if one.get("id") and one.get("mode") != "tombstone"
    ][:MOST_PICTURES]
    pictures = [
        one for one in kept if str(one.get("mimetype") or "image/").startswith("image/")
    ]
    return tuple(_attachment(one, workspace) for one in pictures or kept)


def _thread(message: Payload, container: Payload) -> str:
    """The thread a message stands in.

    The first message of one names itself, and stands in the channel.
    """
    thread = str(message.get("thread_ts") or container.get("thread_ts") or "")
    return (
        ""
        if thread == str(message.get("ts") or container.get("message_ts"))
        else thread
    )


def _attachment(file: Payload, workspace: str) -> Attachment:
    is_ours_to_ask = (
        file.get("file_access") == "check_file_info" or "url_private" not in file
    )
    url = (
        ""
        if is_ours_to_ask
        else file.get("url_private_download") or file["url_private"]
    )
    if file.get("is_external") or file.get("mode") in {"external", "snippet", "post"}:
        url = "external"
    size = file.get("size")
    return Attachment(
        ref=f"{workspace} {file['id']} {url}".strip(),
        name=str(file.get("name") or "")[:80],
        size=size if isinstance(size, int) and size >= 0 else None,
    )


def _value(value: Payload, action: Action) -> str | None:
    """What stands in a field, None where nothing was said.

    Settings need the empty ones: they go back to defaults.
    """
    empty = "" if action is Action.SETTINGS else None
    kind = value.get("type")
    if kind == "checkboxes":
        if not value.get("selected_options"):
            return empty
        return "yes" if action is Action.SETTINGS else ""
    found = {
        "static_select": (value.get("selected_option") or {}).get("value"),
        "conversations_select": value.get("selected_conversation"),
        "multi_users_select": " ".join(value.get("selected_users") or ()),
    }.get(str(kind), value.get("value"))
    return clean(_with_emoji(str(found), {})) or empty if found else empty


def _plain(text: str, emoji: Mapping[str, str] = MappingProxyType({})) -> str:
    """Slack's escaped text as it was typed.

    Mentions fall away, links, channels and emoji read as they are shown.
    """
    text = _with_emoji(OTHER_TOKEN.sub(_shown_token, MENTION.sub("", text)), emoji)
    return clean(html.unescape(text)) if "&" in text else clean(text)


def _with_emoji(text: str, known: Mapping[str, str]) -> str:
    """Slack writes 🦊 as ":fox_face:": as it told of them, else by Unicode's own names.

    Others stay as they are.
    """

    def shown(found: re.Match[str]) -> str:
        try:
            sign = known.get(found[1]) or unicodedata.lookup(found[1].replace("_", " "))
        except KeyError:
            return found[0]
        return sign if found[1] in known or sign >= FIRST_EMOJI else found[0]

    return EMOJI_NAME.sub(shown, text)


def _emoji_of(found: object) -> dict[str, str]:
    """The emoji in a message's blocks, by name; the workspace's own ones have no sign."""
    if isinstance(found, list):
        return {name: sign for one in found for name, sign in _emoji_of(one).items()}
    if not isinstance(found, dict):
        return {}
    if found.get("type") == "emoji" and re.fullmatch(
        r"[0-9a-f]{2,6}(-[0-9a-f]{2,6})*", str(found.get("unicode"))
    ):
        codes = [int(code, 16) for code in found["unicode"].split("-")]
        return (
            {str(found.get("name")): "".join(map(chr, codes))}
            if max(codes) < 0x110000
            else {}
        )
    return _emoji_of(found.get("elements"))


def _shown_token(found: re.Match[str]) -> str:
    label, name, link, text = found.groups()
    return label or name or text or link or ""


def _request(
    key: str, place: Place, person: Person, action: Action, **more: Any
) -> Request:
    return Request(
        key=key, place=place, person=person, action=action, **{"locale": "", **more}
    )


def _place(workspace: str, channel: object, thread: str) -> Place:
    return Place(
        platform=PLATFORM,
        workspace=workspace,
        channel=str(channel or ""),
        thread=thread,
    )


def _reply(body: Payload) -> dict[str, str]:
    found = {
        "trigger": body.get("trigger_id"),
        "response_url": body.get("response_url"),
    }
    return {name: str(value) for name, value in found.items() if value}


def _workspace(installed: Payload, enterprise: object, team: object) -> str:
    """The whole organisation where we are installed in all of it.

    Its payloads may name any team of it, or none.
    """
    is_of_all = installed.get("is_enterprise_install") in {True, "true"}
    return workspace_of(
        str(enterprise) if enterprise else None,
        None if is_of_all or not team else str(team),
    )


def _workspace_of_event(body: Payload) -> str:
    """The installation an event was sent to.

    Slack names it first, also in channels shared with others.
    """
    first = (body.get("authorizations") or [body])[0]
    team = first.get("team_id") or body.get("team_id")
    return _workspace(
        first, first.get("enterprise_id") or body.get("enterprise_id"), team
    )


def _workspace_of_press(body: Payload) -> str:
    """The installation that was pressed.

    A modal tells of it apart when somebody of elsewhere sends it back.
    """
    team, enterprise = body.get("team") or {}, body.get("enterprise") or {}
    installed = (body.get("view") or {}).get("app_installed_team_id") or team.get("id")
    return _workspace(
        body, enterprise.get("id") or team.get("enterprise_id"), installed
    )


def _presser(body: Payload) -> Person:
    user = body["user"]
    return Person(
        id=str(user["id"]), name=str(user.get("name") or user.get("username") or "")
    )


def _us(body: Payload) -> str:
    """Our own user there."""
    first = (body.get("authorizations") or [{}])[0]
    return str(first.get("user_id") or "")


def split(workspace: str) -> tuple[str | None, str | None]:
    """Enterprise and team of a workspace.

    "E1.T1", "T1", or "E1." for an organisation as a whole.
    """
    enterprise, dot, team = workspace.rpartition(".")
    return (enterprise or None if dot else None), team or None


def workspace_of(enterprise: str | None, team: str | None) -> str:
    """A workspace's id, the enterprise before it where there is one."""
    return f"{enterprise}.{team or ''}" if enterprise else (team or "")
