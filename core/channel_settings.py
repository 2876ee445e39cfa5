"""What a channel has settled for itself.

Defaults, style words, who and what is allowed, votes, the gallery. Pure.

Kept as text in the workspace's settings: ``{"channels": {channel: {name: text}}}``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core import budgets, grammar
from core.budgets import Caps
from core.catalog import Catalog
from core.errors import Rejected
from core.forms import Choice, Field, FieldKind, Form
from core.i18n import translate
from core.types import Action, Options

NUMBERS = {"quorum": (2, 20), "favourites": (1, 20), "n": (1, 6)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """``shape`` is a ratio or size as typed; ``functions`` and ``people`` are ids, empty for all.

    ``quorum`` votes settle on a picture; ``favourites`` copy it to the channel ``gallery`` ("" for
    none).
    """

    model: str = ""
    n: str = ""
    shape: str = ""
    style: str = ""
    gallery: str = ""
    functions: str = ""
    people: str = ""
    personal_threads: str = ""
    quorum: str = "3"
    favourites: str = "2"

    @property
    def threads_are_personal(self) -> bool:
        """Does everybody keep a session of their own in threads, too?"""
        return self.personal_threads == "yes"

    def number(self, name: str) -> int:
        """Quorum or favourites."""
        return int(getattr(self, name))


NAMES = tuple(one.name for one in fields(Preferences))


def of(settings: Mapping[str, Any], channel: str) -> Preferences:
    """The channel's, where it has none the workspace's ("*"), else the defaults."""
    channels = settings.get("channels", {})
    kept = {**channels.get("*", {}), **channels.get(channel, {})}
    return Preferences(**{name: value for name, value in kept.items() if name in NAMES})


def changed(
    settings: Mapping[str, Any],
    channel: str,
    given: Mapping[str, str],
    catalog: Catalog,
) -> dict[str, Any]:
    """The settings with the channel's new values; an empty value goes back to the default.

    Raises Rejected.
    """
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        allowed = list(NAMES)
        raise Rejected(
            "grammar.unknown_word", word=unknown[0], nearest=allowed[0], allowed=allowed
        )
    for name, value in given.items():
        if value:
            _check(name, value, catalog)
    channels = dict(settings.get("channels", {}))
    kept = {**channels.get(channel, {}), **given}
    channels[channel] = {name: value for name, value in kept.items() if value}
    return {**settings, "channels": channels}


def _check(name: str, value: str, catalog: Catalog) -> None:
    if name == "model":
        catalog.model(value)
    if name == "shape":
        _shape(value)
    if name == "functions":
        _functions(value)
    if name in NUMBERS:
        low, high = NUMBERS[name]
        if not (
            value.isascii() and value.isdecimal() and low <= int(value[:4]) <= high
        ):
            raise Rejected(
                "grammar.value",
                option=name,
                value=value[:40],
                allowed=f"{low}–{high}",
                nearest=low,
            )


def _shape(value: str) -> Options:
    name = "size" if "*" in value or "x" in value.lower() or "×" in value else "ar"
    return grammar.parse("", {name: value}).options


def _functions(value: str) -> frozenset[Action]:
    known = {action.value: action for action in Action if action.makes_pictures}
    words = [word for word in value.replace(",", " ").split() if word]
    for word in words:
        if word not in known:
            nearest = min(known, key=lambda one: one != word)
            raise Rejected(
                "grammar.unknown_word",
                word=word[:40],
                nearest=nearest,
                allowed=list(known),
            )
    return frozenset(known[word] for word in words)


def check(preferences: Preferences, action: Action, person: str) -> None:
    """Raises Rejected for a person or a function the channel does not allow."""
    people = preferences.people.replace(",", " ").split()
    if people and person not in people:
        raise Rejected("refuse.not_these_people")
    functions = (
        _functions(preferences.functions) if preferences.functions else frozenset()
    )
    if functions and action not in functions:
        allowed = sorted(one.value for one in functions)
        raise Rejected("refuse.not_this_function", action=action.value, allowed=allowed)


def applied(
    preferences: Preferences,
    action: Action,
    prompt: str,
    options: Options,
    catalog: Catalog,
) -> tuple[str, Options]:
    """The prompt and options with the channel's defaults where the person said nothing and they make sense."""
    if preferences.style and action is Action.DRAW and prompt:
        prompt = f"{prompt}, {preferences.style}"
    if (
        preferences.model
        and options.model is None
        and action in catalog.model(preferences.model).actions
    ):
        options = replace(options, model=preferences.model)
    if preferences.n and options.n is None and action is Action.DRAW:
        options = replace(options, n=int(preferences.n))
    if (
        preferences.shape
        and options.size is None
        and options.ratio is None
        and action is Action.DRAW
    ):
        shape = _shape(preferences.shape)
        options = replace(options, size=shape.size, ratio=shape.ratio)
    return prompt, options


def form(preferences: Preferences, caps: Caps, catalog: Catalog, locale: str) -> Form:
    """The form that shows and changes them, and the workspace's budgets."""
    kinds = {
        "gallery": FieldKind.CHANNEL,
        "people": FieldKind.PEOPLE,
        "personal_threads": FieldKind.FLAG,
    }
    choices = {
        # A menu that cannot show all then lacks the dated editions, which come last.
        "model": [
            one.id
            for one in sorted(
                catalog.models.values(), key=lambda one: (one.rank, one.id)
            )
        ],
        "n": [str(n) for n in range(1, 7)],
        "quorum": [str(n) for n in range(2, 11)],
        "favourites": [str(n) for n in range(1, 11)],
    }
    shown = [
        Field(
            name=name,
            kind=FieldKind.CHOICE
            if name in choices
            else kinds.get(name, FieldKind.LINE),
            label=translate(f"setting.{name}", locale),
            value=getattr(preferences, name),
            choices=tuple(
                Choice(value=value, label=value) for value in choices.get(name, [])
            ),
        )
        for name in NAMES
    ]
    for name in budgets.NAMES:
        value = budgets.write(getattr(caps, name))
        shown.append(
            Field(
                name=name,
                kind=FieldKind.LINE,
                label=translate(f"setting.{name}", locale),
                value=value,
            )
        )
    title = translate("action.settings", locale)
    return Form(
        action=Action.SETTINGS,
        title=title,
        submit=translate("form.save", locale),
        fields=tuple(shown),
    )
