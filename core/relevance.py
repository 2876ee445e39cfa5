"""Whether an event can be about us, before anything is looked up. Pure."""

import re
from enum import Enum

from core.incoming import Incoming, Kind
from core.sayings import is_small_talk
from core.text import has_words

EMOJI_NAME = re.compile(r":[\w+'-]+:")


class Relevance(Enum):
    """Whether an event is about us, from its own content."""

    NONE = 0
    PERHAPS = 1
    CERTAIN = 2


def relevance(incoming: Incoming) -> Relevance:
    """Judge an event by its content, before anything is looked up."""
    if incoming.kind is Kind.REACTION:
        return _relevance_of_reaction(incoming)
    if incoming.kind is not Kind.MESSAGE or incoming.is_addressed:
        return Relevance.CERTAIN
    if not may_talk_to_us(incoming):
        return Relevance.NONE
    if is_said_at_home(incoming):
        return Relevance.CERTAIN
    if incoming.answers is not None and incoming.answers.is_ours:
        return Relevance.CERTAIN
    return Relevance.PERHAPS


def _relevance_of_reaction(incoming: Incoming) -> Relevance:
    is_elsewhere = (
        incoming.answers is None or incoming.answers.is_ours is False
    )
    return Relevance.NONE if is_elsewhere else Relevance.PERHAPS


def may_talk_to_us(incoming: Incoming) -> bool:
    """Whether a message that does not name us may be an instruction."""
    if incoming.mentions.people or incoming.mentions.groups:
        return False
    if incoming.answers is not None:
        if not (incoming.answers.is_ours or is_own_picture(incoming)):
            return False
    elif not (_may_be_in_thread(incoming) or is_said_at_home(incoming)):
        return False
    if incoming.attachments:
        return True
    words = EMOJI_NAME.sub("", incoming.words)
    return has_words(words) and not is_small_talk(words)


def _may_be_in_thread(incoming: Incoming) -> bool:
    return bool(incoming.place.thread) or not incoming.is_place_known


def is_said_at_home(incoming: Incoming) -> bool:
    """Words alone, in answer to nothing, where people come to talk with the bot."""
    in_thread = bool(incoming.place.thread)
    # A picture alone is shown to the others; to have it edited one answers it.
    with_pictures = bool(incoming.attachments)
    is_answer = incoming.answers is not None
    return incoming.is_home and not (in_thread or with_pictures or is_answer)


def is_own_picture(incoming: Incoming) -> bool:
    """An answer to a picture that the same person posted, where that can only be for us."""
    answered = incoming.answers
    return (
        incoming.is_home
        and answered is not None
        and bool(answered.pictures)
        and answered.author == incoming.person.id
    )
