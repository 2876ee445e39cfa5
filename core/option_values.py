"""The value of an option: read from what a person typed, and written back."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from core.errors import Rejected
from core.i18n import clip
from core.options import (
    MAX_RATIO,
    MAX_SIDE,
    RATIO_NAMES,
    OptionKind,
    OptionSpec,
)
from core.size import Size
from core.text import clean, to_ascii

LONGEST_NUMBER = 20
LONGEST_SHOWN = 40
"""Characters of what a person typed that a refusal repeats."""
WHOLE = re.compile(r"-?[0-9]{1,12}")
DECIMAL = re.compile(r"-?([0-9]{1,6}(\.[0-9]{1,6})?|\.[0-9]{1,6})")
SIZE = re.compile(r"([0-9]{1,6})\s*[x×*✕]\s*([0-9]{1,6})")
RATIO = re.compile(r"([0-9]{1,4})\s*[:/x×]\s*([0-9]{1,4})")
BARE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(?<![.])")
FLAG_WORDS = {
    "": True,
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
EXAMPLE_SIZE = "1328*1328"
EXAMPLE_RATIO = "16:9"


def read_value(option: OptionSpec, text: str) -> Any:
    """The value of an option as Options holds it.

    Raises Rejected naming the option, the legal values and the nearest one.
    """
    if option.kind is OptionKind.FLAG:
        return _read_flag(option, text)
    if option.kind in {OptionKind.TEXT, OptionKind.MODEL}:
        return _read_text(option, text)
    if not text:
        raise Rejected(
            "grammar.value_missing",
            option=f"--{option.name}",
            allowed=option.allowed,
        )
    return READERS[option.kind](option, text)


def write_value(option: OptionSpec, value: Any) -> str:
    """The value as it is typed: reading it gives the same."""
    if option.kind is OptionKind.DECIMAL:
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if option.kind is OptionKind.RATIO:
        width, height = value
        return f"{width}:{height}"
    if option.kind is OptionKind.TEXT:
        return quote(value)
    # Any other sign could be read as the end of the name.
    if option.kind is OptionKind.MODEL and not BARE_WORD.fullmatch(value):
        return quote(value)
    return str(value)


def quote(text: str) -> str:
    """In straight quotes, with escapes."""
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'


def shorten(text: str) -> str:
    """As much of what a person typed as a refusal repeats."""
    return clip(text, LONGEST_SHOWN)


def refuse_unknown(
    key: str,
    near_key: str,
    word: str,
    allowed: Sequence[str],
) -> Rejected:
    """Name what is allowed, and by ``near_key`` the one that ``word`` is a slip of."""
    close = difflib.get_close_matches(word[:LONGEST_SHOWN], allowed, n=1)
    if not close:
        return Rejected(key, word=shorten(word), allowed=list(allowed))
    return Rejected(
        near_key,
        word=shorten(word),
        nearest=close[0],
        allowed=list(allowed),
    )


def nearest_word(word: str, words: list[str]) -> str:
    """Return the word that a person most likely meant."""
    [nearest] = difflib.get_close_matches(
        word[:LONGEST_SHOWN],
        words,
        n=1,
        cutoff=0,
    )
    return nearest


def _read_flag(option: OptionSpec, text: str) -> bool:
    word = text.lower()
    if word not in FLAG_WORDS:
        raise Rejected("grammar.flag_value", option=f"--{option.name}")
    return FLAG_WORDS[word]


def _read_text(option: OptionSpec, text: str) -> str:
    text = clean(text)
    if not text:
        raise Rejected("grammar.text_missing", option=f"--{option.name}")
    return text


def _read_whole(option: OptionSpec, text: str) -> int:
    digits = to_ascii(text)
    if WHOLE.fullmatch(digits):
        number = int(digits)
        if option.low <= number <= option.high:
            return number
    nearest = round(_nearest_number(option, digits))
    raise _refusal(option, text, f"{nearest}")


def _read_decimal(option: OptionSpec, text: str) -> float:
    # Half of Europe writes 0,5.
    digits = to_ascii(text).replace(",", ".")
    if DECIMAL.fullmatch(digits):
        number = float(digits)
        if option.low <= number <= option.high:
            # "-0" is 0.
            return abs(number)
    nearest = _nearest_number(option, digits)
    raise _refusal(option, text, f"{nearest:g}")


def _nearest_number(option: OptionSpec, digits: str) -> float:
    # A long row of digits would only become infinite.
    if len(digits) >= LONGEST_NUMBER:
        return option.high
    try:
        number = float(digits)
    except ValueError:
        return option.low
    # In this order "nan" ends as the lowest.
    at_least_low = max(option.low, number)
    return min(option.high, at_least_low)


def _read_size(option: OptionSpec, text: str) -> Size:
    # The width and height that a model takes are its own matter (core.model_sizes).
    if match := SIZE.fullmatch(to_ascii(text).lower()):
        width = int(match[1])
        height = int(match[2])
        if 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE:
            return Size(width=width, height=height)
    raise _refusal(option, text, EXAMPLE_SIZE)


def _read_ratio(option: OptionSpec, text: str) -> tuple[int, int]:
    word = to_ascii(text).lower()
    if word in RATIO_NAMES:
        return RATIO_NAMES[word]
    width = height = 0
    if match := RATIO.fullmatch(word):
        width = int(match[1])
        height = int(match[2])
    if not (width and height):
        raise _refusal(option, text, _nearest_ratio(word))
    if width > MAX_RATIO * height:
        raise _refusal(option, text, f"{MAX_RATIO}:1")
    if height > MAX_RATIO * width:
        raise _refusal(option, text, f"1:{MAX_RATIO}")
    return width, height


def _nearest_ratio(word: str) -> str:
    """A slip of a name gets that name; anything else an example."""
    word = word[:LONGEST_SHOWN]
    close = difflib.get_close_matches(word, RATIO_NAMES, n=1)
    return close[0] if close else EXAMPLE_RATIO


def _read_choice(option: OptionSpec, text: str) -> str:
    word = to_ascii(text).lower()
    if option.synonyms:
        word = option.synonyms.get(word, word)
    if word not in option.choices:
        nearest = nearest_word(word, list(option.choices))
        raise _refusal(option, text, nearest)
    return word


READERS = {
    OptionKind.WHOLE: _read_whole,
    OptionKind.DECIMAL: _read_decimal,
    OptionKind.SIZE: _read_size,
    OptionKind.RATIO: _read_ratio,
    OptionKind.CHOICE: _read_choice,
}


def _refusal(option: OptionSpec, text: str, nearest: str) -> Rejected:
    return Rejected(
        "grammar.value",
        option=f"--{option.name}",
        value=shorten(text),
        allowed=option.allowed,
        nearest=nearest,
    )
