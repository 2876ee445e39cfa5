"""What is suggested while an option is typed: models, sizes, ratios, one's own results."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import discord

from adapters.discord import decode, render
from core.flow.context import Context
from core.i18n import clip
from core.incoming import Incoming
from core.operations import Action
from core.options import OPTIONS, RATIO_NAMES
from core.views.captions import short_title

MOST = 25
LONGEST_VALUE = 100


class Suggestion(NamedTuple):
    """A value, and how it reads."""

    label: str
    value: str

    def holds(self, typed: str) -> bool:
        """Whether it contains what was typed, in small letters."""
        return typed in self.label.lower() or typed in self.value.lower()

    def to_json(self) -> dict[str, str]:
        """Return it as Discord expects it."""
        return {
            "name": clip(self.label, render.OPTION_TEXT),
            "value": self.value[:LONGEST_VALUE],
        }


async def suggest(
    context: Context,
    interaction: discord.Interaction,
) -> list[dict[str, str]]:
    """At most 25 values that hold what was typed, the likeliest first."""
    name, typed = _focused_option(decode.data_of(interaction))
    typed = typed.lower().strip()
    incoming = decode.command(interaction)
    suggestions = await _suggestions(context, name, incoming)
    choices = [
        suggestion.to_json()
        for suggestion in suggestions
        if suggestion.holds(typed)
    ]
    return choices[:MOST]


async def _suggestions(
    context: Context,
    name: str,
    incoming: Incoming,
) -> list[Suggestion]:
    action = Action(incoming.operation)
    if name == "id":
        return await _own_results(context, incoming)
    if name == "model":
        return _as_they_are(_models(context, action))
    if name == "size":
        model = incoming.fields.get("model", "")
        return _as_they_are(_sizes(context, action, model))
    if name == "ar":
        return _as_they_are((*OPTIONS["ar"].suggestions, *RATIO_NAMES))
    return []


def _as_they_are(values: Iterable[str]) -> list[Suggestion]:
    return [Suggestion(label=value, value=value) for value in values]


def _models(context: Context, action: Action) -> list[str]:
    models = context.catalog.served_models(action, context.accounts)
    return [model.id for model in models]


def _sizes(context: Context, action: Action, model: str) -> list[str]:
    """Of the model chosen, else of all that can do it."""
    models = context.catalog.models
    names = [model] if model in models else _models(context, action)
    sizes: list[str] = []
    for name in names:
        rule = models[name].size
        sizes += map(str, rule.sizes)
        if rule.default is not None:
            sizes.append(str(rule.default))
    return list(dict.fromkeys(sizes))


async def _own_results(
    context: Context,
    incoming: Incoming,
) -> list[Suggestion]:
    """This person's newest results, by version and words."""
    tenant = incoming.place.tenant
    steps = await context.store.recent(tenant, incoming.person.id, MOST)
    return [
        Suggestion(
            label=f"v{step.number} · {short_title(step)}",
            value=step.id,
        )
        for step in steps
    ]


def _focused_option(data: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the option being typed, and what of it is there."""
    options = list(data.get("options") or ())
    # A subcommand holds its options.
    while options and options[0].get("options") is not None:
        options = list(options[0]["options"])
    for option in options:
        if option.get("focused"):
            name = str(option.get("name", ""))
            typed = str(option.get("value", ""))
            return name, typed
    return "", ""
