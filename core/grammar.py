"""The option grammar, one for all platforms: a prompt, and options anywhere in it.

Chinese keyboards and phones are understood: full-width letters, digits and signs, em and en dashes
for ``--``, curly quotes, no space before an option. Digits other than ASCII and full-width ones are
refused. Text in double quotes is always prompt; quotes around the whole prompt only shelter it, and
inside them ``\\"`` and ``\\\\`` are escapes.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import Rejected
from core.i18n import clip
from core.operations import STANDALONE, command_words
from core.types import Action, Options, Size

LONGEST = 20_000
LONGEST_SHOWN = 40
"""Characters of what a person typed that a refusal repeats."""
MAX_MARKS = 6
"""Combining marks kept on one letter: more is zalgo."""
MAX_SEED = 2_147_483_647
MAX_SIDE = 8192
REGIONS = ("left", "right", "top", "bottom", "center")
RATIOS = {
    "square": (1, 1),
    "portrait": (3, 4),
    "landscape": (4, 3),
    "wide": (16, 9),
    "tall": (9, 16),
}
ALIASES = {"negative": "no", "aspect": "ar", "ratio": "ar"}
FLAG_WORDS = dict.fromkeys(("", "true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)

# How text is cut into words, quotes and options

DASHES = "-－—–―−﹣"
CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
NAME = "[A-Za-zＡ-Ｚａ-ｚ][A-Za-zＡ-Ｚａ-ｚ_＿-]*"
STRAIGHT = r'"(?=\S)(?:[^"\\]|\\.)*"'
QUOTES = r'“[^“”"]*[”"]|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』|＂[^＂]*＂'
QUOTED = re.compile(f"{STRAIGHT}|{QUOTES}", re.DOTALL)
TOKEN = re.compile(
    # 5" is inches, so a straight quote opens no quotation after a letter or digit; Chinese has no
    # spaces before one.
    rf"(?<![^\W{CJK}])(?<![\\\"]){STRAIGHT}|{QUOTES}"
    rf"|(?<!\S)[{DASHES}](?P<short>[nｎ])(?![^\s=＝:：\d])"
    rf"|(?<![^\s{CJK},.;!?)”»\"])(?<![{DASHES}])[-－]{{2,}}(?P<long>{NAME})"
    rf"|(?<!\S)[{DASHES}]{{2,}}(?P<typeset>{NAME})"
    rf"|(?<!\S)[—―–](?P<lone>{NAME})"
    r'|(?<!\S)(?P<unclosed>["“])(?=\S)',
    re.DOTALL,
)
SEPARATOR = re.compile(r"[\s=＝:：]*")
STOPS = "，。；、！？"
BARE = re.compile(rf"(?:[^\s{STOPS}]|[{STOPS}](?=\d))+")
PAIR = re.compile(
    rf"\d+\s*[x×*✕＊ｘX:：/]\s*\d+(?![^\s{STOPS},.;!?])(?!\s*[x×*✕＊]\s*\d)|{BARE.pattern}",
)
FOLLOWING_STOP = re.compile(f"[{STOPS},.;!?]*")

# What is never kept

ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
JOINED = "\u0600-\u1fff\u2300-\u2bff\ufe0f\U0001f000-\U0010ffff"
"""Scripts and emoji in which the zero-width joiners mean something; elsewhere they only hide."""
STRAY_JOINER = re.compile(
    f"(?<![{JOINED}])[\u200c\u200d]+|[\u200c\u200d]+(?![{JOINED}])|[\u200c\u200d]{{2,}}"
)
KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a person wrote, taken apart."""

    prompt: str
    options: Options


def parse(text: str, given: Mapping[str, str] | None = None) -> Parsed:
    """Take the text apart.

    ``given`` are options a platform asked for in fields of its own, under the same rules.

    Raises Rejected naming the option, the legal values and the nearest one.
    """
    given = given or {}
    _check_length(text, *given.values())
    prompt, written = _take_apart(clean(text))
    options = Options()
    seen: set[str] = set()
    for name, value in [
        *((_known(one), clean(value)) for one, value in given.items()),
        *written,
    ]:
        if name in seen:
            raise Rejected("grammar.duplicate", option=f"--{name}")
        seen.add(name)
        options = replace(options, **{RULES[name].field: RULES[name].read(name, value)})
    return Parsed(prompt=prompt, options=options)


def write(parsed: Parsed) -> str:
    """The printed form: ``parse(write(p)) == p``.

    The prompt stands in quotes only where it must.
    """
    values = (
        (name, getattr(parsed.options, rule.field)) for name, rule in RULES.items()
    )
    given = [
        (name, value)
        for name, value in values
        if value is not None and value is not False
    ]  # 0 is a value
    options = "".join(_printed(name, value) for name, value in given)
    plain = parsed.prompt + options
    return (
        plain.strip() if _reads_as(plain, parsed) else _quoted(parsed.prompt) + options
    )


def _printed(name: str, value: object) -> str:
    return f" --{name}" if value is True else f" --{name} {RULES[name].write(value)}"


def _reads_as(text: str, parsed: Parsed) -> bool:
    try:
        return parse(text) == parsed
    except Rejected:
        return False


def has_words(prompt: str) -> bool:
    """Is there a letter or digit of any script in it?

    Emoji alone, keycaps such as 1️⃣ too, say too little to draw.
    """
    return any(
        unicodedata.category(letter)[0] in "LN" for letter in KEYCAP.sub("", prompt)
    )


def clean(text: str) -> str:
    """Composed, lines ending in \\n, without control, bidirectional and hidden characters, few marks on a letter."""
    text = INVISIBLE.sub("", LINE_END.sub("\n", ANSI.sub("", text)))
    text = unicodedata.normalize("NFC", STRAY_JOINER.sub("", text))
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in {"Mn", "Me"} else 0
        if marks <= MAX_MARKS:
            kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def command(name: str, text: str) -> tuple[Action, str]:
    """The action of ``/draw``, ``/edit``, ``/wanx FUNCTION`` or ``/easel WORD`` and the text that is left.

    ``/easel`` alone asks for help. Raises Rejected naming the nearest word and all of them.
    """
    if name in STANDALONE:
        return STANDALONE[name], text
    _check_length(text)
    words = command_words(name)
    first, rest = (*clean(text).split(maxsplit=1), "", "")[:2]
    chosen = _plain(first).lower().replace("_", "-")
    if chosen in words:
        return words[chosen], rest
    if chosen:
        raise Rejected(
            "grammar.unknown_word",
            word=_short(first),
            nearest=_nearest(chosen, words),
            allowed=list(words),
        )
    if name == "wanx":
        raise Rejected("grammar.word_missing", allowed=list(words))
    return Action.HELP, ""


def _check_length(*texts: str) -> None:
    length = max(map(len, texts))
    if length > LONGEST:
        raise Rejected("grammar.too_long", length=length, limit=LONGEST)


def _take_apart(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The prompt and the options as written, values still text."""
    found: list[tuple[str, str]] = []
    kept: list[str] = []
    position = 0
    while option := _next_option(text, position):
        kept.append(text[position : option.start()])
        name = _known(option[option.lastgroup or 0])
        value, position = _value(text, option.end(), name)
        found.append((name, value))
        if len(found) > len(RULES):
            raise Rejected("grammar.duplicate", option=f"--{name}")
    kept.append(text[position:])
    return _unquoted(" ".join(part.strip() for part in kept if part.strip())), found


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


def _is_prose(option: "re.Match[str]") -> bool:
    """A lone dash before a word that is no option, nor a slip of one with a number.

    "a cat —sleeping".
    """
    if option.lastgroup != "lone":
        return False
    name = _plain(option["lone"]).lower()
    is_close = difflib.get_close_matches(
        name[:LONGEST_SHOWN], [*RULES, *ALIASES], n=1, cutoff=0.7
    )
    start = _after(SEPARATOR, option.string, option.end())
    has_number = option.string[start : start + 1].isdecimal()
    return not (name in RULES or name in ALIASES or (is_close and has_number))


def _known(name: str) -> str:
    wanted = _plain(name).lower().replace("_", "-").strip("-")
    wanted = ALIASES.get(wanted, wanted)
    if wanted not in RULES:
        nearest = _nearest(wanted, [*RULES, *ALIASES])
        allowed = [f"--{one}" for one in RULES]
        raise Rejected(
            "grammar.unknown_option",
            option=f"--{_short(name)}",
            nearest=f"--{nearest}",
            allowed=allowed,
        )
    return wanted


def _nearest(word: str, known: "Mapping[str, object] | list[str]") -> str:
    return difflib.get_close_matches(word[:LONGEST_SHOWN], known, n=1, cutoff=0)[0]


def _value(text: str, position: int, name: str) -> tuple[str, int]:
    """The option's value and where the text goes on.

    A flag has none; --no takes all words up to the next option.
    """
    rule = RULES[name]
    if rule.is_flag:
        if text[position : position + 1] in {"=", "＝", ":", "："}:
            raise Rejected("grammar.flag_value", option=f"--{name}")
        return "", position
    start = _after(SEPARATOR, text, position)
    if quoted := QUOTED.match(text, start):
        return _inside(quoted[0]), quoted.end()
    following = _next_option(text, start)
    end = following.start() if following else len(text)
    if name == "no":
        return text[start:end].strip(), end
    found = rule.bare.match(text, start, end)
    if found is None:
        return "", start
    return found[0].rstrip(",.;!?"), _after(FOLLOWING_STOP, text, found.end())


def _after(skipped: "re.Pattern[str]", text: str, position: int) -> int:
    found = skipped.match(text, position)
    return found.end() if found else position


def _unquoted(prompt: str) -> str:
    """Quotes around the whole prompt were only there to shelter it."""
    is_whole = prompt[:1] in {'"', "“", "＂"} and QUOTED.fullmatch(prompt)
    return _inside(prompt).strip() if is_whole else prompt


def _inside(quoted: str) -> str:
    """Without its quotes and, between straight ones, without escapes."""
    return (
        re.sub(r'\\(["\\])', r"\1", quoted[1:-1]) if quoted[0] == '"' else quoted[1:-1]
    )


# The options: how each is read, written and explained


def _plain(value: str) -> str:
    """Full-width letters, digits and signs as ASCII; nothing else is touched."""
    return "".join(
        chr(ord(letter) - 0xFEE0) if "！" <= letter <= "～" else letter
        for letter in value
    )


def _short(value: str) -> str:
    return clip(value, LONGEST_SHOWN)


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        text = _plain(_present(name, value))
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise _refused(name, value, f"{round(_nearest_number(text, low, high))}")
        return int(text)

    return read


def _decimal(low: float, high: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        text = _plain(_present(name, value)).replace(",", ".")
        if (
            not re.fullmatch(r"-?([0-9]{1,6}(\.[0-9]{1,6})?|\.[0-9]{1,6})", text)
            or not low <= float(text) <= high
        ):
            raise _refused(name, value, f"{_nearest_number(text, low, high):g}")
        return abs(float(text))  # "-0" is 0

    return read


def _nearest_number(text: str, low: float, high: float) -> float:
    try:
        number = float(text) if len(text) < 20 else high
    except ValueError:
        return low
    return min(high, max(low, number))  # in this order NaN ends as the lowest


def _present(name: str, value: str) -> str:
    if not value:
        raise Rejected(
            "grammar.value_missing", option=f"--{name}", allowed=RULES[name].allowed
        )
    return value


def _refused(name: str, value: str, nearest: str) -> Rejected:
    allowed = RULES[name].allowed
    return Rejected(
        "grammar.value",
        option=f"--{name}",
        value=_short(value),
        allowed=allowed,
        nearest=nearest,
    )


def _read_size(name: str, value: str) -> Size:
    text = _plain(_present(name, value)).lower()
    found = re.fullmatch(r"([0-9]{1,6})\s*[x×*✕]\s*([0-9]{1,6})", text)
    if not found or not (
        1 <= int(found[1]) <= MAX_SIDE and 1 <= int(found[2]) <= MAX_SIDE
    ):
        raise _refused(name, value, "1328*1328")
    return Size(width=int(found[1]), height=int(found[2]))


def _read_ratio(name: str, value: str) -> tuple[int, int]:
    text = _plain(_present(name, value)).lower()
    if text in RATIOS:
        return RATIOS[text]
    found = re.fullmatch(r"([0-9]{1,4})\s*[:/x×]\s*([0-9]{1,4})", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (width and height):
        raise _refused(
            name,
            value,
            (difflib.get_close_matches(text[:LONGEST_SHOWN], RATIOS, n=1) or ["16:9"])[
                0
            ],
        )
    if width > 8 * height or height > 8 * width:
        raise _refused(name, value, "8:1" if width > height else "1:8")
    return width, height


def _read_region(name: str, value: str) -> str:
    wanted = _plain(_present(name, value)).lower()
    wanted = {"centre": "center", "middle": "center"}.get(wanted, wanted)
    if wanted not in REGIONS:
        raise _refused(name, value, _nearest(wanted, list(REGIONS)))
    return wanted


def _read_text(name: str, value: str) -> str:
    text = clean(value)
    if not text:
        raise Rejected("grammar.text_missing", option=f"--{name}")
    return text


def _read_flag(name: str, value: str) -> bool:
    if value.lower() not in FLAG_WORDS:
        raise Rejected("grammar.flag_value", option=f"--{name}")
    return FLAG_WORDS[value.lower()]


def _quoted(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _word(value: str) -> str:
    """In quotes only if it must be."""
    return (
        value
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*(?<![.])", value)
        else _quoted(value)
    )


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One option: the field of Options it fills, how it is read, written and shown; ``bare``.

    A value unquoted.
    """

    field: str
    read: Callable[[str, str], Any]
    allowed: str = ""
    write: Callable[[Any], str] = str
    is_flag: bool = False
    bare: "re.Pattern[str]" = BARE


def _flag(name: str) -> Rule:
    return Rule(field=name, read=_read_flag, is_flag=True)


def _side(name: str) -> Rule:
    return Rule(field=name, read=_decimal(1, 2), allowed="1.0–2.0", write=_number)


RULES: dict[str, Rule] = {
    "n": Rule(field="n", read=_whole(1, 6), allowed="1–6"),
    "size": Rule(
        field="size", read=_read_size, allowed=f"W*H ≤ {MAX_SIDE}*{MAX_SIDE}", bare=PAIR
    ),
    "ar": Rule(
        field="ratio",
        read=_read_ratio,
        allowed=f"1:8–8:1, {', '.join(RATIOS)}",
        write=lambda ratio: f"{ratio[0]}:{ratio[1]}",
        bare=PAIR,
    ),
    "seed": Rule(field="seed", read=_whole(0, MAX_SEED), allowed=f"0–{MAX_SEED}"),
    "no": Rule(field="negative", read=_read_text, write=_quoted),
    "model": Rule(field="model", read=_read_text, write=_word),
    "raw": _flag("raw"),
    "watermark": _flag("watermark"),
    "private": _flag("private"),
    "strength": Rule(
        field="strength", read=_decimal(0, 1), allowed="0–1", write=_number
    ),
    "scale": Rule(field="scale", read=_whole(1, 4), allowed="1–4"),
    "top": _side("top"),
    "bottom": _side("bottom"),
    "left": _side("left"),
    "right": _side("right"),
    "sketch": _flag("sketch"),
    "mask": Rule(field="mask", read=_read_region, allowed=", ".join(REGIONS)),
}
assert {rule.field for rule in RULES.values()} == {one.name for one in fields(Options)}  # noqa: S101
