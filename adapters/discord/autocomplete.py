"""What is suggested while an option is typed: models, sizes, ratios, one's own results."""

from collections.abc import Iterable, Mapping
from typing import Any

import discord

from adapters.discord import decode, render
from core.flow.context import Context
from core.i18n import clip
from core.incoming import Incoming
from core.options import OPTIONS, RATIO_NAMES
from core.types import Action
from core.views.captions import short_title

MOST = 25
Choice = dict[str, str]


async def suggested(context: Context, interaction: discord.Interaction) -> list[Choice]:
    """At most 25 values that hold what was typed, the likeliest first."""
    name, typed = _focused(decode.data_of(interaction))
    incoming = decode.command(interaction)
    action = Action(incoming.operation)
    found: Iterable[tuple[str, str]] = ()
    if name == "model":
        found = [(one, one) for one in _models(context, action)]
    elif name == "size":
        found = [
            (one, one)
            for one in _sizes(context, action, incoming.fields.get("model", ""))
        ]
    elif name == "ar":
        found = [
            *((one, one) for one in OPTIONS["ar"].suggestions),
            *((one, one) for one in RATIO_NAMES),
        ]
    elif name == "id":
        found = await _own(context, incoming)
    wanted = typed.lower().strip()
    kept = [
        (label, value)
        for label, value in found
        if wanted in label.lower() or wanted in value.lower()
    ]
    return [
        {"name": clip(label, render.OPTION_TEXT), "value": value[:100]}
        for label, value in kept[:MOST]
    ]


def _models(context: Context, action: Action) -> list[str]:
    """Those that can do it and that we reach, the first choice first."""
    able = [one for one in context.catalog.models.values() if action in one.actions]
    return [
        one.id
        for one in sorted(able, key=lambda one: one.rank)
        if any(map(one.is_served_by, context.accounts))
    ]


def _sizes(context: Context, action: Action, model: str) -> list[str]:
    """Of the model chosen, else of all that can do it."""
    names = [model] if model in context.catalog.models else _models(context, action)
    rules = [context.catalog.models[one].size for one in names]
    sizes = [
        size for rule in rules for size in (*rule.sizes, *filter(None, (rule.default,)))
    ]
    return list(dict.fromkeys(str(one) for one in sizes))


async def _own(context: Context, request: Incoming) -> list[tuple[str, str]]:
    """This person's newest results, by version and words."""
    mine = await context.store.recent(request.place.tenant, request.person.id, MOST)
    return [(f"v{one.number} · {short_title(one)}", one.id) for one in mine]


def _focused(data: Mapping[str, Any]) -> tuple[str, str]:
    """The option being typed, and what of it is there."""
    options = list(data.get("options") or ())
    while options and options[0].get("options") is not None:
        options = list(options[0]["options"])
    typed: Mapping[str, Any] = next((one for one in options if one.get("focused")), {})
    return str(typed.get("name", "")), str(typed.get("value", ""))
