"""One grammar for every platform: what people and their phones type is understood, what is wrong is refused kindly."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Rejected
from core.grammar import RULES, Parsed, command, parse, write
from core.types import Action, Options, Size


def refusal(text: str, given: dict[str, str] | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse(text, given)
    return caught.value


@pytest.mark.parametrize(
    ("text", "prompt", "options"),
    [
        ("a red fox --n 2 --ar 16:9", "a red fox", Options(n=2, ratio=(16, 9))),
        ("--n 2 a red fox", "a red fox", Options(n=2)),
        ("a --seed 7 red fox", "a red fox", Options(seed=7)),
        ("a cat that isn't sad --raw", "a cat that isn't sad", Options(raw=True)),
        ("it's Ana's 5\" screen", "it's Ana's 5\" screen", Options()),
        ("fox —n 2", "fox", Options(n=2)),
        ("fox ––ar square", "fox", Options(ratio=(1, 1))),
        ("fox -n 3", "fox", Options(n=3)),
        ("fox --n=3", "fox", Options(n=3)),
        ("一只红狐狸 ——ar １６：９ ——n＝２", "一只红狐狸", Options(ratio=(16, 9), n=2)),
        ("狐狸 －－size １３２８×１３２８", "狐狸", Options(size=Size(width=1328, height=1328))),
        ("draw “say --n 9” --seed 5", 'draw "say --n 9"', Options(seed=5)),
        ('"--n 2 is my text"', "--n 2 is my text", Options()),
        ("fox --no blurry, dark --n 1", "fox", Options(negative="blurry, dark", n=1)),
        ('fox --negative "a --n 2 b"', "fox", Options(negative="a --n 2 b")),
        ("fox --size 1024x768", "fox", Options(size=Size(width=1024, height=768))),
        ("well-known — and nice — things", "well-known — and nice — things", Options()),
        ("a cat —sleeping softly", "a cat —sleeping softly", Options()),
        ("photo --mask Centre", "photo", Options(mask="center")),
        ("wide --left 1.5 --right 2", "wide", Options(left=1.5, right=2.0)),
        ("", "", Options()),
    ],
)
def test_what_people_type_is_understood(text: str, prompt: str, options: Options) -> None:
    assert parse(text) == Parsed(prompt=prompt, options=options)


def test_fields_of_a_platform_obey_the_same_rules_as_the_text() -> None:
    assert parse("fox", {"n": "2", "raw": ""}).options == Options(n=2, raw=True)
    assert refusal("fox", {"n": "9"}).key == "grammar.value"
    assert refusal("fox --n 2", {"n": "2"}).key == "grammar.duplicate"


@pytest.mark.parametrize("value", ["0", "-1", "99", "1e9", "٣", "NaN", "4.0", "二"])
def test_opt_01_a_wrong_number_of_pictures_is_refused_with_the_range(value: str) -> None:
    error = refusal(f"fox --n {value}")
    assert (error.key, error.params["allowed"]) == ("grammar.value", "1–6")


def test_opt_01_an_option_without_its_value_is_refused() -> None:
    assert refusal("fox --n").key == "grammar.value_missing"
    assert refusal("fox --n --raw").key == "grammar.value_missing"


@pytest.mark.parametrize("value", ["99999*99999", "1024*", "0*0", "1024*1024*3", "big", "1024:768"])
def test_opt_02_a_size_that_is_none_is_refused(value: str) -> None:
    assert refusal(f"fox --size {value}").key == "grammar.value"


@pytest.mark.parametrize("value", ["2147483648", "-1", "1.5", "0x10"])
def test_opt_03_a_seed_out_of_range_is_refused(value: str) -> None:
    assert refusal(f"fox --seed {value}").key == "grammar.value"


def test_opt_05_an_option_given_twice_is_refused() -> None:
    assert refusal("fox --n 1 --n 4").params["option"] == "--n"
    assert refusal("fox --no a --negative b").params["option"] == "--no"


def test_opt_07_a_quotation_mark_that_is_never_closed_is_refused() -> None:
    assert refusal('"cat').key == "grammar.quote"


def test_opt_08_ten_thousand_flags_are_refused_fast() -> None:
    started = time.perf_counter()
    refusal("fox " + "--n 1 " * 3000)
    assert time.perf_counter() - started < 1


def test_opt_09_and_txt_15_a_megabyte_of_text_is_refused() -> None:
    assert refusal("x" * 1_000_000).key == "grammar.too_long"


def test_opt_12_a_number_of_five_thousand_digits_is_refused() -> None:
    assert refusal("fox --seed " + "9" * 5000).key == "grammar.value"


def test_an_unknown_option_names_the_nearest_and_all() -> None:
    error = refusal("fox --sede 5")
    assert error.params["nearest"] == "--seed"
    assert "--ar" in str(error.params["allowed"])


def test_txt_06_07_09_hidden_and_control_characters_are_stripped() -> None:
    assert parse("a\u202e \u2066fox\u200b\x1b[2J\x00 \ud800!").prompt == "a fox !"


def test_txt_08_zalgo_is_thinned() -> None:
    assert len(parse("z" + "\u0301" * 5000).prompt) < 10


def test_txt_17_options_smuggled_into_a_prompt_are_parsed_once_and_checked() -> None:
    assert refusal("cat --n 99 --model x").key == "grammar.value"


def test_txt_04_12_13_and_18_odd_prompts_pass_as_they_are() -> None:
    for prompt in ("'); DROP TABLE steps;--", "%_%", "&lt;!channel&gt;", "x\nINFO admin login", "@everyone <!here>"):
        assert parse(prompt).prompt == prompt


values: dict[str, st.SearchStrategy[object]] = {
    "n": st.integers(1, 6),
    "size": st.builds(lambda w, h: Size(width=w, height=h), st.integers(1, 8192), st.integers(1, 8192)),
    "ratio": st.sampled_from([(1, 1), (16, 9), (3, 4), (8, 1)]),
    "seed": st.integers(0, 2_147_483_647),
    "negative": st.sampled_from(["blurry", "a dark, sad cat", "没有文字", "it's --n 2"]),
    "model": st.sampled_from(["qwen-image", "wan2.6-t2i"]),
    "raw": st.booleans(),
    "watermark": st.booleans(),
    "private": st.booleans(),
    "strength": st.integers(0, 100).map(lambda n: n / 100),
    "scale": st.integers(1, 4),
    **{side: st.integers(100, 200).map(lambda n: n / 100) for side in ("top", "bottom", "left", "right")},
    "sketch": st.booleans(),
    "mask": st.sampled_from(["left", "right", "top", "bottom", "center"]),
}
options = st.fixed_dictionaries({}, optional=values).map(lambda chosen: Options(**chosen))  # type: ignore[arg-type]
prompts = st.text(st.characters(blacklist_categories=("Cc", "Cf", "Cs", "Mn", "Mc", "Me")), max_size=60)


@given(prompts, options)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_is_read_back_the_same(prompt: str, chosen: Options) -> None:
    try:
        parsed = parse(prompt)
    except Rejected:
        return
    whole = Parsed(prompt=parsed.prompt, options=chosen)
    assert parse(write(whole)) == whole


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_whatever_raises_anything_but_a_refusal(text: str) -> None:
    with suppress(Rejected):
        parse(text)


def test_every_option_of_the_specification_is_there() -> None:
    assert {"n", "size", "ar", "seed", "no", "model", "raw", "watermark", "private", "strength", "scale"} <= set(RULES)


def test_commands_are_taken_apart() -> None:
    assert command("draw", "a fox") == (Action.DRAW, "a fox")
    assert command("wanx", "expand a meadow --left 1.5") == (Action.EXPAND, "a meadow --left 1.5")
    assert command("easel", "forget-me") == (Action.FORGET_ME, "")
    with pytest.raises(Rejected) as caught:
        command("wanx", "expnad x")
    assert caught.value.params["nearest"] == "expand"
