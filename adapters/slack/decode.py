"""What Slack delivers → Incoming; pure, facts only.

The workspace is that of the verified payload, the key Slack's own id of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.reply import SlackReply
from adapters.slack.text import emoji_in, plain, with_emoji
from adapters.slack.text import mentions as mentions_in
from core.errors import Rejected
from core.incoming import Incoming, Kind, Quoted
from core.operations import Action
from core.text import clean
from core.types import Attachment, Person, Place, Request

PLATFORM = "slack"
Payload = Mapping[str, Any]
SPOKEN = frozenset({None, "file_share", "thread_broadcast"})
"""Kinds of messages that a person wrote; the rest are edits, deletions, other bots, channel
news."""
MOST_PICTURES = 10
MODAL, FIELD, SHORTCUT = "easel", "value", "edit_image"


def command(body: Payload) -> Incoming:
    """A slash command: "/draw a fox --n 2"."""
    workspace = _workspace(
        body, body.get("enterprise_id"), body.get("team_id")
    )
    return Incoming(
        key=f"command:{body['trigger_id']}",
        kind=Kind.COMMAND,
        place=_place(workspace, body.get("channel_id"), ""),
        person=Person(
            id=str(body["user_id"]), name=str(body.get("user_name", ""))
        ),
        words=f"{body['command']} {plain(str(body.get('text', '')))}".strip(),
        may_show_form=True,
        reply=_reply(body),
    )


def message(body: Payload) -> Incoming | None:
    """A person's message; None for what a bot or Slack itself says.

    ``app_mention`` and ``message`` deliver the same words: both have the message's key.
    """
    event = body["event"]
    us = _us(body)
    is_persons = event.get("subtype") in SPOKEN and not event.get("bot_id")
    if not is_persons or event.get("user") in {None, "", us}:
        return None
    text, ts = str(event.get("text") or ""), str(event["ts"])
    mentions = mentions_in(text, us, is_named=event["type"] == "app_mention")
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
        words=plain(text, emoji_in(event.get("blocks"))),
        mentions=mentions,
        attachments=files(event.get("files"), workspace),
        reply=SlackReply(ts=ts).to_json(),
    )


def reaction(body: Payload) -> Incoming | None:
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


def removal(body: Payload) -> Incoming | None:
    """The bot was removed from a workspace, or its token was taken away.

    None when only people's tokens were.
    """
    event = body["event"]
    if event["type"] == "tokens_revoked" and not (
        event.get("tokens") or {}
    ).get("bot"):
        return None
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.REMOVED,
        place=_place(_workspace_of_event(body), "", ""),
        person=Person(id="", name=""),
    )


def button(body: Payload) -> Incoming | None:
    """A button or a menu of the bot's message; None for a link."""
    action = body["actions"][0]
    if str(action.get("action_id", "")).startswith("link"):
        return None
    option = action.get("selected_option") or {}
    container = body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get(
        "channel_id"
    )
    thread = _thread(body.get("message") or {}, container)
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
    pointed, workspace = body["message"], _workspace_of_press(body)
    pictures = files(pointed.get("files"), workspace)
    return Incoming(
        key=f"press:{body['trigger_id']}",
        kind=Kind.SHORTCUT,
        place=_place(workspace, body["channel"]["id"], _thread(pointed, {})),
        person=_presser(body),
        answers=Quoted(message=str(pointed["ts"]), pictures=pictures),
        may_show_form=True,
        reply=_reply(body),
    )


def home(body: Payload) -> Incoming:
    """A person looks at the bot's home tab."""
    event = body["event"]
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.HOME,
        place=_place(
            _workspace_of_event(body), str(event.get("channel") or ""), ""
        ),
        person=Person(id=str(event["user"]), name=""),
    )


def meta(request: Request, action: Action) -> str:
    """What a modal must know when it comes back: at most 3,000 characters."""
    metadata = {
        "a": action.value,
        "c": request.place.channel,
        "h": request.place.thread,
        "l": request.locale,
        "t": request.target,
        "i": request.index,
        "p": [_short_ref(picture) for picture in request.attachments],
    }
    return json.dumps(metadata, separators=(",", ":"))


def _short_ref(picture: Attachment) -> str:
    # Without its address, which may be long: Slack is asked for it again.
    workspace, file, *_ = picture.ref.split(" ")
    return f"{workspace} {file}"


def form(body: Payload) -> Incoming:
    """A modal sent back. Raises Rejected for one we never made."""
    view, workspace = body["view"], _workspace_of_press(body)
    try:
        metadata = json.loads(view["private_metadata"])
        operation = Action(metadata["a"]).value
        place = _place(workspace, metadata["c"], metadata["h"])
        locale, target, index = (
            str(metadata["l"]),
            metadata["t"],
            metadata["i"],
        )
        refs = [str(ref) for ref in metadata["p"]]
    except (ValueError, KeyError, TypeError):
        raise Rejected("button.unknown") from None
    if not all(ref.startswith(f"{workspace} ") for ref in refs):
        raise Rejected("button.unknown")
    values = {
        name: block.get(FIELD) or {}
        for name, block in view["state"]["values"].items()
    }
    pictures = values.pop("pictures", {}).get("files") or []
    masks = values.pop("mask_picture", {}).get("files") or []
    fields = {name: _field_text(field) for name, field in values.items()}
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


def files(
    listed: Sequence[Payload] | None, workspace: str
) -> tuple[Attachment, ...]:
    """Pictures attached to a message.

    Where there are none, all its files, to be refused with words.
    """
    there = [file for file in listed or () if _is_there(file)][:MOST_PICTURES]
    pictures = [file for file in there if _may_be_picture(file)]
    return tuple(_attachment(file, workspace) for file in pictures or there)


def _is_there(file: Payload) -> bool:
    return bool(file.get("id")) and file.get("mode") != "tombstone"


def _may_be_picture(file: Payload) -> bool:
    # Files shared from elsewhere come without a type.
    return str(file.get("mimetype") or "image/").startswith("image/")


def _attachment(file: Payload, workspace: str) -> Attachment:
    size = file.get("size")
    return Attachment(
        ref=f"{workspace} {file['id']} {_address(file)}".strip(),
        name=str(file.get("name") or "")[:80],
        size=size if isinstance(size, int) and size >= 0 else None,
    )


def _address(file: Payload) -> str:
    """Where the bytes are; "" if Slack has to be asked, "external" if not at Slack."""
    if file.get("is_external") or file.get("mode") in {
        "external",
        "snippet",
        "post",
    }:
        return "external"
    must_be_asked = file.get("file_access") == "check_file_info"
    if must_be_asked or "url_private" not in file:
        return ""
    return str(file.get("url_private_download") or file["url_private"])


def _thread(message: Payload, container: Payload) -> str:
    """The thread a message stands in.

    The first message of one names itself, and stands in the channel.
    """
    thread = str(message.get("thread_ts") or container.get("thread_ts") or "")
    own = str(message.get("ts") or container.get("message_ts"))
    return "" if thread == own else thread


def _field_text(field: Payload) -> str:
    """What stands in a field, "" where nothing does; a tick is "true" or "false"."""
    kind = field.get("type")
    if kind == "checkboxes":
        return "true" if field.get("selected_options") else "false"
    if kind == "static_select":
        chosen = (field.get("selected_option") or {}).get("value")
    elif kind == "conversations_select":
        chosen = field.get("selected_conversation")
    elif kind == "multi_users_select":
        chosen = " ".join(field.get("selected_users") or ())
    else:
        chosen = field.get("value")
    return clean(with_emoji(str(chosen))) if chosen else ""


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
    """The workspace: the whole organisation where the bot is installed in all of it.

    The payloads of such an installation may name any team of it, or none.
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
    enterprise = first.get("enterprise_id") or body.get("enterprise_id")
    return _workspace(first, enterprise, team)


def _workspace_of_press(body: Payload) -> str:
    """The installation whose button was pressed.

    A modal names it separately when a user of another organisation submits it.
    """
    team, enterprise = body.get("team") or {}, body.get("enterprise") or {}
    installed = (body.get("view") or {}).get(
        "app_installed_team_id"
    ) or team.get("id")
    organisation = enterprise.get("id") or team.get("enterprise_id")
    return _workspace(body, organisation, installed)


def _presser(body: Payload) -> Person:
    user = body["user"]
    name = user.get("name") or user.get("username") or ""
    return Person(id=str(user["id"]), name=str(name))


def _us(body: Payload) -> str:
    """The bot's own user there."""
    first = (body.get("authorizations") or [{}])[0]
    return str(first.get("user_id") or "")


def split(workspace: str) -> tuple[str | None, str | None]:
    """Split a workspace into enterprise and team.

    It is "E1.T1", "T1", or "E1." for an organisation as a whole.
    """
    enterprise, dot, team = workspace.rpartition(".")
    return (enterprise or None if dot else None), team or None


def workspace_of(enterprise: str | None, team: str | None) -> str:
    """A workspace's id, the enterprise before it where there is one."""
    return f"{enterprise}.{team or ''}" if enterprise else (team or "")
