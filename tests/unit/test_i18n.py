"""Every sentence exists in every language, with the same placeholders; parameters are data."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import bot  # noqa: F401  # it and each adapter bring their own texts
from adapters import discord, slack, terminal, web  # noqa: F401
from core.i18n import (
    LONGEST,
    PLACEHOLDER,
    format_money,
    join_list,
    negotiate,
    plural_category,
    translate,
)
from core.languages import Plural, Text, languages, sentences, sentences_in
from core.operations import COMMANDS, OPERATIONS, Action, ButtonKind, Takes
from core.option_texts import describe_option, describe_words
from core.options import OPTIONS
from core.types import Money
from core.views.help import help_lines

ROOT = Path(__file__).parents[2]
LOCALES = ("en", "zh-CN", "zh-TW", "id")
FOLDERS = (
    "core",
    "bot",
    *(f"adapters/{name}" for name in ("discord", "slack", "terminal", "web")),
)
"""Where texts lie: beside the code that says them."""
LITERAL_KEY = re.compile(r'"([a-z_]+(?:\.[a-z_]+){1,3})"')
"""The formatter writes every literal in double quotes."""
NOT_MESSAGES = {"submit.after_send"}
NOT_ENDS = (".py", ".db", ".lock", ".png", ".toml", ".key", ".name")


def _texts(folder: str, language: str = "en") -> Mapping[str, Text]:
    return sentences_in(ROOT / folder / "locales", language)


def _forms(language: str) -> Iterator[tuple[str, str]]:
    """Every text with its key; of one that depends on a number, each form."""
    for key, text in sentences(language).items():
        for form in (
            text.forms.values() if isinstance(text, Plural) else [text]
        ):
            yield key, form


def _placeholders(text: Text) -> set[str]:
    template = text.forms["other"] if isinstance(text, Plural) else text
    return set(PLACEHOLDER.findall(template))


def _keys_in_code(folder: str) -> set[str]:
    """Every string literal below a folder that looks like a message key."""
    areas = {key.split(".")[0] for key in sentences("en")}
    literals: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        literals |= set(LITERAL_KEY.findall(path.read_text()))
    keys = {key for key in literals if key.split(".")[0] in areas}
    return {key for key in keys - NOT_MESSAGES if not key.endswith(NOT_ENDS)}


def test_sentences_follow_each_other_as_the_language_writes_them() -> None:
    assert join_list("en", "No.", "Nothing.") == "No. Nothing."
    assert join_list("zh_HK", "不行。", "沒有。") == "不行。沒有。"


@pytest.mark.parametrize("language", LOCALES)
def test_every_refusal_and_failure_is_a_sentence_that_another_may_follow(
    language: str,
) -> None:
    areas = (
        "refuse.",
        "grammar.",
        "catalog.",
        "picture.",
        "provider.",
        "slack.file",
        "discord.file",
    )
    ends = (".", "?", "。", "？", "）", ")")
    assert [
        key
        for key, text in _forms(language)
        if key.startswith(areas) and not text.endswith(ends)
    ] == []


def test_every_folder_with_texts_has_a_file_for_each_language() -> None:
    folders = {
        path.parent.parent
        for package in ("core", "bot", "adapters")
        for path in (ROOT / package).glob("**/locales/*.toml")
    }
    assert folders == {ROOT / folder for folder in FOLDERS}
    assert set(languages()) == set(LOCALES)
    for folder in folders:
        files = {path.stem for path in (folder / "locales").glob("*.toml")}
        assert files == set(LOCALES)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("language", LOCALES)
def test_every_language_has_the_same_keys(folder: str, language: str) -> None:
    assert set(_texts(folder, language)) == set(_texts(folder))


def test_a_text_lies_in_one_folder() -> None:
    counts = Counter(key for folder in FOLDERS for key in _texts(folder))
    assert [key for key, count in counts.items() if count > 1] == []
    assert set(counts) == set(sentences("en"))


@pytest.mark.parametrize("language", LOCALES)
def test_every_language_uses_the_same_placeholders(language: str) -> None:
    """A form for one may leave the number out: “the attached picture”."""
    placeholders = {
        key: _placeholders(text) for key, text in sentences("en").items()
    }
    for key, text in sentences(language).items():
        assert _placeholders(text) == placeholders[key], key
        if isinstance(text, Plural):
            for form in text.forms.values():
                missing = placeholders[key] - set(PLACEHOLDER.findall(form))
                assert missing <= {text.by}, key


@pytest.mark.parametrize("language", LOCALES)
def test_a_text_with_a_number_has_every_form_its_language_knows(
    language: str,
) -> None:
    categories = {plural_category(number, language) for number in range(200)}
    for key, text in sentences(language).items():
        if isinstance(text, Plural):
            assert set(text.forms) == categories, key


@pytest.mark.parametrize("folder", ["core", *FOLDERS[2:]])
def test_the_core_and_each_adapter_name_only_their_own_texts_and_the_cores(
    folder: str,
) -> None:
    available = {*_texts("core"), *_texts(folder)}
    assert _keys_in_code(folder) - available == set()


def test_every_key_the_program_names_exists() -> None:
    assert _keys_in_code("bot") - set(sentences("en")) == set()


def test_every_action_and_button_has_a_name() -> None:
    for action in Action:
        assert translate(f"action.{action.value}", "en")
        if action.makes_pictures:
            assert translate(f"result.done.{action.value}", "en")
    for kind in set(ButtonKind) - {
        ButtonKind.PICK,
        ButtonKind.REGION,
        ButtonKind.LINK,
    }:
        assert translate(f"button.{kind.value}", "en")


@pytest.mark.parametrize("language", LOCALES)
def test_commands_functions_and_options_have_names_discord_takes_and_descriptions_that_fit(
    language: str,
) -> None:
    commands = ["wanx", "easel", *(one for one in Action if one.is_typed)]
    takes = [kind for kind in Takes if kind is not Takes.NOTHING]
    texts = {
        **{
            f"command.{one}": translate(f"command.{one}.text", language)
            for one in commands
        },
        **{
            f"option.{one}": translate(f"option.{one}.text", language)
            for one in ("function", "picture", "mask_picture")
        },
        **{f"option.{kind}": describe_words(kind, language) for kind in takes},
        **{
            f"option.{option.name}": describe_option(option, language)
            for option in OPTIONS.values()
        },
    }
    for key, text in texts.items():
        name = translate(f"{key}.name", language)
        assert re.fullmatch(r"[-_\w]{1,32}", name), key
        assert name == name.lower()
        assert 1 <= len(text) <= 100, key


@pytest.mark.parametrize("language", LOCALES)
def test_no_two_commands_or_options_share_a_name(language: str) -> None:
    words = dict(_forms(language))
    for group in (
        r"command\.\w+\.name",
        r"command\.wanx\.\w+\.name",
        r"option\.\w+\.name",
    ):
        names = [
            text for key, text in words.items() if re.fullmatch(group, key)
        ]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("language", LOCALES)
def test_the_help_names_every_option_command_and_reaction(
    language: str,
) -> None:
    text = help_lines(language)
    for option in OPTIONS:
        assert f"--{option}" in text
    for command in COMMANDS.values():
        assert f"/{command.name}" in text
        assert command.word in text
    for operation in OPERATIONS.values():
        if operation.reaction:
            assert operation.reaction.emoji[0].split()[0] in text
            assert (
                translate(f"reaction.{operation.reaction.word}", language)
                in text
            )


@pytest.mark.parametrize(
    ("language", "foreign"),
    [
        ("zh-TW", "图|词|设|选项|视频|默认|软件|文件|服务器|撤销"),
        ("zh-CN", "圖|詞|設|選|復原|預設|檔案|資訊"),
    ],
)
def test_the_two_chinese_are_not_mixed(language: str, foreign: str) -> None:
    for key, text in _forms(language):
        assert not re.search(foreign, text), key


def test_no_language_is_left_in_english() -> None:
    same_everywhere = {
        "result.cost",
        "history.line",
        "info.line",
        "compare.text",
        "result.alt",
        "usage.line",
        "audit.asked",
        "audit.line",
        "audit.set",
    }
    same_everywhere |= {
        "command.easel.name",
        "gallery.text",
        "result.favourites",
    }
    same_everywhere |= {"help.command", "help.option", "status.of_file"}
    for language in ("zh-CN", "zh-TW"):
        for key, text in _forms(language):
            if key not in same_everywhere:
                assert re.search(r"[\u4e00-\u9fff]", text), (language, key)


def test_braces_and_formats_in_a_parameter_stay_as_they_are() -> None:
    for nasty in (
        "{ $secret } { -brand }",
        "{0.__class__}",
        "%s%s%n",
        "{{7*7}}",
        "{person}",
        "${jndi:ldap://x}",
    ):
        assert nasty in translate("refuse.not_yours", "en", owner=nasty)


def test_a_very_long_parameter_is_cut_with_an_ellipsis_not_the_message_lost() -> (
    None
):
    text = translate("refuse.not_yours", "en", owner="x" * 1_000_000)
    assert len(text) < LONGEST + 100
    assert "…" in text


def test_a_missing_parameter_is_a_mistake_of_ours_and_shows() -> None:
    with pytest.raises(KeyError):
        translate("refuse.not_yours", "en")


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en-GB", "en"),
        ("zh", "zh-CN"),
        ("zh_TW", "zh-TW"),
        ("zh-Hant-HK", "zh-TW"),
        ("zh-hk", "zh-TW"),
        ("zh-Hans-HK", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("id-ID", "id"),
        ("in", "id"),
        ("zh-Hant", "zh-TW"),
        ("zh-MO", "zh-TW"),
        ("en-US", "en"),
        ("de", "en"),
        ("tlh", "en"),
        ("no such locale", "en"),
        ("", "en"),
    ],
)
def test_a_platforms_locale_finds_the_nearest_language(
    locale: str, language: str
) -> None:
    assert negotiate(locale) == language


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0.2", "CNY", "¥0.20"),
        ("0.035", "USD", "$0.035"),
        ("12", "EUR", "€12.00"),
        ("0", "CNY", "¥0.00"),
        ("1234.5", "CNY", "¥1,234.50"),
    ],
)
def test_money_has_at_least_two_decimals_and_no_needless_zeros(
    amount: str, currency: str, shown: str
) -> None:
    money = Money(amount=Decimal(amount), currency=currency)
    assert format_money(money, "en") == shown


def test_money_is_written_as_the_language_writes_it() -> None:
    money = Money(amount=Decimal("1234.035"), currency="CNY")
    assert format_money(money, "id") == "¥1.234,035"
    assert format_money(money, "zh-TW") == "¥1,234.035"
    assert format_money(money, "pl") == "1\u00a0234,035\u00a0¥"


def test_lists_and_times_are_shown_as_people_write_them() -> None:
    assert "16:9, 4:3" in translate(
        "grammar.value_missing", "en", option="--ar", allowed=["16:9", "4:3"]
    )
    assert "16:9、4:3" in translate(
        "grammar.value_missing",
        "zh-CN",
        option="--ar",
        allowed=["16:9", "4:3"],
    )
    at = datetime(2026, 11, 21, tzinfo=UTC)
    values = {
        name: Money(amount=Decimal(1), currency="CNY")
        for name in ("spent", "limit", "price")
    }
    assert "Nov 21, 2026, 00:00 UTC" in translate(
        "budget.person_day", "en", resets=at, **values
    )
    assert "2026年11月21日 00:00 UTC" in translate(
        "budget.person_day", "zh-TW", resets=at, **values
    )
