"""Words said to the bot, sorted: a command, a word alone, small talk, a question. Pure.

A command is known however people type it: after "@Easel," or "@Easel:", before any white space,
full-width or not, with "!" behind a word that stands alone, in every language.
"""

import re
from dataclasses import dataclass
from enum import Enum

from core import grammar, habits
from core.errors import Rejected
from core.operations import Action, command_names, command_words
from core.option_values import LONGEST_SHOWN
from core.vocabulary import fold, fold_talk, vocabulary

AFTER_NAME = re.compile(r"[\s,:;.!，：；、。！﹐﹕]+")
"""What people put between the bot's name and their words."""
WORD = re.compile(
    r"(?P<slash>[/／]?)(?P<word>[^\s,:，：、/／]+)(?P<gap>[\s,:，：、]*)"
)
SEPARATORS = frozenset(",:，：、")
LEADING = " \t\n\u3000,:，：、"
QUESTION_MARKS = frozenset("?？")
ENDINGS = re.compile(r"[\s!?.,~！？。，…～]+$")
PARTS = re.compile(r"[^\w\s'’+-]+")
"""What lies between the parts of small talk: punctuation and emoji."""
LONGEST_SMALL_TALK = 100
LONGEST_OPENING = 40
CJK = re.compile("[\u3400-\u9fff]")
MEASURES = frozenset("一两兩几幾个個张張只隻幅条條位群座出")
"""Before these, a Chinese verb is a verb and no part of a noun: 画一只狐狸, but not 画面."""


class SayingKind(Enum):
    """What words look like, before it is known where they were said."""

    COMMAND = 0
    NO_FUNCTION = 1
    ALONE = 2
    DRAW = 3
    EDIT = 4
    CHANGE = 5
    SMALL_TALK = 6
    QUESTION = 7
    IDEA = 8
    PLAIN = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """``words`` are all of them, ``rest`` those behind the ``name`` of a command."""

    kind: SayingKind
    words: str
    name: str = ""
    rest: str = ""

    @property
    def is_unknown(self) -> bool:
        """A word behind a slash that is no command."""
        return self.name not in command_names()

    def command(self) -> tuple[Action, str]:
        """The action and its words. Raises Rejected for an unknown command."""
        if self.is_unknown:
            allowed = [f"/{name}" for name in command_names()]
            if self.name in command_words("easel"):
                allowed.insert(0, f"/easel {self.name}")
            if self.name in habits.COMMANDS:
                allowed = [habits.COMMANDS[self.name]]
            raise Rejected(
                "grammar.no_command",
                word=self.name[:40],
                allowed=allowed,
            )
        # "/easel 历史" and "/easel undo!", as after the bot's name.
        lone = find_lone_word(self.rest) if self.name == "easel" else None
        if lone is not None:
            return lone, ""
        return grammar.command(self.name, self.rest)

    def alone(self) -> Action:
        """The action of a word that stands alone."""
        action = find_lone_word(self.words)
        if action is None:
            raise ValueError(self.words)
        return action


def read_saying(text: str, *, is_named: bool) -> Saying:
    """Sort what was said. ``is_named``: the bot's name stood before it."""
    words = text.strip()
    opening = AFTER_NAME.match(words) if is_named else None
    if opening is not None:
        words = words[opening.end() :]
    command = _read_command(words)
    if command is not None:
        return command
    if find_lone_word(words) is not None:
        return Saying(kind=SayingKind.ALONE, words=words)
    if is_small_talk(words):
        return Saying(kind=SayingKind.SMALL_TALK, words=words)
    order = _read_order(words)
    if order is not None:
        return order
    return Saying(kind=_kind_of(words), words=words)


def _read_command(words: str) -> Saying | None:
    """ "/draw a fox", also without its slash for the names that are no common words."""
    first = WORD.match(words)
    if first is None:
        return None
    name = fold(first["word"])
    rest = words[first.end() :].strip()
    if first["slash"]:
        name = _command_name(name)
    elif name not in {"wanx", "easel"}:
        # "draw" and "edit" are common words: what they mean depends on where they are said.
        return None
    elif name == "easel" and _is_order(rest):
        # "Easel, draw a fox": the name, and no command of that name.
        return read_saying(rest, is_named=False)
    has_no_function = name == "wanx" and not rest
    kind = SayingKind.NO_FUNCTION if has_no_function else SayingKind.COMMAND
    return Saying(kind=kind, words=words, name=name, rest=rest)


def _is_order(words: str) -> bool:
    first = WORD.match(words)
    if first is None or find_lone_word(words) is not None:
        return False
    name = fold(first["word"])
    return name in {"draw", "edit", "wanx"}


def _command_name(name: str) -> str:
    """The command's English name: "/画" and "/gambar" are "/draw"."""
    words = vocabulary()
    if name in words.draw:
        return "draw"
    if name in words.edit:
        return "edit"
    return name


def _read_order(words: str) -> Saying | None:
    """ "draw a fox", "please draw a fox", "edit: make it night", "add a hat"."""
    vocab = vocabulary()
    polite = _opening_length(words, vocab.polite)
    order = words[polite:].lstrip(LEADING)
    length = _opening_length(order, vocab.draw, is_verb=True)
    if length:
        rest = order[length:].lstrip(LEADING)
        if polite:
            # "Can you draw a fox?" is a question in form only.
            rest = rest.rstrip("?？ ")
        return Saying(kind=SayingKind.DRAW, words=words, rest=rest)
    length = _opening_length(order, vocab.edit, is_verb=True)
    if length:
        rest = _without_name(words, order[length:])
        return Saying(kind=SayingKind.EDIT, words=words, rest=rest)
    if _opening_length(order, vocab.change):
        return Saying(kind=SayingKind.CHANGE, words=words)
    return None


def _without_name(words: str, behind: str) -> str:
    """ "edit: make it night" names a command; in "edit the hat" the verb is part of the words."""
    if behind.lstrip()[:1] in SEPARATORS:
        return behind.lstrip(LEADING)
    return words


def _kind_of(words: str) -> SayingKind:
    """A question to others is no instruction; "can you …?" is."""
    vocab = vocabulary()
    if _opening_length(words, vocab.ideas):
        return SayingKind.IDEA
    last_sign = words.rstrip()[-1:]
    if last_sign not in QUESTION_MARKS:
        return SayingKind.PLAIN
    if _opening_length(words, vocab.polite):
        return SayingKind.PLAIN
    if _has_question_word(words):
        return SayingKind.QUESTION
    return SayingKind.IDEA


def _has_question_word(words: str) -> bool:
    vocab = vocabulary()
    if _opening_length(words, vocab.questions):
        return True
    # Chinese asks in the middle or at the end of a sentence.
    folded = fold(words)
    chinese = [word for word in vocab.questions if CJK.search(word)]
    return any(word in folded for word in chinese)


def _opening_length(
    text: str,
    openings: tuple[str, ...],
    *,
    is_verb: bool = False,
) -> int:
    """How many characters of the text an opening takes, 0 when none of them begins it."""
    folded = fold_in_place(text[:LONGEST_OPENING])
    for opening in openings:
        if not folded.startswith(opening):
            continue
        length = len(opening)
        following = folded[length : length + 1]
        if _is_whole_word(opening, following, is_verb=is_verb):
            return length
    return 0


def _is_whole_word(opening: str, following: str, *, is_verb: bool) -> bool:
    is_end = not following.isalnum()
    if not CJK.search(opening):
        return is_end and following not in {"'", "_"}
    # Chinese writes no spaces between words.
    return is_end or not is_verb or following in MEASURES


def fold_in_place(text: str) -> str:
    """In one case and width, letter by letter: positions stay those of the text."""
    return "".join(_fold_letter(letter) for letter in text)


def _fold_letter(letter: str) -> str:
    if letter.isspace():
        return " "
    folded = fold(letter)
    return folded if len(folded) == 1 else letter


def find_lone_word(text: str) -> Action | None:
    """The command that a word says when it is all there is: "undo", "Undo!", "撤销"."""
    word = fold(ENDINGS.sub("", text))
    if not word or len(word) > LONGEST_SHOWN:
        return None
    alone = vocabulary().alone
    if word in alone:
        return alone[word]
    words = command_words("easel")
    name = word.removeprefix("/").replace("_", "-")
    return words.get(name)


def is_small_talk(text: str) -> bool:
    """ "Thanks!", "lol", "what do you think?": words that ask nothing of the bot."""
    if len(text) > LONGEST_SMALL_TALK:
        return False
    parts = [fold_talk(part) for part in PARTS.split(fold(text))]
    phrases = [part for part in parts if part]
    if not phrases:
        return False
    return all(_consists_of_small_talk(phrase) for phrase in phrases)


def _consists_of_small_talk(text: str) -> bool:
    """ "ok thanks", "haha nice one": phrases of small talk, one after another."""
    small_talk = vocabulary().small_talk
    words = text.split()
    # Word counts at which a row of whole phrases ends; a phrase may be the start of a longer one.
    count = len(words)
    ends = {0}
    for end in range(1, count + 1):
        phrases = [" ".join(words[start:end]) for start in ends]
        if any(phrase in small_talk for phrase in phrases):
            ends.add(end)
    return count in ends
