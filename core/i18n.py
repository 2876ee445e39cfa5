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
        category = plural_category(number, language)
        template = text.forms.get(category) or text.forms["other"]
        params = {**params, text.by: format_number(number, language)}
    else:
        template = text

    def fill(placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        return _format(params[name], language)

    return PLACEHOLDER.sub(fill, template)


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
        if match is not None:
            return spelling[match.lower()]
        # zh-HK and zh-TW are one script, and so for a reader one language.
        script = _script(tag)
        for language in available:
            if _script(language) == script:
                return language
    return DEFAULT


def _script(tag: str) -> tuple[str, str]:
    """The language of a tag and how it is written: ``zh`` is ``("zh", "Hans")``."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag, ""
    if locale.script:
        return locale.language, locale.script
    subtags = get_global("likely_subtags")
    likely: str = subtags.get(locale.language, "")
    # "zh_Hans_CN", or "" for a language Babel knows nothing of.
    _, _, behind = likely.partition("_")
    script, _, _ = behind.partition("_")
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
        items = [_format(item, language) for item in value]
        return comma.join(items)
    return clip(str(value), LONGEST)


def format_number(number: object, language: str) -> str:
    """1,234 or 1.234, as the language writes it; what is no number stays as it is."""
    if not isinstance(number, int | float | Decimal):
        return str(number)
    return format_decimal(number, locale=_locale(language))


def format_money(money: Money, language: str) -> str:
    """¥0.20, $0.035, 0,20 zł: at least two decimals, no needless zeros behind them."""
    locale = _locale(language)
    sign = SIGNS.get(money.currency)
    if sign is None:
        sign = get_currency_symbol(money.currency, locale)
    pattern = locale.currency_formats["standard"].pattern
    pattern = pattern.replace("¤", f"'{sign}'")
    pattern = pattern.replace("0.00", "0.00####")
    return format_decimal(money.amount, pattern, locale)


def format_moment(moment: datetime, language: str) -> str:
    """A day and a time of that day, both UTC."""
    locale = _locale(language)
    day = format_date(moment, "medium", locale)
    both: str = locale.datetime_formats["medium"]
    time = f"{moment:%H:%M} UTC"
    return both.format(time, day)


def format_month(moment: datetime, locale: str) -> str:
    """A month and its year: November 2026."""
    language = negotiate(locale)
    return format_skeleton("yMMMM", moment, locale=_locale(language))


def clip(text: str, limit: int) -> str:
    """Keep at most so many characters, with an ellipsis where the text was cut."""
    if len(text) <= limit:
        return text
    room = max(limit - 1, 0)
    return f"{text[:room].rstrip()}…"
