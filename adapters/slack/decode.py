"""What Slack delivers → Incoming; pure, facts only.

The workspace is that of the verified payload, the key Slack's own id of it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from adapters.slack.payloads import (
    PLATFORM,
    Payload,
    part_of,
    text_of,
    us_of,
    workspace_in,
    workspace_of_event,
    workspace_of_press,
)
from adapters.slack.reply import SlackReply
from adapters.slack.text import emoji_in, plain, with_emoji
from adapters.slack.text import mentions as mentions_in
from core.errors import Rejected
from core.incoming import Incoming, Kind, Quoted
from core.operations import Action
from core.text import clean
from core.types import Attachment, Person, Place, Request

SPOKEN = frozenset({None, "file_share", "thread_broadcast"})
"""Kinds of messages that a person wrote; the rest are edits, deletions, other bots, channel
news."""
CHANGED = "message_changed"
NO_UPLOADS = frozenset({"external", "snippet", "post"})
"""Modes of files without bytes at Slack that could be fetched."""
UNKNOWN_TYPES = frozenset({"", "application/octet-stream"})
"""Those that say nothing: of files shared from elsewhere, and of kinds Slack does not know."""
MOST_PICTURES = 10
LONGEST_EMOJI = 100
LONGEST_NAME = 80
MODAL = "easel"
FIELD = "value"
SHORTCUT = "edit_image"


def command(body: Payload) -> Incoming:
    """A slash command: "/draw a fox --n 2"."""
    enterprise = text_of(body, "enterprise_id")
    team = text_of(body, "team_id")
    workspace = workspace_in(body, enterprise, team)
    user = str(body["user_id"])
    name = text_of(body, "user_name")
    words = plain(text_of(body, "text"))
    return Incoming(
        key=f"command:{body['trigger_id']}",
        kind=Kind.COMMAND,
        place=_place(workspace, text_of(body, "channel_id")),
        person=Person(id=user, name=name),
        words=f"{body['command']} {words}".strip(),
        may_show_form=True,
        reply=_reply(body),
    )


def event(body: Payload) -> Incoming | None:
    """An event of the Events API; None for those that are not for us."""
    kind = body["event"]["type"]
    decoder = EVENTS.get(kind)
    return None if decoder is None else decoder(body)


def is_invitation(body: Payload) -> bool:
    """Whether we were invited to a channel."""
    event = body["event"]
    is_joining = event["type"] == "member_joined_channel"
    return is_joining and text_of(event, "user") == us_of(body)


def message(body: Payload) -> Incoming | None:
    """A person's message; None for what a bot or Slack itself says.

    ``app_mention`` and ``message`` deliver the same words: both have the message's key.
    """
    event = body["event"]
    us = us_of(body)
    if event.get("subtype") == CHANGED:
        event = _newly_named(event, us)
    if not _is_persons(event, us):
        return None
    text = text_of(event, "text")
    ts = str(event["ts"])
    channel = event["channel"]
    is_named = event["type"] == "app_mention"
    mentions = mentions_in(text, us, is_named=is_named)
    is_direct = event.get("channel_type") == "im"
    thread = text_of(event, "thread_ts")
    if mentions.us and not thread and not is_direct:
        # A mention is answered in a thread that begins with it.
        thread = ts
    workspace = workspace_of_event(body)
    emoji = emoji_in(event.get("blocks"))
    # The words before the edit had the plain key.
    edited = ":edited" if event.get("edited") else ""
    return Incoming(
        key=f"message:{channel}:{ts}{edited}",
        kind=Kind.MESSAGE,
        place=_place(workspace, channel, thread),
        person=_person(event),
        is_direct=is_direct,
        words=plain(text, emoji),
        mentions=mentions,
        attachments=files(event.get("files"), workspace),
        reply=SlackReply(ts=ts).to_json(),
    )


def _newly_named(event: Payload, us: str) -> Payload:
    """The message as its author has edited it, if that has named us; else nothing."""
    message = part_of(event, "message")
    before = text_of(part_of(event, "previous_message"), "text")
    after = text_of(message, "text")
    was_named = mentions_in(before, us, is_named=False).us
    is_named = mentions_in(after, us, is_named=False).us
    if was_named or not is_named or not message.get("edited"):
        return {}
    return {
        "channel_type": event.get("channel_type"),
        **message,
        "type": event["type"],
        "channel": event["channel"],
    }


def _is_persons(event: Payload, us: str) -> bool:
    if event.get("subtype") not in SPOKEN or event.get("bot_id"):
        return False
    return text_of(event, "user") not in {"", us}


def reaction(body: Payload) -> Incoming | None:
    """A reaction added or taken away; None when it is our own, or not to a message."""
    event = body["event"]
    item = part_of(event, "item")
    if item.get("type") != "message":
        return None
    if event.get("user") in {None, us_of(body)}:
        return None
    workspace = workspace_of_event(body)
    emoji = text_of(event, "reaction")
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.REACTION,
        place=_place(workspace, text_of(item, "channel")),
        person=_person(event),
        answers=Quoted(message=str(item["ts"])),
        emoji=emoji[:LONGEST_EMOJI],
        is_added=event["type"] == "reaction_added",
    )


def removal(body: Payload) -> Incoming | None:
    """The bot was removed from a workspace, or its token was taken away.

    None when only people's tokens were.
    """
    event = body["event"]
    revoked = part_of(event, "tokens")
    if event["type"] == "tokens_revoked" and not revoked.get("bot"):
        return None
    left = removed_from(workspace_of_event(body))
    return replace(left, key=f"event:{body['event_id']}")


def removed_from(workspace: str) -> Incoming:
    """The bot was removed from this workspace, whoever says so."""
    return Incoming(
        key=f"left:{workspace}",
        kind=Kind.REMOVED,
        place=_place(workspace, ""),
        person=Person(id="", name=""),
    )


def button(body: Payload) -> Incoming | None:
    """A button or a menu of the bot's message; None for a link."""
    action = body["actions"][0]
    if text_of(action, "action_id").startswith("link"):
        return None
    option = part_of(action, "selected_option")
    value = text_of(option, "value") or text_of(action, "value")
    container = part_of(body, "container")
    channel = text_of(part_of(body, "channel"), "id")
    channel = channel or text_of(container, "channel_id")
    thread = _thread(part_of(body, "message"), container)
    workspace = workspace_of_press(body)
    return Incoming(
        key=f"press:{body['trigger_id']}",
        kind=Kind.BUTTON,
        place=_place(workspace, channel, thread),
        person=_presser(body),
        button=value,
        may_show_form=True,
        reply=_reply(body),
    )


def shortcut(body: Payload) -> Incoming:
    """ "Edit this image" on a message: its pictures, or the step it shows."""
    pointed = body["message"]
    workspace = workspace_of_press(body)
    pictures = files(pointed.get("files"), workspace)
    channel = body["channel"]["id"]
    thread = _thread(pointed, {})
    message_id = str(pointed["ts"])
    return Incoming(
        key=f"press:{body['trigger_id']}",
        kind=Kind.SHORTCUT,
        place=_place(workspace, channel, thread),
        person=_presser(body),
        answers=Quoted(message=message_id, pictures=pictures),
        may_show_form=True,
        reply=_reply(body),
    )


def home(body: Payload) -> Incoming | None:
    """A person looks at the bot's home tab; None for the tab of messages."""
    event = body["event"]
    if event.get("tab") != "home":
        return None
    workspace = workspace_of_event(body)
    return Incoming(
        key=f"event:{body['event_id']}",
        kind=Kind.HOME,
        place=_place(workspace, text_of(event, "channel")),
        person=_person(event),
    )


EVENTS: Mapping[str, Callable[[Payload], Incoming | None]] = {
    "message": message,
    "app_mention": message,
    "reaction_added": reaction,
    "reaction_removed": reaction,
    "app_home_opened": home,
    "app_uninstalled": removal,
    "tokens_revoked": removal,
}
"""What reads an event, by its type."""


def meta(request: Request, action: Action) -> str:
    """What a modal must know when it comes back: at most 3,000 characters."""
    # One letter each: Slack takes 3,000 characters, and a person may attach ten pictures.
    metadata = {
        "w": request.place.workspace,
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


def form(body: Payload) -> Incoming | None:
    """A modal sent back; None for another app's. Raises Rejected for one we never made."""
    view = body["view"]
    if view.get("callback_id") != MODAL:
        return None
    blocks = view["state"]["values"]
    try:
        metadata = json.loads(view["private_metadata"])
        # Slack names the organisation of whoever submits it. Older modals do not know better.
        workspace = metadata.get("w") or workspace_of_press(body)
        operation = Action(metadata["a"]).value
        place = _place(workspace, metadata["c"], metadata["h"])
        locale = str(metadata["l"])
        target = metadata["t"]
        index = metadata["i"]
        refs = [str(ref) for ref in metadata["p"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Rejected("button.unknown") from None
    if not all(ref.startswith(f"{workspace} ") for ref in refs):
        raise Rejected("button.unknown")
    values = {name: part_of(block, FIELD) for name, block in blocks.items()}
    pictures = values.pop("pictures", {}).get("files")
    masks = values.pop("mask_picture", {}).get("files")
    fields = {name: _field_text(field) for name, field in values.items()}
    words = fields.pop("prompt", "")
    known_pictures = tuple(Attachment(ref=ref) for ref in refs)
    mask = next(iter(files(masks, workspace)), None)
    reply = SlackReply(trigger=text_of(body, "trigger_id"))
    return Incoming(
        key=f"view:{view['id']}",
        kind=Kind.FORM,
        place=place,
        person=_presser(body),
        locale=locale,
        operation=operation,
        words=words,
        fields=fields,
        attachments=known_pictures + files(pictures, workspace),
        mask=mask,
        target=target,
        index=index,
        reply=reply.to_json(),
    )


def in_workspace(incoming: Incoming, workspace: str) -> Incoming:
    """The same event in a workspace of another name, its files too."""
    old = incoming.place.workspace

    def moved(pictures: Sequence[Attachment]) -> tuple[Attachment, ...]:
        return tuple(
            replace(
                picture,
                ref=f"{workspace} {picture.ref.removeprefix(f'{old} ')}",
            )
            for picture in pictures
        )

    answers, mask = incoming.answers, incoming.mask
    if answers is not None:
        answers = replace(answers, pictures=moved(answers.pictures))
    return replace(
        incoming,
        place=replace(incoming.place, workspace=workspace),
        attachments=moved(incoming.attachments),
        mask=moved([mask])[0] if mask else None,
        answers=answers,
    )


def files(
    listed: Sequence[Payload] | None,
    workspace: str,
) -> tuple[Attachment, ...]:
    """Pictures attached to a message.

    Where there are none, all its files, to be refused with words.
    """
    named = [file for file in listed or () if file.get("id")]
    # One that was deleted is refused by that, lest another picture is taken instead.
    present = [file for file in named if not _is_gone(file)] or named
    pictures = [file for file in present if _may_be_picture(file)]
    attached = pictures or present
    return tuple(
        _attachment(file, workspace) for file in attached[:MOST_PICTURES]
    )


def _is_gone(file: Payload) -> bool:
    is_missing = file.get("file_access") == "file_not_found"
    return is_missing or file.get("mode") == "tombstone"


def _may_be_picture(file: Payload) -> bool:
    media_type = text_of(file, "mimetype")
    return media_type in UNKNOWN_TYPES or media_type.startswith("image/")


def _attachment(file: Payload, workspace: str) -> Attachment:
    size = file.get("size")
    is_size = isinstance(size, int) and size >= 0
    address = _address(file)
    ref = f"{workspace} {file['id']} {address}"
    name = text_of(file, "name")
    return Attachment(
        ref=ref.strip(),
        name=name[:LONGEST_NAME],
        size=size if is_size else None,
    )


def _address(file: Payload) -> str:
    """Where the bytes are: "" if Slack has to be asked, "external" if not at Slack, or "gone"."""
    if _is_gone(file):
        return "gone"
    if file.get("is_external") or file.get("mode") in NO_UPLOADS:
        return "external"
    must_be_asked = file.get("file_access") == "check_file_info"
    if must_be_asked or "url_private" not in file:
        return ""
    return text_of(file, "url_private_download") or str(file["url_private"])


def _thread(message: Payload, container: Payload) -> str:
    """The thread a message stands in.

    The first message of one names itself, and stands in the channel.
    """
    thread = text_of(message, "thread_ts") or text_of(container, "thread_ts")
    own = text_of(message, "ts") or text_of(container, "message_ts")
    return "" if thread == own else thread


def _field_text(field: Payload) -> str:
    """What stands in a field, "" where nothing does; a tick is "true" or "false"."""
    kind = field.get("type")
    if kind == "checkboxes":
        return "true" if field.get("selected_options") else "false"
    if kind == "static_select":
        chosen = part_of(field, "selected_option").get("value")
    elif kind == "conversations_select":
        chosen = field.get("selected_conversation")
    elif kind == "multi_users_select":
        chosen = " ".join(field.get("selected_users") or ())
    elif kind == "multi_static_select":
        options = field.get("selected_options") or ()
        chosen = " ".join(str(option["value"]) for option in options)
    else:
        chosen = field.get("value")
    return clean(with_emoji(str(chosen))) if chosen else ""


def _place(workspace: str, channel: str, thread: str = "") -> Place:
    return Place(
        platform=PLATFORM,
        workspace=workspace,
        channel=channel,
        thread=thread,
    )


def _reply(body: Payload) -> dict[str, str]:
    trigger = text_of(body, "trigger_id")
    url = text_of(body, "response_url")
    return SlackReply(trigger=trigger, response_url=url).to_json()


def _presser(body: Payload) -> Person:
    user = body["user"]
    name = text_of(user, "name") or text_of(user, "username")
    return Person(id=str(user["id"]), name=name)


def _person(event: Payload) -> Person:
    """Events name people by their id alone."""
    return Person(id=str(event["user"]), name="")
