"""What Discord is told of our commands, from the command registry, in every language we speak.

Whatever one types at Slack is a typed option here: with its range, its choices, or completed from
what we know.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import structlog

from adapters.discord.api import Api, DiscordError
from adapters.discord.store import DiscordStore
from core.i18n import translate
from core.languages import DEFAULT, languages, meta
from core.operations import COMMANDS, STANDALONE, Takes, command_names, command_words
from core.option_texts import describe_option, describe_words, label_choice
from core.options import MOST_PICTURES, OptionKind, OptionSpec, options_of
from core.retrying import retrying
from core.types import Action

Payload = dict[str, Any]
SUBCOMMAND, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 3, 4, 5, 10, 11
SLASH, MESSAGE = 1, 3
WORDS = 6000
"""Characters Discord takes of a text; a prompt's own limit is the model's."""
LONGEST_VALUE = 800
"""Characters of an option's value."""
LONGEST_STEP = 40
NUMERIC_TYPES = {OptionKind.WHOLE: INTEGER, OptionKind.DECIMAL: NUMBER}
COMPLETED = frozenset({OptionKind.MODEL, OptionKind.SIZE, OptionKind.RATIO})
"""Kinds of options whose values are suggested while they are typed."""
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
    payloads.append(
        {"type": MESSAGE, **_localized("name", partial(translate, SHORTCUT))}
    )
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
    await store.save_value(DIGEST_KEY, told)
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
    return {
        "type": SLASH,
        **_described("command", name, name),
        "options": subcommands,
    }


def _options(action: Action) -> list[Payload]:
    """Words first, then files, then everything else.

    None is required, as a form asks for what is missing.
    """
    command = COMMANDS[action]
    payloads = []
    if command.takes is not Takes.NOTHING:
        payloads.append(_words(command.takes))
    payloads += [_picture(number) for number in range(1, command.pictures + 1)]
    if command.takes_mask:
        payloads.append({**_described("option", "mask_picture"), "type": ATTACHMENT})
    return payloads + [_option(option) for option in options_of(action)]


def _words(takes: Takes) -> Payload:
    described = {
        **_localized("name", partial(translate, f"option.{takes.value}.name")),
        **_localized("description", partial(describe_words, takes)),
    }
    if takes is Takes.ID:
        completed = {"max_length": LONGEST_STEP, "autocomplete": True}
        return {**described, "type": STRING, **completed}
    if takes is Takes.NUMBER:
        bounds = {"min_value": 1, "max_value": MOST_PICTURES}
        return {**described, "type": INTEGER, **bounds}
    return {**described, "type": STRING, "max_length": WORDS}


def _picture(number: int) -> Payload:
    """A file, its number behind the name in every language."""
    described = _described("option", "picture", f"picture{number}")
    names = described["name_localizations"]
    for locale in names:
        names[locale] = f"{names[locale]}{number}"
    return {**described, "type": ATTACHMENT}


def _option(option: OptionSpec) -> Payload:
    described = {
        **_localized("name", partial(translate, f"option.{option.name}.name")),
        **_localized("description", partial(describe_option, option)),
    }
    if option.kind is OptionKind.FLAG:
        return {**described, "type": BOOLEAN}
    if option.kind in NUMERIC_TYPES:
        kind = NUMERIC_TYPES[option.kind]
        bounds = {"min_value": int(option.low), "max_value": int(option.high)}
        return {**described, "type": kind, **bounds}
    if option.kind is OptionKind.CHOICE:
        choices = [_choice(option, value) for value in option.choices]
        return {**described, "type": STRING, "choices": choices}
    if option.kind in COMPLETED:
        return {**described, "type": STRING, "autocomplete": True}
    return {**described, "type": STRING, "max_length": LONGEST_VALUE}


def _choice(option: OptionSpec, value: str) -> Payload:
    label = partial(label_choice, option, value)
    return {**_localized("name", label), "value": value}


def _described(area: str, word: str, name: str = "") -> Payload:
    """Name and description; ``name`` where the default is not the text's own."""
    key = f"{area}.{word}"
    names = _localized("name", partial(translate, f"{key}.name"))
    if name:
        names["name"] = name
    return {**names, **_localized("description", partial(translate, f"{key}.text"))}


def _localized(field: str, say: Callable[[str], str]) -> Payload:
    """A text in the default language, and in each of Discord's locales we speak."""
    localizations = {code: say(language) for code, language in _locales()}
    return {field: say(DEFAULT), f"{field}_localizations": localizations}


def _locales() -> Iterator[tuple[str, str]]:
    """Each of Discord's locales that one of our languages says it is."""
    for language in languages():
        for code in meta(language).get("discord", ()):
            yield code, language
