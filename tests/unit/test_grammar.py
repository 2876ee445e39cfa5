"""One grammar for every platform: phones' spellings are understood, mistakes refused kindly."""

import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Rejected
from core.grammar import LONGEST, Parsed, command, parse, write
from core.operations import Action
from core.options import OPTIONS, Options, options_of
from core.size import Size
from core.text import clean, has_words


def refusal(text: str, given: dict[str, str] | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse(text, given)
    return caught.value


@pytest.mark.parametrize(
    ("text", "prompt", "options"),
    [
        (
            "a red fox --n 2 --ar 16:9",
            "a red fox",
            Options(n=2, ratio=(16, 9)),
        ),
        ("--n 2 a red fox", "a red fox", Options(n=2)),
        ("a --seed 7 red fox", "a red fox", Options(seed=7)),
        (
            "a cat that isn't sad --raw",
            "a cat that isn't sad",
            Options(raw=True),
        ),
        ("it's Ana's 5\" screen", "it's Ana's 5\" screen", Options()),
        ("fox —n 2", "fox", Options(n=2)),
        ("fox ––ar square", "fox", Options(ratio=(1, 1))),
        ("fox -n 3", "fox", Options(n=3)),
        ("fox --n=3", "fox", Options(n=3)),
        (
            "一只红狐狸 ——ar １６：９ ——n＝２",
            "一只红狐狸",
            Options(ratio=(16, 9), n=2),
        ),
        (
            "狐狸 －－size １３２８×１３２８",
            "狐狸",
            Options(size=Size(width=1328, height=1328)),
        ),
        ("draw “say --n 9” --seed 5", "draw “say --n 9”", Options(seed=5)),
        ('"--n 2 is my text"', "--n 2 is my text", Options()),
        ("“--n 2 is my text”", "--n 2 is my text", Options()),
        (r'"a \"--n 2\" sign"', 'a "--n 2" sign', Options()),
        ("一只红狐狸--n 2", "一只红狐狸", Options(n=2)),
        ("写着“买 --n 2”的招牌--n 3", "写着“买 --n 2”的招牌", Options(n=3)),
        ('写着"买 --n 2"的招牌', '写着"买 --n 2"的招牌', Options()),
        ("「--n 2」という看板", "「--n 2」という看板", Options()),
        ("他说——no way", "他说——no way", Options()),
        ("一只猫 --n 2，很可爱", "一只猫 很可爱", Options(n=2)),
        ("－－ｎ　２ 狐狸", "狐狸", Options(n=2)),
        ("fox, --n 2, in the snow", "fox, in the snow", Options(n=2)),
        ("fox –ar 16:9", "fox", Options(ratio=(16, 9))),
        (
            "fox --size 1024 x 768 at dawn",
            "fox at dawn",
            Options(size=Size(width=1024, height=768)),
        ),
        ("fox --strength .5", "fox", Options(strength=0.5)),
        ("rubah --strength 0,5", "rubah", Options(strength=0.5)),
        ("fox --seed 0 --strength 0", "fox", Options(seed=0, strength=0.0)),
        ("fox --no hats —sleeping", "fox", Options(negative="hats —sleeping")),
        ('fox --no "say “hi”"', "fox", Options(negative="say “hi”")),
        ("a room —light and airy", "a room —light and airy", Options()),
        (
            'a 12" pizza --n 2 on a 14" plate',
            'a 12" pizza on a 14" plate',
            Options(n=2),
        ),
        ("first line\r\nsecond line", "first line\nsecond line", Options()),
        ("\u200b \u3164\n", "", Options()),
        (
            "fox --no blurry, dark --n 1",
            "fox",
            Options(negative="blurry, dark", n=1),
        ),
        ('fox --negative "a --n 2 b"', "fox", Options(negative="a --n 2 b")),
        (
            "fox --size 1024x768",
            "fox",
            Options(size=Size(width=1024, height=768)),
        ),
        (
            "well-known — and nice — things",
            "well-known — and nice — things",
            Options(),
        ),
        ("a cat —sleeping softly", "a cat —sleeping softly", Options()),
        ("photo --mask Centre", "photo", Options(mask="center")),
        ("wide --left 1.5 --right 2", "wide", Options(left=1.5, right=2.0)),
        ("", "", Options()),
    ],
)
def test_what_people_type_is_understood(
    text: str, prompt: str, options: Options
) -> None:
    assert parse(text) == Parsed(prompt=prompt, options=options)


def test_fields_of_a_platform_obey_the_same_rules_as_the_text() -> None:
    assert parse("fox", {"n": "2", "raw": ""}).options == Options(
        n=2, raw=True
    )
    assert parse(
        "fox", {"ratio": "square", "raw": "True", "private": "false"}
    ).options == Options(ratio=(1, 1), raw=True)
    assert refusal("fox", {"n": ""}).key == "grammar.value_missing"
    assert refusal("fox", {"raw": "perhaps"}).key == "grammar.flag_value"
    assert refusal("fox", {"reply": "1"}).key == "grammar.unknown_option"
    assert refusal("fox", {"no": "x" * 1_000_000}).key == "grammar.too_long"
    assert refusal("fox", {"n": "9"}).key == "grammar.value"
    assert refusal("fox --n 2", {"n": "2"}).key == "grammar.duplicate"


@pytest.mark.parametrize(
    "value", ["0", "-1", "99", "1e9", "٣", "NaN", "4.0", "二"]
)
def test_a_wrong_number_of_pictures_is_refused_with_the_range(
    value: str,
) -> None:
    error = refusal(f"fox --n {value}")
    assert (error.key, error.params["allowed"]) == ("grammar.value", "1–6")


def test_an_option_without_its_value_is_refused() -> None:
    for text in (
        "fox --n",
        "fox --n --raw",
        "fox --seed --raw",
        "fox --n ,",
        "fox --mask",
        "fox --size",
        "fox --top",
    ):
        assert refusal(text).key == "grammar.value_missing"
    assert refusal("fox --no").key == "grammar.text_missing"
    assert refusal("fox --model --raw").key == "grammar.text_missing"


def test_a_flag_with_a_value_is_refused_and_nothing_of_it_becomes_prompt() -> (
    None
):
    assert refusal("fox --raw=true").key == "grammar.flag_value"
    assert refusal("fox --private：no").key == "grammar.flag_value"


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("--n 9", "6"),
        ("--n 0", "1"),
        ("--n ٣", "3"),
        ("--n NaN", "1"),
        ("--strength 1.5", "1"),
        ("--strength half", "0"),
        ("--scale 9", "4"),
        ("--left 0.5", "1"),
        ("--ar 20:1", "8:1"),
        ("--ar 1:20", "1:8"),
        ("--ar sqare", "square"),
        ("--mask lft", "left"),
        ("--size huge", "1328*1328"),
    ],
)
def test_a_refusal_names_the_nearest_legal_value(
    text: str, nearest: str
) -> None:
    assert refusal(f"fox {text}").params["nearest"] == nearest


@pytest.mark.parametrize(
    "value",
    [
        "99999*99999",
        "1024*",
        "0*0",
        "1024*1024*3",
        "1024 * 1024 * 3",
        "big",
        "1024:768",
    ],
)
def test_a_size_that_is_none_is_refused(value: str) -> None:
    assert refusal(f"fox --size {value}").key == "grammar.value"


@pytest.mark.parametrize("value", ["2147483648", "-1", "1.5", "0x10"])
def test_a_seed_out_of_range_is_refused(value: str) -> None:
    assert refusal(f"fox --seed {value}").key == "grammar.value"


def test_an_option_given_twice_is_refused() -> None:
    assert refusal("fox --n 1 --n 4").params["option"] == "--n"
    assert refusal("fox --no a --negative b").params["option"] == "--no"


@pytest.mark.parametrize(
    "text", ['"cat', "“cat", 'say "hello --n 2', 'fox --no "blurry', r'"a\"']
)
def test_a_quotation_mark_that_is_never_closed_is_refused(text: str) -> None:
    assert refusal(text).key == "grammar.quote"


def test_ten_thousand_flags_are_refused_fast() -> None:
    started = time.process_time()
    assert refusal("fox " + "--n 1 " * 10_000).key == "grammar.too_long"
    assert refusal("fox " + "--n 1 " * 3000).key == "grammar.duplicate"
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        '"a" ',
        '"\\',
        "„",
        "“",
        "«",
        '("',
        "—ab 1 ",
        "—sid ",
        "--no —x ",
        "e\u0301",
        "a\u200d",
        "--",
        "- ",
        "ａ－－",
    ],
)
def test_no_text_takes_long_to_read(text: str) -> None:
    started = time.process_time()
    with suppress(Rejected):
        parse((text * LONGEST)[:LONGEST])
    assert time.process_time() - started < 1


def test_a_megabyte_of_text_is_refused() -> None:
    assert refusal("x" * 1_000_000).key == "grammar.too_long"


def test_a_number_of_five_thousand_digits_is_refused() -> None:
    assert refusal("fox --seed " + "9" * 5000).key == "grammar.value"


def unknown(text: str, action: Action | None = None) -> tuple[object, object]:
    """The unknown options of a text, and what is named instead."""
    with pytest.raises(Rejected, match="option") as caught:
        parse(text, action=action)
    return caught.value.params["option"], caught.value.params["instead"]


def test_an_unknown_option_names_the_nearest_and_all() -> None:
    slip = (["--sede"], ["--sede → --seed"])
    assert unknown("fox --sede 5") == slip
    assert unknown("fox —sede 5") == slip
    assert len(str(refusal("fox --" + "x" * 19_000).params["option"])) < 50
    assert "--ar" in str(refusal("fox --sede 5").params["allowed"])


def test_an_unknown_option_is_answered_with_those_of_the_command() -> None:
    with pytest.raises(Rejected) as caught:
        parse("make it night --sede 1", action=Action.EDIT)
    expected = [f"--{option.name}" for option in options_of(Action.EDIT)]
    assert caught.value.params["allowed"] == expected
    assert "--strength" not in expected
    assert unknown("a watercolour --strenght 1", Action.STYLE) == (
        ["--strenght"],
        ["--strenght → --strength"],
    )
    # An option of another command is not offered in its place.
    assert unknown("make it night --s 250", Action.EDIT) == (["--s"], [])


def test_habits_of_another_bot_are_answered_all_at_once() -> None:
    habit = (
        "a fox --v 6 --q 2 --style raw --cref https://a.example/x.png --v 7"
    )
    assert unknown(habit, Action.DRAW) == (
        ["--v", "--q", "--style", "--cref"],
        ["--v → --model", "--q → --size", "--style → --raw", "--cref → /edit"],
    )
    assert unknown("a fox —v 6", Action.DRAW)[0] == ["--v"]
    assert unknown("a fox --zzz", Action.DRAW) == (["--zzz"], [])
    assert unknown("a fox --tile", Action.DRAW) == (["--tile"], [])
    options = parse("a fox --no hats --ar 16:9").options
    assert (options.negative, options.ratio) == ("hats", (16, 9))
    assert parse("a cat —style of its own").prompt == "a cat —style of its own"


def test_code_shelters_what_looks_like_an_option() -> None:
    for prompt in ("`code --n 2` fox", "see ```\n--n 3\n``` there"):
        parsed = parse(prompt)
        assert (parsed.prompt, parsed.options.n) == (prompt, None)
    assert parse("```make it night```").prompt == "make it night"
    assert parse("`make it night` --n 2").prompt == "make it night"
    assert parse("it`s a fox --n 2").options.n == 2


@pytest.mark.parametrize("nation", ["gbeng", "gbsct", "gbwls"])
def test_the_flags_of_nations_keep_their_letters(nation: str) -> None:
    letters = "".join(chr(0xE0000 + ord(letter)) for letter in nation)
    flag = f"🏴{letters}\U000e007f"
    assert parse(f"the {flag} flag").prompt == f"the {flag} flag"
    assert parse(f"the {letters} flag").prompt == "the  flag"
    assert parse(f"🏴{letters} flag").prompt == "🏴 flag"


def test_hidden_and_control_characters_are_stripped() -> None:
    assert (
        parse("a\u202e \u2066fox\u200b\x1b[2J\x00 \ud800!").prompt == "a fox !"
    )
    assert (
        parse("a\x1b]0;title\x07 f\u200dox\U000e0041\x9b1m").prompt == "a fox"
    )


@pytest.mark.parametrize(
    "prompt", ["👩‍👩‍👧 at home ❤️", "می‌خواهم", "क्‍ष", "👋🏽 1️⃣ 🇹🇼"]
)
def test_joiners_that_mean_something_stay(prompt: str) -> None:
    assert parse(prompt).prompt == prompt


@pytest.mark.parametrize("prompt", ["", "🦊", "👩‍👩‍👧 ❤️", "1️⃣ 2️⃣", "… —", "🇹🇼"])
def test_emoji_and_signs_alone_are_no_words(prompt: str) -> None:
    assert not has_words(prompt)


def test_words_of_any_script_are_words() -> None:
    assert all(has_words(prompt) for prompt in ("fox 🦊", "狐", "ثعلب", "7"))


def test_zalgo_is_thinned() -> None:
    assert len(parse("z" + "\u0301" * 5000).prompt) < 10


def test_options_smuggled_into_a_prompt_are_parsed_once_and_checked() -> None:
    assert refusal("cat --n 99 --model x").key == "grammar.value"


def test_odd_prompts_pass_as_they_are() -> None:
    for prompt in (
        "<!channel> <@U1>",
        "<https://evil.tld|https://bank.tld>",
        "a ```x``` b",
        "{ $secret }",
        "{0.__class__} %s%n",
        "'); DROP TABLE steps;--",
        "%_%",
        "&lt;!channel&gt;",
        "x\nINFO admin login",
        "@everyone <!here>",
    ):
        assert parse(prompt).prompt == prompt


values: dict[str, st.SearchStrategy[object]] = {
    "n": st.integers(1, 6),
    "size": st.builds(
        lambda w, h: Size(width=w, height=h),
        st.integers(1, 8192),
        st.integers(1, 8192),
    ),
    "ratio": st.sampled_from([(1, 1), (16, 9), (3, 4), (8, 1)]),
    "seed": st.integers(0, 2_147_483_647),
    "model": st.sampled_from(
        ["qwen-image", "wan2.6-t2i", "no such model", "--raw"]
    ),
    "raw": st.booleans(),
    "watermark": st.booleans(),
    "private": st.booleans(),
    "strength": st.integers(0, 100).map(lambda n: n / 100),
    "scale": st.integers(1, 4),
    **{
        side: st.integers(100, 200).map(lambda n: n / 100)
        for side in ("top", "bottom", "left", "right")
    },
    "sketch": st.booleans(),
    "mask": st.sampled_from(["left", "right", "top", "bottom", "center"]),
}
chosen_values = st.fixed_dictionaries({}, optional=values)
options = chosen_values.map(lambda chosen: Options(**chosen))  # type: ignore[arg-type]
pieces = st.sampled_from(
    [
        *'"\\“”「」„＂ -—–－nN2２a猫，,.=:x\n\u200d😀\u0301م',
        "--n",
        "--no ",
        "--raw",
        "—n 2",
        "16:9",
        '\\"',
    ]
)
texts = st.lists(pieces, max_size=25).map("".join) | st.text(max_size=60)


@given(texts, texts, options)
def test_what_is_printed_is_read_back_the_same(
    prompt: str, negative: str, chosen: Options
) -> None:
    chosen = replace(chosen, negative=clean(negative) or None)
    whole = Parsed(prompt=clean(prompt), options=chosen)
    assert parse(write(whole)) == whole


@given(texts)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_what_needs_no_quotes_is_printed_without() -> None:
    parsed = Parsed(
        prompt="it's Ana's fox",
        options=Options(model="qwen-image", n=2, seed=0, raw=True),
    )
    assert (
        write(parsed)
        == "it's Ana's fox --n 2 --seed 0 --model qwen-image --raw"
    )


@given(texts)
def test_no_text_whatever_raises_anything_but_a_refusal(text: str) -> None:
    with suppress(Rejected):
        parse(text)


def test_every_option_of_the_specification_is_there() -> None:
    assert {
        "n",
        "size",
        "ar",
        "seed",
        "no",
        "model",
        "raw",
        "watermark",
        "private",
        "strength",
        "scale",
    } <= set(OPTIONS)


def test_commands_are_taken_apart() -> None:
    assert command("draw", "a fox") == (Action.DRAW, "a fox")
    assert command("wanx", "expand a meadow --left 1.5") == (
        Action.EXPAND,
        "a meadow --left 1.5",
    )
    assert command("easel", "forget-me") == (Action.FORGET_ME, "")
    assert command("wanx", "Ｅxpand　草原\n夜里") == (
        Action.EXPAND,
        "草原\n夜里",
    )
    assert command("easel", "show v3") == (Action.SHOW, "v3")


def test_a_word_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(Rejected) as caught:
        command("easel", "forget")
    assert "undo" in caught.value.params["allowed"]  # type: ignore[operator]
    assert "forget-me" in caught.value.params["allowed"]  # type: ignore[operator]


def test_easel_alone_asks_for_help_and_wanx_alone_names_its_functions() -> (
    None
):
    assert command("easel", " ") == (Action.HELP, "")
    with pytest.raises(Rejected) as caught:
        command("wanx", "")
    assert caught.value.key == "grammar.word_missing"


def test_an_unknown_word_names_the_nearest_and_all() -> None:
    for text, key in (
        ("expnad x", "grammar.unknown_word_near"),
        ("nonsense", "grammar.unknown_word"),
        ("x" * 1_000_000, "grammar.too_long"),
    ):
        with pytest.raises(Rejected) as caught:
            command("wanx", text)
        assert caught.value.key == key
    with pytest.raises(Rejected) as caught:
        command("easel", "histroy")
    assert caught.value.params["nearest"] == "history"
    assert "undo" in str(caught.value.params["allowed"])
