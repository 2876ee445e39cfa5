"""What the stand-in understands of a prompt, and that it draws it, the same each time."""

import random

import pytest
from PIL import Image, ImageChops

from bot.simulator.edits import edit
from bot.simulator.scenes import draw_scene
from bot.simulator.silhouettes import draw_silhouette, silhouettes
from bot.simulator.styles import STYLES
from bot.simulator.vocabulary import read

SIZE = (192, 192)
RED = (200, 60, 45)
FOXES = {
    "en": "a red fox in the snow, watercolour",
    "zh-CN": "雪中的红色狐狸，水彩",
    "zh-TW": "一隻紅色的狐狸在雪中，水彩",
    "id": "seekor rubah merah di salju, cat air",
}


def draw(prompt: str, seed: int = 1) -> Image.Image:
    luck = random.Random(seed)
    return draw_scene(prompt, SIZE, luck)


def change(prompt: str, base: Image.Image) -> Image.Image:
    luck = random.Random(1)
    return edit(prompt, [base], base.size, luck)


def names(prompt: str) -> list[str]:
    return [figure.name for figure in read(prompt).figures]


def share_near(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    """The share of pixels that look like the colour."""
    flat = Image.new("RGB", picture.size, colour)
    distance = ImageChops.difference(picture, flat).convert("L")
    near = sum(distance.histogram()[:24])
    return near / (picture.width * picture.height)


@pytest.mark.parametrize("prompt", FOXES.values(), ids=FOXES)
def test_a_red_fox_in_the_snow_is_understood_in_every_language(
    prompt: str,
) -> None:
    reading = read(prompt)
    assert [(each.name, each.colour) for each in reading.figures] == [
        ("fox", RED)
    ]
    assert reading.weathers == ["snow"]
    assert reading.styles == ["watercolour"]


def test_more_than_forty_things_have_words_in_four_languages_and_are_drawn() -> (
    None
):
    assert len(silhouettes()) > 40
    for name, silhouette in silhouettes().items():
        latin = [word for word in silhouette.words if word.isascii()]
        chinese = [word for word in silhouette.words if not word.isascii()]
        assert latin, name
        assert chinese, name
        drawn = draw_silhouette(silhouette, silhouette.colour, 48)
        assert sum(drawn.getchannel("A").histogram()[128:]) > 300, name


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a snowman and three white cats", ["snowman", "cat"]),
        ("雪人和三只白猫", ["snowman", "cat"]),
        ("a card on a carpet", []),
        ("foxes and puppies", ["fox", "dog"]),
        ("机器人和熊猫", ["robot", "panda"]),
        ("kucing hitam dan anjing putih", ["cat", "dog"]),
    ],
)
def test_the_longest_word_counts_and_no_part_of_another(
    prompt: str, expected: list[str]
) -> None:
    assert names(prompt) == expected


def test_a_colour_and_a_number_belong_to_the_thing_beside_them() -> None:
    cat, dog = read("three black cats and a white dog").figures
    assert (cat.count, dog.count) == (3, 1)
    assert cat.colour != dog.colour
    kucing, anjing = read("kucing hitam dan anjing putih").figures
    assert (kucing.colour, anjing.colour) == (cat.colour, dog.colour)


def test_the_fox_is_there_in_the_colour_that_was_asked_for() -> None:
    red = draw("a red fox in the snow")
    blue = draw("a blue fox in the snow")
    assert share_near(red, RED) > 0.08
    assert share_near(blue, RED) < 0.01


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox at night",
        "a fox in the rain",
        "a fox in the fog",
        "a fox in a storm",
        "a fox by the sea",
        "a fox on the beach",
        "a fox in the forest",
        "a fox in the city at sunset",
        "a fox in space",
        "a fox underwater",
        "a cup on a table at night",
        *(f"a fox, {style}" for style in ("oil painting", *STYLES)),
    ],
)
def test_light_weather_place_and_style_are_seen_and_the_same_each_time(
    prompt: str,
) -> None:
    drawn = draw(prompt)
    assert drawn.tobytes() == draw(prompt).tobytes()
    assert drawn.size == SIZE
    assert drawn.tobytes() != draw("a fox").tobytes()


def test_another_seed_makes_another_picture() -> None:
    assert draw("a fox", 1).tobytes() != draw("a fox", 2).tobytes()


def test_what_is_added_is_seen_in_the_photo() -> None:
    photo = Image.new("RGB", (320, 240), (120, 130, 140))
    croissant = silhouettes()["croissant"].colour
    added = change("put a croissant next to it", photo)
    assert share_near(added, croissant) > 0.01
    assert share_near(change("make it crisp", photo), croissant) < 0.005


def test_the_words_of_an_edit_replace_those_before() -> None:
    first = draw("a fox")
    second = change("make it night", first)
    once = change("make it night", second)
    # The strip below says the same words, wherever the picture came from.
    strip = (0, SIZE[1] - 12, *SIZE)
    assert once.crop(strip).tobytes() == second.crop(strip).tobytes()
    assert first.crop(strip).tobytes() != second.crop(strip).tobytes()
