"""What Discord is told of our commands, from the command registry, in every language we speak.

Whatever one types at Slack is a typed option here: with its range, its choices, or completed from
what we know.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from adapters.discord.api import Api, DiscordError
from adapters.discord.store import DiscordStore
from core.forms import REGIONS
from core.i18n import translate
from core.languages import languages, meta
from core.operations import COMMANDS, STANDALONE, Takes, command_names, command_words
from core.options import options_of
from core.retrying import retrying
from core.types import Action

Payload = dict[str, Any]
SUBCOMMAND, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 3, 4, 5, 10, 11
SLASH, MESSAGE = 1, 3
WORDS = 6000
"""Characters Discord takes of a text; a prompt's own limit is the model's."""
RANGES: Mapping[str, Payload] = {
    "n": {"type": INTEGER, "min_value": 1, "max_value": 6},
    "seed": {"type": INTEGER, "min_value": 0, "max_value": 2_147_483_647},
    "scale": {"type": INTEGER, "min_value": 1, "max_value": 4},
    "strength": {"type": NUMBER, "min_value": 0, "max_value": 1},
    **{
        side: {"type": NUMBER, "min_value": 1, "max_value": 2}
        for side in ("top", "bottom", "left", "right")
    },
    **{flag: {"type": BOOLEAN} for flag in ("raw", "watermark", "private", "sketch")},
}
COMPLETED = frozenset({"model", "size", "ar", "id"})
"""Options whose values we suggest while they are typed."""
DIGEST_KEY = "commands"
"""Under which the store keeps what Discord was last told."""
IN_GUILDS: Payload = {"contexts": [0, 1], "integration_types": [0]}
EVERYWHERE: Payload = {"contexts": [0, 1, 2], "integration_types": [0, 1]}
"""Guilds and direct messages; and wherever a person brings us along, where the app allows that."""
SHORTCUT = "shared.edit_image"

log = structlog.get_logger()


def registered(*, for_people: bool = True) -> list[Payload]:
    """Every command, as Discord's bulk overwrite takes them; ``for_people``.

    Who adds us to their account, too.
    """
    payloads = [_command(name) for name in command_names()]
    payloads.append({"type": MESSAGE, **_named("name", SHORTCUT)})
    where = EVERYWHERE if for_people else IN_GUILDS
    return [{**payload, **where} for payload in payloads]


async def sync(api: Api, store: DiscordStore) -> None:
    """Tell Discord, when it was last told anything else; now or as soon as it listens."""
    payload = registered(for_people=api.serves_people)
    told = hashlib.sha256(
        json.dumps([api.app, payload], sort_keys=True).encode()
    ).hexdigest()
    if await store.value(DIGEST_KEY) == told:
        return

    def may_pass(error: Exception) -> bool:
        if not isinstance(error, DiscordError):
            return False
        log.error("discord_commands_refused", code=error.code, status=error.status)
        return not error.permanent

    path, ids = "/applications/{app}/commands", {"app": api.app}
    try:
        patiently = retrying(may_pass, first=5.0, longest=300.0)
        await patiently(api.call, "PUT", path, ids, payload)
    except DiscordError:
        return
    await store.keep(DIGEST_KEY, told)
    log.info("discord_commands", count=len(payload))


def _command(name: str) -> Payload:
    """A command that stands alone, or one with its words as subcommands."""
    if name in STANDALONE:
        action = STANDALONE[name]
        options = _options(action)
        return {
            "type": SLASH,
            **_described("command", action.value),
            "options": options,
        }
    subcommands = [
        {
            "type": SUBCOMMAND,
            **_described("command", action.value, word),
            "options": _options(action),
        }
        for word, action in command_words(name).items()
        if action in COMMANDS
    ]
    return {"type": SLASH, **_described("command", name, name), "options": subcommands}


def _options(action: Action) -> list[Payload]:
    """Words first, then files, then everything else.

    None is required, as a form asks for what is missing.
    """
    command = COMMANDS[action]
    words = {
        Takes.PROMPT: {"type": STRING, "max_length": WORDS},
        Takes.INSTRUCTION: {"type": STRING, "max_length": WORDS},
        Takes.ID: {"type": STRING, "max_length": 40, "autocomplete": True},
        Takes.NUMBER: {"type": INTEGER, "min_value": 1, "max_value": 6},
    }.get(command.takes)
    found = [{**_described("option", command.takes.value), **words}] if words else []
    for at in range(command.pictures):
        name = f"picture{at + 1}"
        found.append(
            {**_described("option", "picture", name, number=at + 1), "type": ATTACHMENT}
        )
    if command.takes_mask:
        found.append({**_described("option", "mask_picture"), "type": ATTACHMENT})
    return found + [_option(name) for name in options_of(action)]


def _option(name: str) -> Payload:
    described = _described("option", name)
    if name in RANGES:
        return {**described, **RANGES[name]}
    if name == "mask":
        return {
            **described,
            "type": STRING,
            "choices": [_choice(one) for one in REGIONS],
        }
    return {
        **described,
        "type": STRING,
        **({"autocomplete": True} if name in COMPLETED else {"max_length": 800}),
    }


def _choice(region: str) -> Payload:
    return {**_named("name", f"region.{region}"), "value": region}


def _described(table: str, word: str, name: str = "", number: int = 0) -> Payload:
    """Name and description.

    ``name`` where it is not the text's own, ``number`` behind the name in every language.
    """
    names = _named("name", f"{table}.{word}.name")
    if number:
        names["name_localizations"] = {
            locale: f"{text}{number}"
            for locale, text in names["name_localizations"].items()
        }
    return {
        **names,
        **({"name": name} if name else {}),
        **_named("description", f"{table}.{word}.text"),
    }


def _named(field: str, key: str) -> Payload:
    return {
        field: translate(key, "en"),
        f"{field}_localizations": {
            code: translate(key, language) for code, language in _locales()
        },
    }


def _locales() -> Iterator[tuple[str, str]]:
    """Each of Discord's locales that one of our languages says it is."""
    for language in languages():
        for code in meta(language).get("discord", ()):
            yield code, language
