"""What people say, on three platforms and in four languages, and what it must mean.

Each saying goes through the platform's own decoder, so that its payload's shape counts, too.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from adapters.discord import decode as discord_decode
from adapters.discord.entities import plain as discord_plain
from adapters.slack import decode as slack_decode
from adapters.slack import text as slack_text
from adapters.web import decode as web_decode
from adapters.web.records import Member
from core.errors import Rejected
from core.incoming import Incoming, Mentions, Quoted
from core.interpret import interpret
from core.meaning import Choice, Meaning, OpenForm, Situation
from core.relevance import Relevance, relevance
from core.sayings import read_saying
from core.types import StepId
from tests.fakes.slack.driver import sample

US, OTHER = 4000000000000000001, 4000000000000000002
OWN_ROLE, GROUP_ROLE = 4000000000000000003, 4000000000000000004
SLACK_US = "UBOT00000001"
NOTHING, ASK = "nothing", "ask"
"""Not for the bot; either a drawing or an edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """In which circumstances words are said."""

    name: str
    ours: bool = False
    direct: bool = False
    mention: bool = False
    picture: bool = False


MENTION = Where(name="mention", mention=True)
DIRECT = Where(name="direct", direct=True)
THREAD = Where(name="thread of ours", ours=True)
MENTION_THREAD = Where(
    name="mention in a thread of ours", ours=True, mention=True
)
MENTION_PICTURE = Where(
    name="mention with a picture", mention=True, picture=True
)
CHANNEL = Where(name="channel")

# What is said after the bot's name: the words, and what they mean.
ADDRESSED = [
    # a command, however it is typed
    (", draw a fox", "draw: a fox"),
    (": draw a fox", "draw: a fox"),
    (" draw a fox", "draw: a fox"),
    (" - draw a fox", ASK),
    (" draw\na fox", "draw: a fox"),
    ("\ndraw\ta fox", "draw: a fox"),
    (" Draw a fox", "draw: a fox"),
    (" DRAW a fox --n 2", "draw: a fox"),
    (" draw a fox --n 99", "grammar.value"),
    (" /draw a fox", "draw: a fox"),
    (" /draw\na fox", "draw: a fox"),
    (" ／draw　a fox", "draw: a fox"),
    ("　draw　一只狐狸", "draw: 一只狐狸"),
    ("， draw 一只狐狸", "draw: 一只狐狸"),
    ("：draw 一只狐狸", "draw: 一只狐狸"),
    (" ｄｒａｗ a fox", "draw: a fox"),
    (" draw: a fox", "draw: a fox"),
    (" draw, a fox", "draw: a fox"),
    (" please draw a fox", "draw: a fox"),
    (" can you draw me a fox?", "draw: a fox"),
    (", please draw us a red fox", "draw: a red fox"),
    (" 画一只狐狸", "draw: 一只狐狸"),
    (" 画 狐狸", "draw: 狐狸"),
    ("，画：狐狸", "draw: 狐狸"),
    (" 请画一只狐狸", "draw: 一只狐狸"),
    (" 帮我画一张海报", "draw: 一张海报"),
    (" /画 狐狸", "draw: 狐狸"),
    (" 畫一隻狐狸", "draw: 一隻狐狸"),
    (" 請畫一隻狐狸", "draw: 一隻狐狸"),
    (" 畫：狐狸", "draw: 狐狸"),
    (" gambar rubah merah", "draw: rubah merah"),
    (" gambarkan rubah merah", "draw: rubah merah"),
    (", tolong gambarkan rubah", "draw: rubah"),
    (" bisakah kamu menggambar seekor rubah?", "draw: seekor rubah"),
    (" /gambar rubah", "draw: rubah"),
    (" /edit make it night", "edit: make it night"),
    (" edit: make it night", "edit: make it night"),
    (" 编辑：变成晚上", "edit: 变成晚上"),
    (" wanx upscale", "wanx.upscale: "),
    (" /wanx style watercolour", "wanx.style: watercolour"),
    (" /wanx\nstyle\nwatercolour", "wanx.style: watercolour"),
    (" easel help", "help: "),
    (" /easel undo", "undo: "),
    (" /easel　undo", "undo: "),
    (" /easel undo!", "undo: "),
    (" /easel 历史", "history: "),
    (" /easel urungkan", "undo: "),
    (" /easel go back", "undo: "),
    (" /easel pick 2", "pick: 2"),
    (" easel draw a fox", "draw: a fox"),
    # a word alone
    (" undo", "undo: "),
    (" undo!", "undo: "),
    (" Undo.", "undo: "),
    (", undo!!", "undo: "),
    (" help?", "help: "),
    (" help", "help: "),
    ("", "help: "),
    (" history!", "history: "),
    (" redo", "redo: "),
    (" again!", "again: "),
    (" cancel", "cancel: "),
    (" stop!", "cancel: "),
    (" send me", "send_me: "),
    (" 撤销", "undo: "),
    (" 撤销！", "undo: "),
    ("，撤销。", "undo: "),
    (" 重做", "redo: "),
    (" 帮助？", "help: "),
    (" 历史", "history: "),
    (" 再来一次！", "again: "),
    (" 取消", "cancel: "),
    (" 復原", "undo: "),
    (" 說明", "help: "),
    (" 歷史紀錄", "history: "),
    (" urungkan", "undo: "),
    (" bantuan?", "help: "),
    (" riwayat", "history: "),
    (" batal!", "cancel: "),
    (" lagi", "again: "),
    # small talk and questions
    (" thanks!", NOTHING),
    (" thank you so much 🙏", NOTHING),
    (", lol", NOTHING),
    (" nice!", NOTHING),
    (" 谢谢！", NOTHING),
    (" 太棒了", NOTHING),
    (" 謝謝", NOTHING),
    (" terima kasih!", NOTHING),
    (" keren banget!", NOTHING),
    (" what can you do?", "help: "),
    (" how does this work?", "help: "),
    (" 你会什么？", "help: "),
    (" apa yang bisa kamu lakukan?", "help: "),
    # what can only be an edit
    (" make it night", "edit: make it night"),
    (", add two moons", "edit: add two moons"),
    (" remove the hat", "edit: remove the hat"),
    (" can you make it night?", "edit: can you make it night?"),
    (" 把它变成晚上", "edit: 把它变成晚上"),
    (" 加一顶帽子", "edit: 加一顶帽子"),
    (" 把它變成晚上", "edit: 把它變成晚上"),
    (" tambahkan topi", "edit: tambahkan topi"),
    # what may be either
    (" a red fox in the snow", ASK),
    (", a red fox", ASK),
    (" Ana's dog as a knight", ASK),
    (" 画面变暗", ASK),
    (" 一只红色的狐狸", ASK),
    (" 一隻紅色的狐狸", ASK),
    (" rubah merah di salju", ASK),
    (" night, with more stars", ASK),
    (" what about a red hat?", ASK),
    # what is no command
    (" /foo bar", "grammar.no_command"),
    ("/imagine a fox", "grammar.no_command"),
    (" /wanx", "grammar.word_missing"),
    (" /easel dance", "grammar.unknown_word_near"),
]
# What is said in a thread of ours without naming the bot.
IN_THREAD = [
    ("make it night", "edit: make it night"),
    ("and rainy", "edit: and rainy"),
    ("draw a hat on her", ASK),
    ("could you draw a fox?", ASK),
    ("请画一只狐狸", ASK),
    ("請畫一隻狐狸", ASK),
    ("bisakah kamu menggambar seekor rubah?", ASK),
    ("a bit darker please", "edit: a bit darker please"),
    ("more stars!", "edit: more stars!"),
    ("can you make it night?", "edit: can you make it night?"),
    ("把它变成晚上", "edit: 把它变成晚上"),
    ("能把它变成晚上吗？", "edit: 能把它变成晚上吗？"),
    ("再暗一点", "edit: 再暗一点"),
    ("再暗一點", "edit: 再暗一點"),
    ("buat jadi malam", "edit: buat jadi malam"),
    ("lebih gelap", "edit: lebih gelap"),
    ("undo", "undo: "),
    ("undo!", "undo: "),
    ("撤销", "undo: "),
    ("/easel undo", "undo: "),
    ("/draw a boat", "draw: a boat"),
    ("/shrug", NOTHING),
    ("thanks", NOTHING),
    ("Thanks!", NOTHING),
    ("thank you!!", NOTHING),
    ("lol", NOTHING),
    ("LOL 😂", NOTHING),
    ("lol ok", NOTHING),
    ("ok thanks", NOTHING),
    ("haha very nice", NOTHING),
    ("ok make it night", "edit: ok make it night"),
    ("nice hat", "edit: nice hat"),
    ("oke makasih banyak", NOTHING),
    ("nice!", NOTHING),
    ("niiiice", NOTHING),
    ("wow, amazing!", NOTHING),
    ("thanks, love it ❤️", NOTHING),
    ("what do you think?", NOTHING),
    ("is this better?", NOTHING),
    ("who made this?", NOTHING),
    ("why is it blue?", NOTHING),
    ("does anybody like it?", NOTHING),
    ("👍", NOTHING),
    ("🦊🦊", NOTHING),
    ("…", NOTHING),
    ("谢谢", NOTHING),
    ("谢谢大家！", NOTHING),
    ("哈哈哈哈", NOTHING),
    ("真好看！", NOTHING),
    ("你们觉得怎么样？", NOTHING),
    ("谁画的？", NOTHING),
    ("謝謝", NOTHING),
    ("好看！", NOTHING),
    ("大家覺得呢？", NOTHING),
    ("makasih", NOTHING),
    ("bagus banget!", NOTHING),
    ("wkwkwk", NOTHING),
    ("gimana menurutmu?", NOTHING),
    ("siapa yang buat?", NOTHING),
    ("how about a red hat?", ASK),
    ("maybe with a hat", ASK),
    ("bagaimana kalau malam?", ASK),
]


def outcome(meaning: Meaning | None) -> str:
    if meaning is None:
        return NOTHING
    if isinstance(meaning, Choice):
        return ASK
    if isinstance(meaning, OpenForm):
        return f"form {meaning.request.action.value}"
    return f"{meaning.action.value}: {meaning.text}"


def meaning_of(incoming: Incoming | None, situation: Situation) -> str:
    """As the core would: first whether it is about us at all."""
    if incoming is None or relevance(incoming) is Relevance.NONE:
        return NOTHING
    try:
        return outcome(interpret(incoming, situation))
    except Rejected as error:
        return error.key


# Three platforms


def in_slack(words: str, where: Where, name: str = "") -> Incoming | None:
    body = sample("message_thread_reply" if where.ours else "message_im")
    event = body["event"]
    event["channel_type"] = "im" if where.direct else "channel"
    mention = f"<@{SLACK_US}>" if where.mention else ""
    event["text"] = f"{mention}{name}{words}"
    event["ts"] = "1766217609.000900"
    if where.picture:
        event["files"] = sample("message_file_share")["event"]["files"]
    return slack_decode.message(body)


def in_discord(words: str, where: Where, name: str = "") -> Incoming | None:
    mention = f"<@{US}>" if where.mention else ""
    message = discord_message(f"{mention}{name}{words}", where)
    return discord_decode.message(message, US)


def discord_message(content: str, where: Where, **facts: Any) -> Any:
    """As discord.py hands it over; what the decoder does not look at is left out."""
    mentions = [SimpleNamespace(id=US)] if where.mention else []
    channel: Any = SimpleNamespace(id=8)
    if where.ours:
        channel = discord.Thread.__new__(discord.Thread)
        channel.id, channel.parent_id = 9, 8
    files = []
    if where.picture:
        file = {
            "id": "1",
            "filename": "a.png",
            "content_type": "image/png",
            "url": "u",
        }
        files = [SimpleNamespace(to_dict=lambda: dict(file), size=9)]
    known = {
        "id": 77,
        "content": content,
        "author": SimpleNamespace(id=5, bot=False, display_name="Ana"),
        "webhook_id": None,
        "guild": None if where.direct else SimpleNamespace(id=7),
        "channel": channel,
        "type": discord.MessageType.default,
        "mentions": mentions,
        "raw_mentions": [US] if where.mention else [],
        "role_mentions": [],
        "raw_role_mentions": [],
        "mention_everyone": False,
        "reference": None,
        "attachments": files,
        "message_snapshots": [],
        "components": [],
        "stickers": [],
        "embeds": [],
    }
    return SimpleNamespace(**{**known, **facts})


def in_room(words: str, where: Where, name: str = "") -> Incoming:
    mention = "@Easel" if where.mention else ""
    page = {
        "key": "abcdefgh-1",
        "channel": "dm-ana" if where.direct else "general",
        "thread": "12" if where.ours else "",
        "locale": "en",
        "pictures": ["f" * 64] if where.picture else [],
    }
    member = Member(id="ana", name="Ana", admin=False)
    text = f"{mention}{name}{words}".strip()
    incoming = web_decode.message(text, member, page)
    return web_decode.with_mentions(incoming, ["Bo"])


PLATFORMS: dict[str, Callable[..., Incoming | None]] = {
    "slack": in_slack,
    "discord": in_discord,
    "room": in_room,
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_saying_means_the_same_on_every_platform(platform: str) -> None:
    decode = PLATFORMS[platform]
    table = [(MENTION, *saying) for saying in ADDRESSED]
    table += [(THREAD, *saying) for saying in IN_THREAD]
    wrong: dict[str, str] = {}
    for where, words, means in table:
        if platform == "room" and words.startswith("/"):
            continue  # there it is the room's own command line
        situation = Situation(is_ours=where.ours)
        meant = meaning_of(decode(words, where), situation)
        if meant != means:
            wrong[f"{where.name}: {words}"] = f"{meant}, not {means}"
    assert wrong == {}


def test_the_table_is_long_enough() -> None:
    assert len(ADDRESSED) + len(IN_THREAD) >= 150


@pytest.mark.parametrize("decode", PLATFORMS.values(), ids=PLATFORMS)
@pytest.mark.parametrize(
    ("where", "words", "means"),
    [
        (DIRECT, "draw a lighthouse", "draw: a lighthouse"),
        (DIRECT, "画一座灯塔", "draw: 一座灯塔"),
        (DIRECT, "make it night", "edit: make it night"),
        (DIRECT, "a lighthouse at night", ASK),
        (DIRECT, "thanks!", NOTHING),
        (DIRECT, "undo!", "undo: "),
        (DIRECT, "help", "help: "),
        (MENTION_THREAD, " make it gold", "edit: make it gold"),
        (MENTION_THREAD, ", a red hat", "edit: a red hat"),
        (MENTION_THREAD, " draw a hat on her", ASK),
        (MENTION_THREAD, " /draw a boat", "draw: a boat"),
        (MENTION_THREAD, " thanks!", NOTHING),
        (MENTION_PICTURE, " make it night", "edit: make it night"),
        (MENTION_PICTURE, " a lion", "edit: a lion"),
        (MENTION_PICTURE, "", "edit: "),
        (MENTION_PICTURE, " draw a hat on her", "edit: draw a hat on her"),
    ],
)
def test_where_it_is_said_counts(
    decode: Any, where: Where, words: str, means: str
) -> None:
    situation = Situation(is_ours=where.ours)
    assert meaning_of(decode(words, where), situation) == means


@pytest.mark.parametrize("platform", ["slack", "discord"])
@pytest.mark.parametrize(
    "words", ["draw a fox", "make it night", "what a nice morning"]
)
def test_words_in_a_teams_channel_are_not_for_us(
    platform: str, words: str
) -> None:
    said = PLATFORMS[platform](words, CHANNEL)
    assert meaning_of(said, Situation()) == NOTHING


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("draw a fox", ASK),
        ("make it night", ASK),
        ("a lighthouse at night", ASK),
        ("把天空变成晚上", ASK),
        ("thanks!", NOTHING),
        ("what do you think?", NOTHING),
        ("how about a red hat?", NOTHING),
        ("@Bo make it night", NOTHING),
        ("👍😍", NOTHING),
        ("undo", NOTHING),
        ("a fox --n 99", NOTHING),
        ("call me -- or do not", ASK),
    ],
)
def test_plain_words_in_the_room_are_offered_and_never_done(
    words: str, means: str
) -> None:
    assert meaning_of(in_room(words, CHANNEL), Situation()) == means


def test_talk_in_a_thread_of_people_in_the_room_is_not_for_us() -> None:
    said = in_room("make it night", THREAD)
    assert meaning_of(said, Situation()) == NOTHING


@pytest.mark.parametrize(
    "words",
    [
        "<!here> look at this",
        "<!channel> make it night",
        "<!everyone> nice",
        "<!subteam^S012AB3CD|@designers> what about it?",
        "<!subteam^S012AB3CD> make it blue",
        "<@U0THER0001> make it blue",
        "make it blue <@U0THER0001>",
        "<@U0THER0001|bo> look",
        ":heart: :+1::skin-tone-3:",
        ":our_logo:",
    ],
)
def test_words_to_others_in_slack_are_not_for_us(words: str) -> None:
    assert (
        meaning_of(in_slack(words, THREAD), Situation(is_ours=True)) == NOTHING
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"mentions": [SimpleNamespace(id=OTHER)]},
        {"raw_role_mentions": [GROUP_ROLE]},
        {"mention_everyone": True},
        {"content": "@everyone make it night"},
        {"content": "make it night @here"},
    ],
)
def test_words_to_others_in_discord_are_not_for_us(
    facts: dict[str, Any],
) -> None:
    words = facts.pop("content", "make it night")
    message = discord_message(words, THREAD, **facts)
    incoming = discord_decode.message(message, US)
    assert meaning_of(incoming, Situation(is_ours=True)) == NOTHING


@pytest.mark.parametrize(
    "words", ["@Bo make it night", "make it night, @bo", "👍😍"]
)
def test_words_to_others_in_the_room_are_not_for_us(words: str) -> None:
    assert (
        meaning_of(in_room(words, THREAD), Situation(is_ours=True)) == NOTHING
    )


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("@everyone look at this", NOTHING),
        ("thanks!", NOTHING),
        ("what do you think?", NOTHING),
        ("make it night", "edit: make it night"),
    ],
)
def test_an_answer_to_us_in_discord_pings_us_and_names_nobody(
    words: str, means: str
) -> None:
    message = discord_message(
        words, CHANNEL, mentions=[SimpleNamespace(id=US)]
    )
    incoming = discord_decode.message(message, US)
    assert incoming
    incoming = replace(incoming, answers=Quoted(message="6", is_ours=True))
    assert meaning_of(incoming, Situation(step=StepId("abcdefghij"))) == means


def test_the_bots_own_role_is_the_bot() -> None:
    role = SimpleNamespace(id=OWN_ROLE, tags=SimpleNamespace(bot_id=US))
    message = discord_message(
        f"<@&{OWN_ROLE}> draw a fox",
        CHANNEL,
        role_mentions=[role],
        raw_role_mentions=[OWN_ROLE],
    )
    incoming = discord_decode.message(message, US)
    assert meaning_of(incoming, Situation()) == "draw: a fox"


@pytest.mark.parametrize("name", ["@easel", "＠Easel", "@EASEL", "hey @Easel"])
def test_the_room_knows_its_name_however_it_is_written(name: str) -> None:
    where = replace(MENTION, mention=False)
    incoming = in_room(" make it night", where, name)
    assert incoming.mentions.us


@pytest.mark.parametrize(
    ("command", "text", "means"),
    [
        ("/draw", "a red fox --n 2", "draw: a red fox"),
        ("/draw", "", "form draw"),
        ("/draw", "--n 2", "form draw"),
        ("/edit", "", "form edit"),
        ("/edit", "make it night", "edit: make it night"),
        ("/wanx", "", "form wanx.style"),
        ("/wanx", "upscale", "wanx.upscale: "),
        ("/wanx", "style", "form wanx.style"),
        ("/wanx", "expnd", "grammar.unknown_word_near"),
        ("/easel", "", "help: "),
        ("/easel", "undo", "undo: "),
        ("/easel", "settings", "form settings"),
        ("/easel", "show abcdefghij", "show: abcdefghij"),
    ],
)
def test_a_slash_command_of_slack_is_a_command_or_its_form(
    command: str, text: str, means: str
) -> None:
    body = {**sample("slash_command"), "command": command, "text": text}
    assert meaning_of(slack_decode.command(body), Situation()) == means


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("/draw a fox", "draw: a fox"),
        ("/draw\nfox", "draw: fox"),
        ("/draw　狐狸", "draw: 狐狸"),
        ("／draw fox", "draw: fox"),
        ("/DRAW fox", "draw: fox"),
        ("/画 狐狸", "draw: 狐狸"),
        ("/easel\nhelp", "help: "),
        ("/easel undo", "undo: "),
        ("/draw", "form draw"),
        ("/foo", "grammar.no_command"),
    ],
)
def test_the_rooms_command_line_ends_a_word_at_any_white_space(
    text: str, means: str
) -> None:
    assert meaning_of(in_room(text, CHANNEL), Situation()) == means


def test_words_about_a_message_without_a_picture_never_edit_another() -> None:
    message = discord_message(
        f"<@{US}> a lion", replace(CHANNEL, mention=True)
    )
    incoming = discord_decode.message(message, US)
    assert incoming
    words = json.loads('{"message": "6", "is_ours": false}')
    about = replace(incoming, answers=Quoted(**words))
    assert meaning_of(about, Situation()) == "refuse.no_picture_there"
    drawn = replace(about, words="draw a lion")
    assert meaning_of(drawn, Situation()) == "draw: a lion"


def test_a_word_of_easels_behind_a_slash_is_told_how_it_is_written() -> None:
    with pytest.raises(Rejected) as caught:
        read_saying("/undo", is_named=False).command()
    allowed = ["/easel undo", "/draw", "/edit", "/wanx", "/easel"]
    assert caught.value.params["allowed"] == allowed


@pytest.mark.parametrize(
    "words", ["/edit make it night", "/wanx upscale", "again"]
)
def test_a_command_about_a_message_without_a_picture_never_edits_another(
    words: str,
) -> None:
    elsewhere = Quoted(message="6", is_ours=False)
    about = replace(in_room("a lion", CHANNEL), answers=elsewhere)
    about = replace(about, mentions=Mentions(us=True), words=words)
    assert meaning_of(about, Situation()) == "refuse.no_picture_there"
    drawn = replace(about, words="/draw a lion")
    assert meaning_of(drawn, Situation()) == "draw: a lion"


@pytest.mark.parametrize(
    "words", ["/edit make it night", "/edit", "/wanx upscale"]
)
def test_a_command_of_the_room_never_edits_another_picture_than_it_answers(
    words: str,
) -> None:
    elsewhere = Quoted(message="6", is_ours=False)
    about = replace(in_room(words, CHANNEL), answers=elsewhere)
    assert meaning_of(about, Situation()) == "refuse.no_picture_there"


@pytest.mark.parametrize(
    "part",
    [
        "<",
        "<@",
        "<@U12|",
        "<!here|",
        "<#",
        "<http://a|",
        "</a",
        "<:a:",
        "&lt;",
    ],
)
def test_long_hostile_words_are_read_in_a_moment(part: str) -> None:
    text = part * (40_000 // len(part))
    began = time.process_time()
    slack_text.plain(text)
    slack_text.mentions(text, SLACK_US, is_named=False)
    discord_plain(text)
    assert time.process_time() - began < 1
