"""The option grammar, one for all platforms (product.md §2): a prompt, and options anywhere after its first word.

Chinese keyboards and phones are understood: full-width digits and signs, em dashes for ``--``, curly quotes.
Digits other than ASCII and full-width ones are refused. Text in double quotes is always prompt.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import Rejected
from core.types import Action, Options, Size

LONGEST = 20_000
MAX_MARKS = 4
"""Combining marks kept on one letter: more is zalgo."""
MAX_SEED = 2_147_483_647
REGIONS = ("left", "right", "top", "bottom", "center")
RATIOS = {
    "square": (1, 1),
    "portrait": (3, 4),
    "landscape": (4, 3),
    "wide": (16, 9),
    "tall": (9, 16),
}
ALIASES = {"negative": "no", "aspect": "ar"}
DASHES = "-－—–―−﹣"
QUOTES = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "＂": '"', "「": '"', "」": '"'}
OPTION = re.compile(
    rf"(?<!\S)(?:[{DASHES}]{{2,}}|[—―])([A-Za-z][A-Za-z_-]*)|(?<!\S)[{DASHES}](n)(?![^\s=＝:：\d０-９])"
)
QUOTED = re.compile(r'(?<!\S)"[^"]*"(?!\S)')
VALUE = re.compile(r'[\s=＝:：]*(?:"([^"]*)"|(\S+))')
INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff]"
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a person wrote, taken apart."""

    prompt: str
    options: Options


def parse(text: str, given: Mapping[str, str] | None = None) -> Parsed:
    """Take the text apart; ``given`` are options a platform asked for in fields of its own, under the same rules.

    Raises Rejected naming the option, the legal values and the nearest one.
    """
    if len(text) > LONGEST:
        raise Rejected("grammar.too_long", length=len(text), limit=LONGEST)
    prompt, written = _take_apart(clean(text))
    options = Options()
    seen: set[str] = set()
    for name, value in [*((_known(one), value) for one, value in (given or {}).items()), *written]:
        if name in seen:
            raise Rejected("grammar.duplicate", option=f"--{name}")
        seen.add(name)
        options = replace(options, **{RULES[name].field: RULES[name].read(name, value)})
    return Parsed(prompt=prompt, options=options)


def write(parsed: Parsed) -> str:
    """The printed form: ``parse(write(p)) == p``."""
    words = [_sheltered(parsed.prompt)] if parsed.prompt else []
    for name, rule in RULES.items():
        value = getattr(parsed.options, rule.field)
        if value is None or value is False:
            continue
        words.append(f"--{name}" if value is True else f"--{name} {rule.write(value)}")
    return " ".join(words)


def _sheltered(prompt: str) -> str:
    """As it is where it reads back the same, else in quotes."""
    try:
        same = _take_apart(prompt) == (prompt, [])
    except Rejected:
        same = False
    return prompt if same else _quoted(prompt)


def has_words(prompt: str) -> bool:
    """Is there a letter or digit of any script in it? Emoji alone say too little to draw."""
    return any(unicodedata.category(letter)[0] in "LN" for letter in prompt)


def clean(text: str) -> str:
    """Composed, without control, bidirectional and zero-width characters, and few marks on a letter."""
    text = INVISIBLE.sub("", ANSI.sub("", unicodedata.normalize("NFC", text.replace("\r\n", "\n"))))
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= MAX_MARKS:
            kept.append(letter)
    return "".join(kept).strip()


def command(name: str, text: str) -> tuple[Action, str]:
    """The action of ``/draw``, ``/edit``, ``/wanx FUNCTION`` or ``/easel WORD`` and the text that is left.

    Raises Rejected naming the nearest word and all of them.
    """
    if name in {"draw", "edit"}:
        return Action(name), text
    words = _words(name)
    first, _, rest = text.strip().partition(" ")
    chosen = first.lower().replace("_", "-")
    if chosen not in words:
        nearest = difflib.get_close_matches(chosen, words, n=1, cutoff=0)
        raise Rejected("grammar.unknown_word", word=first, nearest=nearest[0], allowed=list(words))
    return words[chosen], rest.strip()


def _words(name: str) -> dict[str, Action]:
    if name == "wanx":
        return {action.value.removeprefix("wanx."): action for action in Action if action.is_wanx}
    made = {Action.DRAW, Action.EDIT}
    return {a.value.replace("_", "-"): a for a in Action if not a.is_wanx and a not in made}


def _take_apart(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The prompt and the options as written, values still text."""
    for curly, straight in QUOTES.items():
        text = text.replace(curly, straight)
    sheltered = [span.span() for span in QUOTED.finditer(text)]
    if _is_unbalanced(text, sheltered):
        raise Rejected("grammar.quote")
    found: list[tuple[str, str]] = []
    kept: list[str] = []
    position = 0
    while option := _next_option(text, position, sheltered):
        kept.append(text[position : option.start()])
        name = _known(option[1] or option[2])
        value, position = _value(text, option.end(), name)
        found.append((name, value))
        if len(found) > len(RULES):
            raise Rejected("grammar.duplicate", option=f"--{name}")
    kept.append(text[position:])
    return _unquoted(" ".join(part.strip() for part in kept if part.strip())), found


def _is_unbalanced(text: str, sheltered: list[tuple[int, int]]) -> bool:
    """A double quote that opens a word and is never closed."""
    opening = [at.start() for at in re.finditer(r'(?<!\S)"(?=\S)', text)]
    return text.count('"') % 2 == 1 and any(not any(start <= at < end for start, end in sheltered) for at in opening)


def _next_option(text: str, position: int, sheltered: list[tuple[int, int]]) -> "re.Match[str] | None":
    for option in OPTION.finditer(text, position):
        inside_quotes = any(start <= option.start() < end for start, end in sheltered)
        if not inside_quotes and not _is_prose(option):
            return option
    return None


def _is_prose(option: "re.Match[str]") -> bool:
    """A lone dash before a word like no option: "a cat —sleeping"."""
    lone = option[1] is not None and option[0][: -len(option[1])] in {"—", "―"}
    return lone and not difflib.get_close_matches(option[1].lower(), [*RULES, *ALIASES], n=1, cutoff=0.75)


def _known(name: str) -> str:
    wanted = name.lower().replace("_", "-").strip("-")
    wanted = ALIASES.get(wanted, wanted)
    if wanted not in RULES:
        nearest = difflib.get_close_matches(wanted, [*RULES, *ALIASES], n=1, cutoff=0)
        allowed = [f"--{one}" for one in RULES]
        raise Rejected("grammar.unknown_option", option=f"--{name}", nearest=f"--{nearest[0]}", allowed=allowed)
    return wanted


def _value(text: str, position: int, name: str) -> tuple[str, int]:
    """The option's value and where the text goes on. A flag has none; --no takes all words up to the next option."""
    if RULES[name].is_flag:
        return "", position
    found = VALUE.match(text, position)
    if found is None or (found[2] is not None and OPTION.match(text, found.start(2)) and name != "seed"):
        raise Rejected("grammar.value_missing", option=f"--{name}", allowed=RULES[name].allowed)
    if name == "no" and found[1] is None:
        following = OPTION.search(text, found.start(2))
        end = following.start() if following else len(text)
        return text[found.start(2) : end].strip(), end
    return found[1] if found[1] is not None else found[2], found.end()


def _unquoted(prompt: str) -> str:
    """Quotes around the whole prompt were only there to shelter it."""
    if len(prompt) >= 2 and prompt[0] == prompt[-1] == '"' and '"' not in prompt[1:-1]:
        return prompt[1:-1].strip()
    return prompt


# The options: how each is read, written and explained


def _plain_digits(value: str) -> str:
    """Full-width digits and signs as ASCII."""
    return "".join(unicodedata.normalize("NFKC", letter) if "！" <= letter <= "～" else letter for letter in value)


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        text = _plain_digits(value)
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise _refused(name, value, _nearest_number(text, low, high))
        return int(text)

    return read


def _decimal(low: float, high: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        text = _plain_digits(value)
        if not re.fullmatch(r"-?[0-9]{1,6}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
            raise _refused(name, value, _nearest_number(text, low, high))
        return float(text)

    return read


def _nearest_number(text: str, low: float, high: float) -> str:
    try:
        number = float(text) if len(text) < 20 else high
    except ValueError:
        number = low
    return f"{high if number > high else low:g}" if not low <= number <= high else f"{round(number):d}"


def _refused(name: str, value: str, nearest: str) -> Rejected:
    shown = value if len(value) <= 40 else f"{value[:39]}…"
    return Rejected("grammar.value", option=f"--{name}", value=shown, allowed=RULES[name].allowed, nearest=nearest)


def _read_size(name: str, value: str) -> Size:
    text = _plain_digits(value).lower()
    found = re.fullmatch(r"([0-9]{1,6})\s*[x×*✕]\s*([0-9]{1,6})", text)
    if not found or not (1 <= int(found[1]) <= 8192 and 1 <= int(found[2]) <= 8192):
        raise _refused(name, value, "1328*1328")
    return Size(width=int(found[1]), height=int(found[2]))


def _read_ratio(name: str, value: str) -> tuple[int, int]:
    text = _plain_digits(value).lower()
    if text in RATIOS:
        return RATIOS[text]
    found = re.fullmatch(r"([0-9]{1,4})\s*[:/x×]\s*([0-9]{1,4})", text)
    if not found or not int(found[1]) or not int(found[2]) or not 1 / 8 <= int(found[1]) / int(found[2]) <= 8:
        raise _refused(name, value, "16:9")
    return int(found[1]), int(found[2])


def _read_region(name: str, value: str) -> str:
    wanted = {"centre": "center", "middle": "center"}.get(value.lower(), value.lower())
    if wanted not in REGIONS:
        raise _refused(name, value, difflib.get_close_matches(wanted, REGIONS, n=1, cutoff=0)[0])
    return wanted


def _read_text(name: str, value: str) -> str:
    text = clean(value).replace('"', "'")
    if not text:
        raise Rejected("grammar.value_missing", option=f"--{name}", allowed=RULES[name].allowed)
    return text


def _read_flag(_name: str, _value: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One option: the field of Options it fills, how it is read and written, its legal values as shown."""

    field: str
    read: Callable[[str, str], Any]
    allowed: str = ""
    write: Callable[[Any], str] = str
    is_flag: bool = False


def _quoted(value: str) -> str:
    return '"' + value.replace('"', "'") + '"'


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _sides(name: str) -> Rule:
    return Rule(field=name, read=_decimal(1, 2), allowed="1.0–2.0", write=_number)


RULES: dict[str, Rule] = {
    "n": Rule(field="n", read=_whole(1, 6), allowed="1–6"),
    "size": Rule(field="size", read=_read_size, allowed="W*H, 1328*1328"),
    "ar": Rule(
        field="ratio",
        read=_read_ratio,
        allowed="16:9, 4:3, 1:1, 3:4, 9:16, square, portrait, landscape",
        write=lambda ratio: f"{ratio[0]}:{ratio[1]}",
    ),
    "seed": Rule(field="seed", read=_whole(0, MAX_SEED), allowed=f"0–{MAX_SEED}"),
    "no": Rule(field="negative", read=_read_text, allowed="text", write=_quoted),
    "model": Rule(field="model", read=_read_text, allowed="easel models", write=_quoted),
    "raw": Rule(field="raw", read=_read_flag, is_flag=True),
    "watermark": Rule(field="watermark", read=_read_flag, is_flag=True),
    "private": Rule(field="private", read=_read_flag, is_flag=True),
    "strength": Rule(field="strength", read=_decimal(0, 1), allowed="0–1", write=_number),
    "scale": Rule(field="scale", read=_whole(1, 4), allowed="1–4"),
    "top": _sides("top"),
    "bottom": _sides("bottom"),
    "left": _sides("left"),
    "right": _sides("right"),
    "sketch": Rule(field="sketch", read=_read_flag, is_flag=True),
    "mask": Rule(field="mask", read=_read_region, allowed=", ".join(REGIONS)),
}
assert {rule.field for rule in RULES.values()} == {one.name for one in fields(Options)}  # noqa: S101
