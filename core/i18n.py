"""Every sentence a person sees, in their language: ``translate(key, locale, **params)``."""

import re
from collections.abc import Sequence
from datetime import datetime

from core.languages import sentences
from core.types import Money

LONGEST = 2000
"""Characters of a parameter; what is longer is cut with an ellipsis."""
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
SIGNS = {"CNY": "¥", "USD": "$"}
BETWEEN = {"zh-CN": "、", "zh-TW": "、"}
SPACELESS = frozenset({"zh-CN", "zh-TW"})
"""Languages whose full stop brings its own room."""


def translate(key: str, locale: str, /, **params: object) -> str:
    """The sentence, its ``{placeholders}`` filled.

    Parameters are data: braces in them stay as they are.

    Raises KeyError for an unknown key, or a placeholder without a value.
    """
    language = nearest(locale)
    text = sentences(language).get(key) or sentences("en")[key]
    return PLACEHOLDER.sub(lambda found: _shown(params[found[1]], language), text)


def join_list(locale: str, *sentences: str) -> str:
    """Sentences one after another, as the language writes them."""
    return ("" if nearest(locale) in SPACELESS else " ").join(sentences)


def nearest(locale: str) -> str:
    """The language we have for a platform's locale.

    Zh-Hant and zh-HK read Traditional, other zh Simplified.
    """
    language, *details = locale.replace("_", "-").lower().split("-")
    if language == "zh":
        is_traditional = "hans" not in details and not {
            "tw",
            "hk",
            "mo",
            "hant",
        }.isdisjoint(details)
        return "zh-TW" if is_traditional else "zh-CN"
    return {"in": "id", "id": "id"}.get(language, "en")


def _shown(value: object, language: str) -> str:
    if isinstance(value, Money):
        return money(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return BETWEEN.get(language, ", ").join(_shown(one, language) for one in value)
    return clip(str(value), LONGEST)


def clip(text: str, limit: int) -> str:
    """At most so many characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)].rstrip()}…"


def money(value: Money) -> str:
    """¥0.20, $0.035: at least two decimals, no needless zeros behind."""
    amount = f"{value.amount:.6f}".rstrip("0")
    decimals = max(2, len(amount.partition(".")[2]))
    return (
        f"{SIGNS.get(value.currency, value.currency + ' ')}{value.amount:.{decimals}f}"
    )
