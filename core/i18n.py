"""Every sentence a person sees, in their language: core/locales/*.toml.

``say(key, locale, **params)``.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from core.types import Money

LOCALES = ("en", "zh-CN", "zh-TW", "id")
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


@cache
def sentences(language: str) -> Mapping[str, str]:
    """Key → sentence of one language."""
    text = (files("core") / "locales" / f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text), ""))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += (
            [(prefix + name, value)]
            if isinstance(value, str)
            else _flat(value, f"{prefix}{name}.")
        )
    return found


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
