"""The meaning of an event, for every platform: the only place where it is decided. Pure.

``core.relevance`` decides first whether an event is about us; ``core.meaning`` has the nouns.
"""

from collections.abc import Mapping
from dataclasses import replace

from core import emoji, grammar, links
from core.button_ids import decode_button
from core.errors import Rejected
from core.forms import FUNCTION
from core.incoming import Incoming, Kind
from core.meaning import (
    NOWHERE,
    Choice,
    FormSubject,
    Meaning,
    OpenForm,
    Situation,
)
from core.operations import ASKS_FIRST, BUTTONS, NEEDS_WORDS, Action
from core.options import OPTIONS
from core.relevance import (
    is_own_picture,
    is_said_at_home,
    may_talk_to_us,
)
from core.sayings import Saying, SayingKind, read_saying
from core.types import Attachment, Request

TICKS = {"true": "yes", "false": ""}
"""A ticked and an unticked box, as settings are stored."""
OFFERED = frozenset(
    {
        SayingKind.DRAW,
        SayingKind.EDIT,
        SayingKind.CHANGE,
        SayingKind.PLAIN,
    }
)
"""What may be for the bot where people come to talk with it, though it is not named."""


def asks_first(incoming: Incoming) -> bool:
    """Whether a form must be opened at once, before anything is looked up."""
    if incoming.kind is Kind.SHORTCUT:
        return True
    try:
        return isinstance(interpret(incoming, NOWHERE), OpenForm)
    except Rejected:
        return False


def interpret(incoming: Incoming, situation: Situation) -> Meaning | None:
    """Return what an event asks for, None when that is nothing.

    Raises Rejected for what cannot be understood.
    """
    if incoming.kind is Kind.REACTION:
        return _interpret_reaction(incoming, situation)
    if incoming.kind is Kind.MESSAGE:
        return _interpret_message(incoming, situation)
    return _interpret_interaction(incoming, situation)


def _interpret_interaction(
    incoming: Incoming,
    situation: Situation,
) -> Meaning | None:
    """Read a button, shortcut, command or form: what people ask of the bot alone."""
    if incoming.kind is Kind.BUTTON:
        return _interpret_button(incoming)
    if incoming.kind is Kind.SHORTCUT:
        return _interpret_shortcut(incoming, situation)
    if incoming.kind is Kind.COMMAND:
        return _interpret_command(incoming, situation)
    if incoming.kind is Kind.FORM:
        return _interpret_form(incoming)
    return None


# Buttons, reactions, shortcuts, forms


def _interpret_button(incoming: Incoming) -> Meaning:
    kind, step, index = decode_button(incoming.button)
    if kind not in BUTTONS:
        raise Rejected("button.unknown")
    pressed = replace(incoming, target=step, index=index)
    action = BUTTONS[kind]
    return (
        _form(pressed, action)
        if kind in ASKS_FIRST
        else _request(pressed, action)
    )


def _interpret_reaction(
    incoming: Incoming,
    situation: Situation,
) -> Request | None:
    if situation.step is None:
        return None
    reaction = emoji.reaction(incoming.emoji, situation.reactions)
    if reaction is None:
        return None
    action = emoji.action_of(reaction, added=incoming.is_added)
    if action is None:
        return None
    answered = replace(incoming, target=situation.step, index=reaction.index)
    return _request(answered, action)


def _interpret_shortcut(incoming: Incoming, situation: Situation) -> OpenForm:
    """ "Edit this image": the step a message shows, else its pictures."""
    if situation.step is not None:
        pointed = replace(incoming, target=situation.step, attachments=())
    elif incoming.answers is not None and incoming.answers.pictures:
        pointed = replace(incoming, attachments=incoming.answers.pictures)
    else:
        raise Rejected("refuse.no_picture_there")
    return _form(pointed, Action.EDIT)


def _interpret_form(incoming: Incoming) -> Request:
    action = _action_of(incoming.operation)
    fields = _filled_fields(incoming.fields, action)
    function = fields.pop(FUNCTION, "")
    if function:
        action = _action_of(f"wanx.{function}")
    return _request(replace(incoming, fields=fields), action)


def reopen(draft: Incoming) -> OpenForm:
    """The form of a draft once more, with what was filled in."""
    action = _action_of(draft.operation)
    if action is Action.SETTINGS:
        return _form(draft, action, FormSubject.SETTINGS)
    if FUNCTION in draft.fields:
        return _form(draft, action, FormSubject.FUNCTION)
    return _form(draft, action)


def _filled_fields(
    fields: Mapping[str, str],
    action: Action,
) -> dict[str, str]:
    """Fields as options.

    For settings an empty field means "back to the default"; elsewhere it says nothing.
    """
    if action is Action.SETTINGS:
        return {
            name: TICKS.get(value, value) for name, value in fields.items()
        }
    filled: dict[str, str] = {}
    for name, value in fields.items():
        is_flag = name in OPTIONS and OPTIONS[name].is_flag
        if is_flag and value != "false":
            filled[name] = ""
        elif not is_flag and value:
            filled[name] = value
    return filled


def _action_of(operation: str) -> Action:
    try:
        action = Action(operation)
    except ValueError:
        raise Rejected("button.unknown") from None
    if not action.is_typed:
        raise Rejected("button.unknown")
    return action


# Commands and plain words


def _interpret_command(incoming: Incoming, situation: Situation) -> Meaning:
    """A typed command: a registered one with typed options, or a line such as "/draw a fox"."""
    if incoming.operation:
        action = _action_of(incoming.operation)
        return _request_or_form(_aim(incoming, situation), action)
    saying = read_saying(incoming.words, is_named=False)
    if saying.kind is SayingKind.NO_FUNCTION and incoming.may_show_form:
        return _form(
            replace(incoming, words=""),
            Action.STYLE,
            FormSubject.FUNCTION,
        )
    return _command(incoming, saying, situation)


def _command(
    incoming: Incoming,
    saying: Saying,
    situation: Situation,
) -> Meaning:
    action, words = saying.command()
    return _request_or_form(
        replace(_aim(incoming, situation), words=words), action
    )


def _request_or_form(incoming: Incoming, action: Action) -> Meaning:
    """A command that came without what it cannot do without is asked for it."""
    if action is Action.SETTINGS and not incoming.fields:
        return _form(incoming, action, FormSubject.SETTINGS)
    if action.makes_pictures and action is not Action.DRAW:
        _refuse_if_elsewhere(incoming)
    request = _request(incoming, action)
    lacks_words = request.action in NEEDS_WORDS and not request.text
    if lacks_words and incoming.may_show_form:
        return _form(incoming, action)
    return request


def _interpret_message(
    incoming: Incoming,
    situation: Situation,
) -> Meaning | None:
    if not (incoming.is_addressed or _is_instruction(incoming, situation)):
        return _offer(incoming)
    about = _aim(incoming, situation)
    has_picture = bool(about.attachments or about.target)
    saying = read_saying(incoming.words, is_named=incoming.mentions.us)
    if saying.kind in {SayingKind.COMMAND, SayingKind.NO_FUNCTION}:
        return _typed_in_message(about, saying, incoming)
    if saying.kind is SayingKind.ALONE:
        return _request_or_form(replace(about, words=""), saying.alone())
    is_edit = has_picture or situation.is_ours
    words = _words_to_draw(incoming, saying, may_be_edit=is_edit)
    if words is not None:
        drawn = replace(incoming, words=words, target=None, index=None)
        return _request(drawn, Action.DRAW)
    if saying.kind is SayingKind.EDIT:
        return _edit(about, saying.rest)
    return _plain_words(about, saying, situation, has_picture=has_picture)


def _words_to_draw(
    incoming: Incoming,
    saying: Saying,
    *,
    may_be_edit: bool,
) -> str | None:
    """The words of an order to draw, or of what a composer showed as one; None for others."""
    if incoming.operation == Action.DRAW and saying.kind in OFFERED:
        return saying.rest or saying.words
    if saying.kind is SayingKind.DRAW and not may_be_edit:
        return saying.rest
    return None


def _offer(incoming: Incoming) -> Meaning | None:
    """Words at home that do not name the bot may be for it, or talk: the person says which."""
    if not (is_said_at_home(incoming) and may_talk_to_us(incoming)):
        return None
    saying = read_saying(incoming.words, is_named=False)
    if saying.kind not in OFFERED:
        return None
    words = saying.words
    if saying.kind is SayingKind.DRAW:
        words = saying.rest
    if incoming.operation:
        return _either(incoming, words)
    try:
        return _either(incoming, words)
    except Rejected:
        # Talk that looks like a wrong option is still talk.
        return None


def _either(about: Incoming, words: str) -> Meaning:
    """A drawing or an edit: as their composer showed them, else the person says which."""
    if about.operation == Action.DRAW:
        drawn = replace(about, words=words, target=None, index=None)
        return _request(drawn, Action.DRAW)
    edit = _edit(about, words)
    return edit if about.operation else Choice(request=edit)


def _is_instruction(incoming: Incoming, situation: Situation) -> bool:
    """Words that do not name us, in one of our threads, or in answer to us or to a picture."""
    if not may_talk_to_us(incoming):
        return False
    answers_us = incoming.answers is not None and incoming.answers.is_ours
    return bool(
        answers_us
        or situation.is_ours
        or situation.step is not None
        or is_own_picture(incoming)
    )


def _typed_in_message(
    about: Incoming,
    saying: Saying,
    incoming: Incoming,
) -> Meaning | None:
    """A command typed into a message; to others, a word after a slash may be anything."""
    if not incoming.is_addressed and saying.is_unknown:
        return None
    action, words = saying.command()
    if action is Action.DRAW and not incoming.attachments:
        about = replace(about, attachments=(), target=None)
    return _request_or_form(replace(about, words=words), action)


def _plain_words(
    about: Incoming,
    saying: Saying,
    situation: Situation,
    *,
    has_picture: bool,
) -> Meaning | None:
    """Neither a command nor a plain order to draw: an instruction, talk, or either."""
    if not saying.words:
        action = (
            Action.EDIT if has_picture and about.attachments else Action.HELP
        )
        return _request(about, action)
    if saying.kind is SayingKind.SMALL_TALK:
        return None
    if saying.kind is SayingKind.QUESTION:
        question = replace(about, words="")
        return _request(question, Action.HELP) if about.is_addressed else None
    if (
        saying.kind is SayingKind.DRAW
        and saying.rest
        and not about.attachments
    ):
        # "Could you draw a fox?" below a picture: a new one, or a fox in that one.
        return _either(about, saying.rest)
    is_instruction = has_picture or situation.is_ours
    if saying.kind is SayingKind.IDEA and not about.is_addressed:
        is_instruction = False
    if saying.kind is SayingKind.CHANGE or is_instruction:
        return _edit(about, saying.words)
    return _either(about, saying.words)


def _edit(about: Incoming, words: str) -> Request:
    """An instruction to edit."""
    _refuse_if_elsewhere(about)
    return _request(replace(about, words=words), Action.EDIT)


def _refuse_if_elsewhere(about: Incoming) -> None:
    """Make sure that no other picture is edited than the one pointed at. Raises Rejected."""
    answered = about.answers
    points_elsewhere = (
        answered is not None
        and answered.is_ours is False
        and not (about.attachments or about.target)
    )
    if answered is not None and points_elsewhere:
        raise Rejected(answered.refusal)


def _aim(incoming: Incoming, situation: Situation) -> Incoming:
    """The picture it is about: attached, in the message answered, in the thread's first message."""
    if incoming.attachments:
        return incoming
    if situation.step is not None:
        return replace(incoming, target=situation.step)
    pictures: tuple[Attachment, ...] = ()
    if incoming.answers is not None:
        pictures = incoming.answers.pictures
    elif incoming.root is not None and not situation.is_ours:
        pictures = incoming.root.pictures
    return replace(incoming, attachments=pictures)


def _form(
    incoming: Incoming,
    action: Action,
    subject: FormSubject = FormSubject.ACTION,
) -> OpenForm:
    return OpenForm(
        request=_plain_request(incoming, action),
        subject=subject,
        words=incoming.words,
        fields=incoming.fields,
    )


def _request(incoming: Incoming, action: Action) -> Request:
    """The request with its options taken out of the words. Raises Rejected for a wrong one."""
    request = _plain_request(incoming, action)
    if not request.action.makes_pictures:
        return replace(request, text=incoming.words, values=incoming.fields)
    parsed = grammar.parse(
        incoming.words,
        incoming.fields,
        request.action,
    )
    typed = tuple(incoming.fields)
    _refuse_link(parsed.prompt)
    return replace(
        request,
        text=parsed.prompt,
        options=parsed.options,
        typed=typed,
    )


def _refuse_link(prompt: str) -> None:
    """A picture that only its address names could not be had. Raises Rejected.

    Platforms attach those that they may fetch before anything is interpreted.
    """
    for link in links.links_in(prompt):
        if links.is_picture(link):
            raise Rejected("refuse.link", host=links.host_of(link))


def _plain_request(incoming: Incoming, action: Action) -> Request:
    """Who asks for what, where and about which pictures."""
    if action is Action.EDIT and incoming.mask is not None:
        action = Action.INPAINT
    return Request(
        key=incoming.key,
        place=incoming.place,
        person=incoming.person,
        locale=incoming.locale,
        action=action,
        attachments=incoming.attachments,
        mask=incoming.mask,
        target=incoming.target,
        index=incoming.index,
        reply=incoming.reply,
        is_admin=incoming.is_admin,
        closed=incoming.closed,
    )
