"""The grammar of commands, one for all platforms: a prompt, and options anywhere in it.

Chinese keyboards and phones are understood: full-width letters, digits and signs, em and en dashes
for ``--``, curly quotes, no space before an option. Digits other than ASCII and full-width ones are
refused. Text in double quotes is always prompt; quotes around the whole prompt only shelter it, and
inside them ``\\"`` and ``\\\\`` are escapes.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import habits
from core.errors import Rejected
from core.operations import COMMANDS, STANDALONE, Action, command_words
from core.option_values import (
    LONGEST_SHOWN,
    quote,
    read_value,
    refuse_unknown,
    shorten,
    write_value,
)
from core.options import (
    ALIASES,
    OPTIONS,
    OptionKind,
    Options,
    OptionSpec,
    options_of,
)
from core.text import clean, to_ascii

MOST_ANSWERED = 8
"""Unknown options that are named in a refusal."""
LONGEST = 20_000
"""Characters of a request's words."""

# How text is cut into words, quotes and options

DASHES = "-－—–―−﹣"
CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
NAME = "[A-Za-zＡ-Ｚａ-ｚ][A-Za-zＡ-Ｚａ-ｚ_＿-]*"
LETTERS = "".join(
    name + chr(ord(name) + 0xFEE0) for name in OPTIONS if len(name) == 1
)
"""Options that one dash is enough for, and the same letters full-width."""
CODE = r"(?<![\w`])(?:```.+?```|`[^`\n]+`)(?!`)"
"""Markdown code, in which nothing is read as an option."""
STRAIGHT = r'"(?=\S)(?:[^"\\]|\\.)*"'
QUOTES = (
    r'“[^“”"]*[”"]|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』|＂[^＂]*＂'
)
WHOLE_CODE = re.compile(r"```[^`]+```|`[^`\n]+`")
QUOTED = re.compile(f"{STRAIGHT}|{QUOTES}", re.DOTALL)
TOKEN = re.compile(
    # 5" is inches, so a straight quote opens no quotation after a letter or digit; Chinese has no
    # spaces before one.
    rf"(?<![^\W{CJK}])(?<![\\\"]){STRAIGHT}|{QUOTES}|{CODE}"
    rf"|(?<!\S)[{DASHES}](?P<short>[{LETTERS}])(?![^\s=＝:：\d])"
    rf"|(?<![^\s{CJK},.;!?)”»\"])(?<![{DASHES}])[-－]{{2,}}(?P<long>{NAME})"
    rf"|(?<!\S)[{DASHES}]{{2,}}(?P<typeset>{NAME})"
    rf"|(?<!\S)[—―–](?P<lone>{NAME})"
    r'|(?<!\S)(?P<unclosed>["“])(?=\S)',
    re.DOTALL,
)
VALUE_SIGNS = frozenset("=＝:：")
SEPARATOR = re.compile(r"[\s=＝:：]*")
STOPS = "，。；、！？"
BARE = re.compile(rf"(?:[^\s{STOPS}]|[{STOPS}](?=\d))+")
PAIR = re.compile(
    rf"\d+\s*[x×*✕＊ｘX:：/]\s*\d+(?![^\s{STOPS},.;!?])(?!\s*[x×*✕＊]\s*\d)|{BARE.pattern}",
)
"""Two numbers, which may stand apart: "16 : 9"."""
PATTERNS = {OptionKind.SIZE: PAIR, OptionKind.RATIO: PAIR}
"""Of a value without quotes, if it is not one word."""
FOLLOWING_STOP = re.compile(f"[{STOPS},.;!?]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a person wrote: the prompt, and the options."""

    prompt: str
    options: Options


def parse(
    text: str,
    given: Mapping[str, str] | None = None,
    action: Action | None = None,
) -> Parsed:
    """Split a text into prompt and options.

    ``given``: options a platform asked for in typed fields, under the same rules. ``action``: a
    refusal names its options instead of all.

    Raises Rejected naming the option, the legal values and the nearest one.
    """
    fields = given or {}
    _check_length(text, *fields.values())
    prompt, in_text = _split_options(clean(text), action)
    in_fields = [
        (_find_option(name, action), clean(field))
        for name, field in fields.items()
    ]
    chosen: dict[str, Any] = {}
    for option, written in [*in_fields, *in_text]:
        if option.attribute in chosen:
            raise Rejected("grammar.duplicate", option=f"--{option.name}")
        chosen[option.attribute] = read_value(option, written)
    return Parsed(prompt=prompt, options=Options(**chosen))


def write(parsed: Parsed) -> str:
    """The printed form: ``parse(write(p)) == p``.

    The prompt stands in quotes only where it must.
    """
    written = [
        _write_option(option, parsed.options)
        for option in OPTIONS.values()
        if option.is_chosen(parsed.options)
    ]
    options = "".join(written)
    plain = parsed.prompt + options
    # Whether a prompt needs shelter is hard to say and easy to try.
    if _reads_as(plain, parsed):
        return plain.strip()
    return quote(parsed.prompt) + options


def command(name: str, text: str) -> tuple[Action, str]:
    """The action of ``/draw``, ``/wanx FUNCTION`` and the like, and the text that is left.

    ``/easel`` alone asks for help. Raises Rejected naming the nearest word and all of them.
    """
    # /draw and /edit take words at once: the first of them is no function.
    if name in STANDALONE:
        return STANDALONE[name], text
    _check_length(text)
    words = command_words(name)
    first, rest = _split_first(clean(text))
    word = to_ascii(first).lower().replace("_", "-")
    if word in words:
        return words[word], rest
    # What is not answered yet is not offered.
    offered = [name for name, action in words.items() if action in COMMANDS]
    if word:
        raise refuse_unknown(
            "grammar.unknown_word",
            "grammar.unknown_word_near",
            first,
            offered,
        )
    if name == "easel":
        return Action.HELP, ""
    raise Rejected("grammar.word_missing", allowed=offered)


def _split_first(text: str) -> tuple[str, str]:
    """The first word and what is left, "" where there is none."""
    parts = text.split(maxsplit=1)
    first = parts[0] if parts else ""
    rest = parts[1] if len(parts) > 1 else ""
    return first, rest


def _check_length(*texts: str) -> None:
    length = max(map(len, texts))
    if length > LONGEST:
        raise Rejected("grammar.too_long", length=length, limit=LONGEST)


def _write_option(option: OptionSpec, options: Options) -> str:
    if option.is_flag:
        return f" --{option.name}"
    value = option.value(options)
    return f" --{option.name} {write_value(option, value)}"


def _reads_as(text: str, parsed: Parsed) -> bool:
    try:
        return parse(text) == parsed
    except Rejected:
        return False


def _split_options(
    text: str,
    action: Action | None,
) -> tuple[str, list[tuple[OptionSpec, str]]]:
    """The prompt, and the options with their values as they were written."""
    options: list[tuple[OptionSpec, str]] = []
    unknown: list[str] = []
    parts: list[str] = []
    position = 0
    while token := _next_option(text, position):
        parts.append(text[position : token.start()])
        name = token[token.lastgroup or 0]
        option = _known_option(name)
        if option is None:
            unknown.append(name)
            position = token.end()
            continue
        written, position = _split_value(text, token.end(), option)
        options.append((option, written))
        # One of them stands twice: a text of nothing but options is not read to its end.
        if len(options) > len(OPTIONS):
            raise Rejected("grammar.duplicate", option=f"--{option.name}")
    if unknown:
        raise _unknown_options(unknown, action)
    parts.append(text[position:])
    stripped = [part.strip() for part in parts]
    prompt = " ".join(part for part in stripped if part)
    return _without_shelter(prompt), options


def _next_option(text: str, position: int) -> "re.Match[str] | None":
    """The next option outside quotes.

    Raises Rejected for a quote that opens a word and is never closed.
    """
    for token in TOKEN.finditer(text, position):
        if token.lastgroup == "unclosed":
            raise Rejected("grammar.quote")
        if token.lastgroup and not _is_prose(token):
            return token
    return None


def _is_prose(token: "re.Match[str]") -> bool:
    """Is it a lone dash before a word that is no option: "a cat —sleeping"?

    A slip of an option's name counts as one if a number follows.
    """
    if token.lastgroup != "lone":
        return False
    name = to_ascii(token["lone"]).lower()
    names = [*OPTIONS, *ALIASES]
    if name in names:
        return False
    names += habits.OPTIONS
    close = difflib.get_close_matches(
        name[:LONGEST_SHOWN],
        names,
        n=1,
        cutoff=0.7,
    )
    text = token.string
    start = _skip(SEPARATOR, text, token.end())
    has_number = text[start : start + 1].isdecimal()
    return not (close and has_number)


def _find_option(name: str, action: Action | None) -> OptionSpec:
    option = _known_option(name)
    if option is None:
        raise _unknown_options([name], action)
    return option


def _known_option(name: str) -> OptionSpec | None:
    word = _option_word(name)
    return OPTIONS.get(ALIASES.get(word, word))


def _option_word(name: str) -> str:
    word = to_ascii(name).lower().replace("_", "-")
    return word.strip("-")


def _unknown_options(names: Sequence[str], action: Action | None) -> Rejected:
    """One refusal of them all, with what there is instead.

    It names the options that the action takes; all where there is no action.
    """
    offered = OPTIONS.values() if action is None else options_of(action)
    allowed = [option.name for option in offered]
    written = dict.fromkeys(f"--{shorten(name)}" for name in names)
    substitutes: list[str] = []
    for name in names[:MOST_ANSWERED]:
        substitute = _substitute(_option_word(name), allowed)
        pair = f"--{shorten(name)} → {substitute}"
        if substitute and pair not in substitutes:
            substitutes.append(pair)
    key = "grammar.unknown_option"
    if substitutes:
        key = "grammar.other_option"
    return Rejected(
        key,
        option=list(written)[:MOST_ANSWERED],
        instead=substitutes,
        allowed=[f"--{name}" for name in allowed],
    )


def _substitute(word: str, allowed: Sequence[str]) -> str:
    """What may have been meant: another bot's option by what is like it, else a slip."""
    if word in habits.OPTIONS:
        substitute = habits.OPTIONS[word]
        is_offered = substitute.removeprefix("--") in allowed
        return substitute if is_offered or substitute[:1] == "/" else ""
    aliases = [alias for alias, name in ALIASES.items() if name in allowed]
    close = difflib.get_close_matches(
        word[:LONGEST_SHOWN],
        [*allowed, *aliases],
        n=1,
    )
    return f"--{close[0]}" if close else ""


def _split_value(
    text: str,
    position: int,
    option: OptionSpec,
) -> tuple[str, int]:
    """The option's value as text, and where the words continue."""
    if option.is_flag:
        following_sign = text[position : position + 1]
        if following_sign in VALUE_SIGNS:
            raise Rejected("grammar.flag_value", option=f"--{option.name}")
        return "", position
    start = _skip(SEPARATOR, text, position)
    if quoted := QUOTED.match(text, start):
        return _inside_quotes(quoted[0]), quoted.end()
    following = _next_option(text, start)
    end = following.start() if following else len(text)
    # A free text takes all words up to the next option.
    if option.kind is OptionKind.TEXT:
        return text[start:end].strip(), end
    pattern = PATTERNS.get(option.kind, BARE)
    bare = pattern.match(text, start, end)
    if bare is None:
        return "", start
    # A stop behind the value ends a sentence of the prompt that is gone.
    value = bare[0].rstrip(",.;!?")
    position = _skip(FOLLOWING_STOP, text, bare.end())
    return value, position


def _skip(pattern: "re.Pattern[str]", text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _without_shelter(prompt: str) -> str:
    """Without quotes or code marks around the whole prompt: they only protected it."""
    if WHOLE_CODE.fullmatch(prompt):
        return prompt.strip("`").strip()
    if not prompt.startswith(('"', "“", "＂")):
        return prompt
    if not QUOTED.fullmatch(prompt):
        return prompt
    return _inside_quotes(prompt).strip()


def _inside_quotes(quoted: str) -> str:
    """Without its quotes and, between straight ones, without escapes."""
    inside = quoted[1:-1]
    if quoted[0] != '"':
        return inside
    return re.sub(r'\\(["\\])', r"\1", inside)
