"""Every sentence a person sees, in their language: ``translate(key, locale, **params)``."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache

from babel.core import Locale, UnknownLocaleError, get_global, negotiate_locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, get_currency_symbol

from core.languages import DEFAULT, Plural, languages, meta, sentences
from core.types import Money

LONGEST = 2000
"""Characters of a parameter; what is longer is cut with an ellipsis."""
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
SIGNS = {"CNY": "¥", "USD": "$"}
"""Shorter than CLDR's ``CN¥`` and ``US$``: no price here is in another yuan or dollar."""


def translate(key: str, locale: str, /, **params: object) -> str:
    """Say a sentence in the language nearest to a locale, its ``{placeholders}`` filled.

    Parameters are data: braces in them stay as they are.

    Raises KeyError for an unknown key, or a placeholder without a value.
    """
    language = negotiate(locale)
    text = sentences(language)[key]
    if isinstance(text, Plural):
        number = params[text.by]
        # English words in another language's stead have only the forms of English.
        template = text.forms.get(plural_category(number, language))
        template = template or text.forms["other"]
        params = {**params, text.by: format_number(number, language)}
    else:
        template = text
    return PLACEHOLDER.sub(
        lambda match: _format(params[match[1]], language), template
    )


def join_list(locale: str, *texts: str) -> str:
    """Put sentences one after another, as the language writes them."""
    gap: str = meta(negotiate(locale)).get("gap", " ")
    return gap.join(texts)


def negotiate(*locales: str) -> str:
    """Choose a language for the locales a person reads, the best first.

    Platforms and browsers write them as ``zh-Hant-HK``, ``zh_TW`` or ``in``.
    """
    return _negotiate(locales, languages())


@lru_cache(maxsize=1024)
def _negotiate(locales: tuple[str, ...], available: tuple[str, ...]) -> str:
    spelling = {language.lower(): language for language in available}
    for locale in locales:
        tag = locale.replace("_", "-").lower()
        match = negotiate_locale([tag], spelling, sep="-", aliases={})
        if match is None:
            # zh-HK and zh-TW are one script, and so for a reader one language.
            scripts = {
                _script(language): language for language in reversed(available)
            }
            match = scripts.get(_script(tag), "")
        if match:
            return spelling[match.lower()]
    return DEFAULT


def _script(tag: str) -> tuple[str, str]:
    """The language of a tag and how it is written: ``zh`` is ``("zh", "Hans")``."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag, ""
    likely: str = get_global("likely_subtags").get(locale.language, "")
    script = locale.script or next(iter(likely.split("_")[1:2]), "")
    return locale.language, script


def plural_category(number: object, language: str) -> str:
    """CLDR's plural category of a number: ``one``, ``few``, ``other`` …"""
    if not isinstance(number, int | float | Decimal):
        return "other"
    return _locale(language).plural_form(number)


@cache
def _locale(language: str) -> Locale:
    """What Babel knows of a language; loading it takes some milliseconds."""
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(DEFAULT)


def _format(value: object, language: str) -> str:
    if isinstance(value, Money):
        return format_money(value, language)
    if isinstance(value, datetime):
        return format_moment(value, language)
    if isinstance(value, Sequence) and not isinstance(value, str):
        comma: str = meta(language).get("comma", ", ")
        return comma.join(_format(item, language) for item in value)
    return clip(str(value), LONGEST)


def format_number(number: object, language: str) -> str:
    """1,234 or 1.234, as the language writes it; what is no number stays as it is."""
    if not isinstance(number, int | float | Decimal):
        return str(number)
    return format_decimal(number, locale=_locale(language))


def format_money(money: Money, language: str) -> str:
    """¥0.20, $0.035, 0,20 zł: at least two decimals, no needless zeros behind them."""
    locale = _locale(language)
    sign = SIGNS.get(money.currency) or get_currency_symbol(
        money.currency, locale
    )
    pattern = locale.currency_formats["standard"].pattern
    pattern = pattern.replace("¤", f"'{sign}'").replace("0.00", "0.00####")
    return format_decimal(money.amount, pattern, locale)


def format_moment(moment: datetime, language: str) -> str:
    """A day and a time of that day, both UTC."""
    locale = _locale(language)
    day = format_date(moment, "medium", locale)
    both: str = locale.datetime_formats["medium"]
    return both.format(f"{moment:%H:%M} UTC", day)


def format_month(moment: datetime, locale: str) -> str:
    """A month and its year: November 2026."""
    return format_skeleton("yMMMM", moment, locale=_locale(negotiate(locale)))


def clip(text: str, limit: int) -> str:
    """Keep at most so many characters, with an ellipsis where the text was cut."""
    if len(text) <= limit:
        return text
    return f"{text[: max(limit - 1, 0)].rstrip()}…"
