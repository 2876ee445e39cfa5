"""What is drawn from words: the things they name, where they belong, in their light and weather.

The order in which ``luck`` is asked is part of the picture: the same request gives the same bytes.
"""

import random
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from bot.simulator.colours import Colour
from bot.simulator.geometry import box_around
from bot.simulator.landscapes import (
    SHADOW,
    SNOWFIELD,
    View,
    draw_landscape,
    draw_waves,
)
from bot.simulator.lettering import write_caption
from bot.simulator.silhouettes import draw_silhouette
from bot.simulator.sizes import Pixels
from bot.simulator.styles import apply_styles
from bot.simulator.vocabulary import Figure, Reading, place_colour, read
from bot.simulator.weather import brush, draw_weather

MOST_FIGURES = 3
SIDES = (
    0.66,
    0.48,
    0.38,
    0.32,
    0.28,
    0.25,
)
"""Share of the shorter side that a thing takes, by how many there are."""
FOOT = 0.9
WATERLINE = 0.8
"""Shares of the height at which things stand and float."""
LOWEST_FLIGHT = 0.84
SHADE = 110
"""Darkness of a shadow, of 255."""
FOAM = (235, 242, 248)
PLACES = {
    "water": "sea",
    "far": "meadow",
    "land": "meadow",
}
LIGHTS: dict[str, Colour] = {
    "night": (150, 158, 205),
    "sunset": (255, 222, 196),
    "dawn": (255, 236, 226),
}
"""What the light of the time makes of white."""


def draw_scene(
    prompt: str, size: Pixels, luck: random.Random, *, caption: bool = True
) -> Image.Image:
    """A scene of the prompt, with its words on a strip below."""
    reading = read(prompt)
    view = _view(reading, luck)
    canvas = draw_landscape(view, size)
    if not reading.styles:
        brush(canvas, luck)
    _draw_far(canvas, reading, view)
    _draw_figures(canvas, reading, view)
    # Above the figures: rain and snow fall before them, too.
    canvas = draw_weather(canvas, reading.weathers, luck)
    canvas = apply_styles(canvas, reading.styles, luck)
    if caption:
        write_caption(canvas, prompt)
    return canvas


def _view(reading: Reading, luck: random.Random) -> View:
    place = _place(reading)
    ground = _ground(reading, place, luck)
    return View(
        reading=reading,
        place=place,
        ground=ground,
        luck=luck,
    )


def _place(reading: Reading) -> str:
    """Where it happens: as the words say, else where the first thing is found."""
    for place in reading.places:
        return place
    for figure in reading.figures:
        return PLACES.get(figure.place, figure.place)
    return ""


def _ground(
    reading: Reading,
    place: str,
    luck: random.Random,
) -> Colour:
    if not reading.figures and not reading.places:
        if reading.is_snowy and not reading.colours:
            return SNOWFIELD
        # Nothing is known but colours, or the letters.
        return reading.main_colour(luck)
    if reading.is_snowy and place not in {"sea", "under", "space"}:
        return SNOWFIELD
    if place in {"air", "sky", "head"}:
        place = "meadow"
    return place_colour(place)


def _draw_far(
    canvas: Image.Image,
    reading: Reading,
    view: View,
) -> None:
    """Mountains: behind all else, and larger."""
    side = round(min(canvas.size) * 0.72)
    top = round(canvas.height * 0.86) - side
    for figure in reading.figures:
        if figure.place != "far":
            continue
        wide = canvas.width / figure.count
        for number in range(figure.count):
            middle = wide * (number + 0.5)
            corner = (round(middle) - side // 2, top)
            _paste(
                canvas,
                figure,
                corner,
                side,
                view,
            )


def _draw_figures(
    canvas: Image.Image,
    reading: Reading,
    view: View,
) -> None:
    figures = _crowd(reading)
    if not figures:
        return
    wide = canvas.width / len(figures)
    most = SIDES[min(len(figures), len(SIDES)) - 1]
    largest = min(canvas.size) * most
    side = round(min(largest, wide * 1.1))
    for number, figure in enumerate(figures):
        jitter = view.luck.uniform(-0.06, 0.06)
        middle = wide * (number + 0.5 + jitter)
        foot = canvas.height * _foot(figure, view)
        foot += side * view.luck.uniform(-0.05, 0.03)
        spot = (round(middle), round(foot))
        _place_figure(
            canvas,
            figure,
            spot,
            side,
            view,
        )


def _crowd(reading: Reading) -> Sequence[Figure]:
    """Each thing as often as was asked for."""
    near = [
        figure
        for figure in reading.figures
        if figure.place not in {"far", "sky"}
    ]
    crowd: list[Figure] = []
    for figure in near[:MOST_FIGURES]:
        crowd += [figure] * figure.count
    return crowd


def _foot(figure: Figure, view: View) -> float:
    if view.place == "space" or figure.place == "air":
        return 0.66
    if view.place == "under":
        return 0.76
    if view.place == "sea":
        return WATERLINE
    return FOOT


def _place_figure(
    canvas: Image.Image, figure: Figure, foot: Pixels, side: int, view: View
) -> None:
    middle, bottom = foot
    if bottom > canvas.height * LOWEST_FLIGHT:
        draw_shadow(canvas, foot, side)
    corner = (middle - side // 2, bottom - side)
    _paste(
        canvas,
        figure,
        corner,
        side,
        view,
    )
    if view.place == "sea" and figure.place != "air":
        _cover_with_water(
            canvas,
            foot,
            side,
            view,
        )


def draw_shadow(
    canvas: Image.Image,
    foot: Pixels,
    side: int,
) -> None:
    """A soft dark oval on the ground."""
    width = round(side * 1.1)
    height = max(4, round(side * 0.14))
    shade = Image.new("L", (width, height))
    centre = (width / 2, height / 2)
    oval = box_around(
        centre,
        width * 0.8,
        height * 0.5,
    )
    ImageDraw.Draw(shade).ellipse(oval, fill=SHADE)
    soft = shade.filter(ImageFilter.GaussianBlur(height / 7))
    corner = (foot[0] - width // 2, foot[1] - height // 2)
    dark = Image.new("RGB", (width, height), SHADOW)
    canvas.paste(dark, corner, soft)


def _paste(
    canvas: Image.Image,
    figure: Figure,
    corner: tuple[int, int],
    side: int,
    view: View,
) -> None:
    colour = figure.colour or figure.silhouette.colour
    drawn = draw_silhouette(figure.silhouette, colour, side)
    if view.luck.random() < 0.5:
        drawn = ImageOps.mirror(drawn)
    shape = drawn.getchannel("A")
    lit = _in_light(drawn.convert("RGB"), view.light)
    canvas.paste(lit, corner, shape)


def _in_light(picture: Image.Image, light: str) -> Image.Image:
    tint = LIGHTS.get(light)
    if tint is None:
        return picture
    filtered = Image.new("RGB", picture.size, tint)
    return ImageChops.multiply(picture, filtered)


def _cover_with_water(
    canvas: Image.Image, foot: Pixels, side: int, view: View
) -> None:
    """The water before the foot of what floats: as at the border, with waves."""
    middle, bottom = foot
    height = max(4, side // 9)
    top = bottom - height // 2
    border = canvas.crop(
        (
            0,
            top,
            1,
            bottom + height,
        )
    )
    water = border.resize((side, border.height))
    draw_waves(
        water,
        0,
        view.luck,
        FOAM,
    )
    fade = Image.linear_gradient("L").resize(water.size).point(_steep)
    canvas.paste(water, (middle - side // 2, top), fade)


def _steep(level: float) -> float:
    """Opaque soon, and transparent again at the very end."""
    return min(
        255,
        level * 6,
        (255 - level) * 4,
    )
