"""What Slack delivers → Incoming; pure, facts only.

The workspace is that of the verified payload, the key Slack's own id of it.
"""

import html
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from adapters.slack.reply import SlackReply
from core.errors import Rejected
from core.incoming import Incoming, Kind, Mentions, Quoted
from core.text import clean
from core.types import Action, Attachment, Person, Place, Request

PLATFORM = "slack"
Payload = Mapping[str, Any]
MENTION = re.compile(r"<@([A-Z0-9]{2,40})(?:\|[^>]*)?>")
GROUP = re.compile(r"<!(?:here|channel|everyone|subteam\^[A-Z0-9]+)(?:\|[^>]*)?>")
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


def command(body: Payload) -> Incoming:
    """A slash command: "/draw a fox --n 2"."""
    workspace = _workspace(body, body.get("enterprise_id"), body.get("team_id"))
    return Incoming(
        key=f"command:{body['trigger_id']}",
        kind=Kind.COMMAND,
        place=_place(workspace, body.get("channel_id"), ""),
        person=Person(id=str(body["user_id"]), name=str(body.get("user_name", ""))),
        words=f"{body['command']} {_plain(str(body.get('text', '')))}".strip(),
        may_show_form=True,
        reply=_reply(body),
    )


def said(body: Payload) -> Incoming | None:
    """A person's message; None for what a bot or Slack itself says.

    ``app_mention`` and ``message`` tell of the same words: both have the message's own key.
    """
    event = body["event"]
    us = _us(body)
    is_persons = event.get("subtype") in SPOKEN and not event.get("bot_id")
    if not is_persons or event.get("user") in {None, "", us}:
        return None
    text, ts = str(event.get("text") or ""), str(event["ts"])
    mentions = _mentions(text, us, is_named=event["type"] == "app_mention")
    is_direct = event.get("channel_type") == "im"
    thread = str(event.get("thread_ts") or "")
    if mentions.us and not thread and not is_direct:
        thread = ts  # a mention is answered in a thread of its own
    workspace = _workspace_of_event(body)
    return Incoming(
        key=f"message:{event['channel']}:{ts}",
        kind=Kind.MESSAGE,
        place=_place(workspace, event["channel"], thread),
        person=Person(id=str(event["user"]), name=""),
        is_direct=is_direct,
        words=_plain(text, _emoji_of(event.get("blocks"))),
        mentions=mentions,
        attachments=files(event.get("files"), workspace),
        reply=SlackReply(ts=ts).to_json(),
    )


def _mentions(text: str, us: str, *, is_named: bool) -> Mentions:
    people = set(MENTION.findall(text))
    return Mentions(
        us=is_named or us in people,
        people=bool(people - {us}),
        groups=GROUP.search(text) is not None,
    )


def reacted(body: Payload) -> Incoming | None:
    """A reaction added or taken away; None when it is our own, or not to a message."""
    event = body["event"]
    item = event.get("item") or {}
    if item.get("type") != "message" or event.get("user") in {None, _us(body)}:
        return None
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.REACTION,
        place=_place(_workspace_of_event(body), item.get("channel"), ""),
        person=Person(id=str(event["user"]), name=""),
        answers=Quoted(message=str(item["ts"])),
        emoji=str(event.get("reaction", ""))[:100],
        is_added=event["type"] == "reaction_added",
    )


def left(body: Payload) -> Incoming | None:
    """We were removed from a workspace, or our token was taken away.

    None when only people's tokens were.
    """
    event = body["event"]
    if event["type"] == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
        return None
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.REMOVED,
        place=_place(_workspace_of_event(body), "", ""),
        person=Person(id="", name=""),
    )


def pressed(body: Payload) -> Incoming | None:
    """A button or a menu of a message of ours; None for a link."""
    action = body["actions"][0]
    if str(action.get("action_id", "")).startswith("link"):
        return None
    option = action.get("selected_option") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id")
    thread = _thread(message, container)
    return Incoming(
        key=f"press:{body['trigger_id']}",
        kind=Kind.BUTTON,
        place=_place(_workspace_of_press(body), channel, thread),
        person=_presser(body),
        button=str(option.get("value") or action.get("value") or ""),
        may_show_form=True,
        reply=_reply(body),
    )


def shortcut(body: Payload) -> Incoming:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    message, workspace = body["message"], _workspace_of_press(body)
    pictures = files(message.get("files"), workspace)
    return Incoming(
        key=f"press:{body['trigger_id']}",
        kind=Kind.SHORTCUT,
        place=_place(workspace, body["channel"]["id"], _thread(message, {})),
        person=_presser(body),
        answers=Quoted(message=str(message["ts"]), pictures=pictures),
        may_show_form=True,
        reply=_reply(body),
    )


def opened_home(body: Payload) -> Incoming:
    """Somebody looks at our home tab."""
    event = body["event"]
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.HOME,
        place=_place(_workspace_of_event(body), str(event.get("channel") or ""), ""),
        person=Person(id=str(event["user"]), name=""),
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


def filled(body: Payload) -> Incoming:
    """A modal sent back. Raises Rejected for one we never made."""
    view, workspace = body["view"], _workspace_of_press(body)
    try:
        known = json.loads(view["private_metadata"])
        operation = Action(known["a"]).value
        place = _place(workspace, known["c"], known["h"])
        locale, target, index = str(known["l"]), known["t"], known["i"]
        refs = [str(ref) for ref in known["p"]]
    except (ValueError, KeyError, TypeError):
        raise Rejected("button.unknown") from None
    if not all(ref.startswith(f"{workspace} ") for ref in refs):
        raise Rejected("button.unknown")
    values = {
        name: block.get(FIELD) or {} for name, block in view["state"]["values"].items()
    }
    pictures = values.pop("pictures", {}).get("files") or []
    masks = values.pop("mask_picture", {}).get("files") or []
    fields = {name: _value(value) for name, value in values.items()}
    return Incoming(
        key=f"view:{view['id']}",
        kind=Kind.FORM,
        place=place,
        person=_presser(body),
        locale=locale,
        operation=operation,
        words=fields.pop("prompt", ""),
        fields=fields,
        attachments=tuple(Attachment(ref=ref) for ref in refs)
        + files(pictures, workspace),
        mask=next(iter(files(masks, workspace)), None),
        target=target,
        index=index,
        reply=SlackReply(trigger=str(body.get("trigger_id", ""))).to_json(),
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


def _value(value: Payload) -> str:
    """What stands in a field, "" where nothing does; a tick is "true" or "false"."""
    kind = value.get("type")
    if kind == "checkboxes":
        return "true" if value.get("selected_options") else "false"
    if kind == "static_select":
        chosen = (value.get("selected_option") or {}).get("value")
    elif kind == "conversations_select":
        chosen = value.get("selected_conversation")
    elif kind == "multi_users_select":
        chosen = " ".join(value.get("selected_users") or ())
    else:
        chosen = value.get("value")
    return clean(_with_emoji(str(chosen), {})) if chosen else ""


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


def _place(workspace: str, channel: object, thread: str) -> Place:
    return Place(
        platform=PLATFORM,
        workspace=workspace,
        channel=str(channel or ""),
        thread=thread,
    )


def _reply(body: Payload) -> dict[str, str]:
    trigger, url = body.get("trigger_id") or "", body.get("response_url") or ""
    return SlackReply(trigger=str(trigger), response_url=str(url)).to_json()


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
