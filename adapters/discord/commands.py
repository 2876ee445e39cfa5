"""The commands as Discord's registry takes them, from the tables, in every language.

What people write as text on Slack is a typed option here: with its range, its choices, or
completed while it is typed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import structlog

from adapters.discord.api import Api, DiscordError
from adapters.discord.store import DiscordStore
from core.i18n import translate
from core.languages import DEFAULT, languages, meta
from core.operations import (
    COMMANDS,
    STANDALONE,
    Action,
    Takes,
    command_names,
    command_words,
)
from core.option_texts import describe_option, describe_words, label_choice
from core.options import MOST_PICTURES, OptionKind, OptionSpec, options_of
from core.retrying import retrying

Payload = dict[str, Any]
Say = Callable[[str], str]
"""Language → text."""

# Types of options and of commands, as Discord numbers them.
SUBCOMMAND = 1
STRING = 3
INTEGER = 4
BOOLEAN = 5
NUMBER = 10
ATTACHMENT = 11
SLASH = 1
MESSAGE = 3
ENTRY_POINT = 4
ENTRY_FIELDS = (
    "id",
    "type",
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "handler",
    "integration_types",
    "contexts",
)
"""What a command of an activity is made of, as far as it can be told."""
NUMERIC_TYPES = {OptionKind.WHOLE: INTEGER, OptionKind.DECIMAL: NUMBER}
COMPLETED = frozenset({OptionKind.MODEL, OptionKind.SIZE, OptionKind.RATIO})
"""Kinds of options that adapters.discord.autocomplete suggests values for."""
LONGEST_WORDS = 6000
"""Characters Discord takes of a text; a prompt's own limit is the model's."""
LONGEST_VALUE = 800
LONGEST_STEP = 40
# Where a command can be used: in guilds and direct messages; or in every conversation of a person
# who added the bot to their own account, where the app allows that.
IN_GUILDS: Payload = {"contexts": [0, 1], "integration_types": [0]}
EVERYWHERE: Payload = {"contexts": [0, 1, 2], "integration_types": [0, 1]}
SHORTCUT = "shared.edit_image"
DIGEST_KEY = "commands"
"""The store's key for a digest of what was last registered."""

log = structlog.get_logger()


def registry(*, for_people: bool = True) -> list[Payload]:
    """Every command, as Discord's bulk overwrite takes them.

    ``for_people``: people may add the bot to their own account, too.
    """
    commands = [_command(name) for name in command_names()]
    shortcut_name = partial(translate, SHORTCUT)
    shortcut = _localize("name", shortcut_name)
    commands.append({"type": MESSAGE, **shortcut})
    where = EVERYWHERE if for_people else IN_GUILDS
    return [{**command, **where} for command in commands]


async def sync(api: Api, store: DiscordStore) -> None:
    """Register the commands as soon as Discord listens.

    Skipped when they are those of the last time and all are still registered.
    """
    commands = registry(for_people=api.serves_people)
    content = json.dumps([api.app, commands], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    is_unchanged = await store.value(DIGEST_KEY) == digest

    def may_pass(error: Exception) -> bool:
        if not isinstance(error, DiscordError):
            return False
        log.error(
            "discord_commands_refused",
            code=error.code,
            status=error.status,
        )
        return not error.permanent

    path = "/applications/{app}/commands"
    ids = {"app": api.app}
    try:
        patiently = retrying(may_pass, first=5.0, longest=300.0)
        present = await patiently(api.call, "GET", path, ids)
        if is_unchanged and _names(commands) <= _names(present):
            return
        whole = commands + _entry_points(present)
        await patiently(api.call, "PUT", path, ids, whole)
    except DiscordError:
        return
    # Only now: a digest that was saved first would keep a refused registry for ever.
    await store.save_value(DIGEST_KEY, digest)
    log.info("discord_commands", count=len(commands))


def _names(commands: Sequence[Payload]) -> set[tuple[int, str]]:
    return {
        (command.get("type", SLASH), str(command["name"]))
        for command in commands
    }


def _entry_points(present: Sequence[Payload]) -> list[Payload]:
    """The command that starts an app's activity, if it has one: Discord wants it told again."""
    return [
        {name: command[name] for name in ENTRY_FIELDS if name in command}
        for command in present
        if command.get("type") == ENTRY_POINT
    ]


def _command(name: str) -> Payload:
    """A command that stands alone, or one with its words as subcommands."""
    if name in STANDALONE:
        texts = _texts("command", STANDALONE[name].value)
        options = _options(STANDALONE[name])
    else:
        texts = _texts("command", name, default_name=name)
        options = [
            _subcommand(word, action)
            for word, action in command_words(name).items()
            if action in COMMANDS
        ]
    return {"type": SLASH, **texts, "options": options}


def _subcommand(word: str, action: Action) -> Payload:
    texts = _texts("command", action.value, default_name=word)
    return {"type": SUBCOMMAND, **texts, "options": _options(action)}


def _options(action: Action) -> list[Payload]:
    """List words first, then files, then everything else.

    None is required: a form asks for what is missing.
    """
    command = COMMANDS[action]
    payloads = []
    if command.takes is not Takes.NOTHING:
        payloads.append(_words(command.takes))
    numbers = range(1, command.pictures + 1)
    payloads += [_picture(number) for number in numbers]
    if command.takes_mask:
        texts = _texts("option", "mask_picture")
        payloads.append({**texts, "type": ATTACHMENT})
    payloads += [_option(option) for option in options_of(action)]
    return payloads


def _words(takes: Takes) -> Payload:
    name = partial(translate, f"option.{takes.value}.name")
    description = partial(describe_words, takes)
    texts = {
        **_localize("name", name),
        **_localize("description", description),
    }
    if takes is Takes.ID:
        return {
            **texts,
            "type": STRING,
            "max_length": LONGEST_STEP,
            "autocomplete": True,
        }
    if takes is Takes.PAGE:
        return {**texts, "type": INTEGER, "min_value": 1}
    if takes is Takes.NUMBER:
        return {
            **texts,
            "type": INTEGER,
            "min_value": 1,
            "max_value": MOST_PICTURES,
        }
    return {**texts, "type": STRING, "max_length": LONGEST_WORDS}


def _picture(number: int) -> Payload:
    """A file, its number behind the name in every language."""
    texts = _texts("option", "picture", default_name=f"picture{number}")
    names = texts["name_localizations"]
    for locale in names:
        names[locale] = f"{names[locale]}{number}"
    return {**texts, "type": ATTACHMENT}


def _option(option: OptionSpec) -> Payload:
    name = partial(translate, f"option.{option.name}.name")
    description = partial(describe_option, option)
    texts = {
        **_localize("name", name),
        **_localize("description", description),
    }
    if option.kind is OptionKind.FLAG:
        return {**texts, "type": BOOLEAN}
    if option.kind in NUMERIC_TYPES:
        return {
            **texts,
            "type": NUMERIC_TYPES[option.kind],
            "min_value": int(option.low),
            "max_value": int(option.high),
        }
    if option.kind is OptionKind.CHOICE:
        choices = [_choice(option, value) for value in option.choices]
        return {**texts, "type": STRING, "choices": choices}
    if option.kind in COMPLETED:
        return {**texts, "type": STRING, "autocomplete": True}
    return {**texts, "type": STRING, "max_length": LONGEST_VALUE}


def _choice(option: OptionSpec, value: str) -> Payload:
    label = partial(label_choice, option, value)
    return {**_localize("name", label), "value": value}


def _texts(area: str, word: str, default_name: str = "") -> Payload:
    """Name and description from the locale files.

    ``default_name``: the name in the default language, if it is not the text's.
    """
    name = partial(translate, f"{area}.{word}.name")
    text = partial(translate, f"{area}.{word}.text")
    names = _localize("name", name)
    if default_name:
        names["name"] = default_name
    return {**names, **_localize("description", text)}


def _localize(field: str, say: Say) -> Payload:
    """A text in the default language, and in each of Discord's locales that has a file."""
    localizations = {locale: say(language) for locale, language in _locales()}
    return {
        field: say(DEFAULT),
        f"{field}_localizations": localizations,
    }


def _locales() -> Iterator[tuple[str, str]]:
    """Each of Discord's locales, and the language that serves it."""
    for language in languages():
        for locale in meta(language).get("discord", ()):
            yield locale, language
