"""What an instruction makes of a photo: its light, colours and weather, visibly changed."""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from bot.simulator.colours import BLACK, WHITE, mix
from bot.simulator.geometry import random_spot
from bot.simulator.lettering import write_caption
from bot.simulator.scenes import draw_shadow
from bot.simulator.silhouettes import draw_silhouette
from bot.simulator.styles import apply_styles
from bot.simulator.vocabulary import Figure, Reading, read
from bot.simulator.weather import draw_weather

PAPER = (250, 248, 244)
MOONLIGHT = (20, 34, 88)
STARLIGHT = (245, 243, 220)
STARS = 90
STAR_SIZES = (1, 2, 3)
MARGIN = 24
MOST_ADDED = 3
ADDED_SIDE = 0.36
"""Of a thing that is added, as a share of the shorter side."""
SPOTS = {
    "land": (0.76, 0.91),
    "air": (0.74, 0.42),
    "sky": (0.78, 0.4),
    "head": (0.5, 0.34),
}
"""Where it comes: its middle and its foot, as shares of width and height."""
FLOATING = {"air", "sky", "head"}
"""Where things cast no shadow."""
WEAKEST = 0.25
"""The least share of the change that is blended in: no edit leaves a picture as it was."""


def edit(
    prompt: str,
    pictures: Sequence[Image.Image],
    size: tuple[int, int],
    luck: random.Random,
) -> Image.Image:
    """The first picture, changed, with the others laid into its right side."""
    base = ImageOps.fit(pictures[0], size, Image.Resampling.LANCZOS)
    canvas = grade(
        base,
        prompt,
        luck,
        1.0,
    )
    # Small enough that two more pictures fit below each other.
    side = min(canvas.size) // 3
    for row, other in enumerate(pictures[1:]):
        inset = ImageOps.contain(other, (side, side))
        left = canvas.width - inset.width - MARGIN
        top = MARGIN + row * (side + MARGIN)
        framed = ImageOps.expand(inset, 4, PAPER)
        canvas.paste(framed, (left, top))
    write_caption(canvas, prompt)
    return canvas


def grade(
    base: Image.Image, prompt: str, luck: random.Random, strength: float
) -> Image.Image:
    """The photo with what the instruction adds, in the light, weather and style it speaks of.

    Never the same as before.
    """
    reading = read(prompt)
    changed = _relight(base, reading, luck)
    if reading.is_adding:
        for number, figure in enumerate(reading.figures[:MOST_ADDED]):
            _add(
                changed,
                figure,
                number,
                luck,
            )
    changed = draw_weather(changed, reading.weathers, luck)
    changed = apply_styles(changed, reading.styles, luck)
    share = max(WEAKEST, min(1.0, strength))
    return Image.blend(base, changed, share)


def _relight(
    base: Image.Image, reading: Reading, luck: random.Random
) -> Image.Image:
    if "night" in reading.times:
        dark = ImageEnhance.Brightness(base).enhance(0.45)
        blue = Image.new("RGB", base.size, MOONLIGHT)
        changed = Image.blend(dark, blue, 0.38)
        _draw_stars(changed, luck)
        return changed
    crisp = ImageEnhance.Contrast(base).enhance(1.15)
    if reading.styles or (reading.is_adding and reading.figures):
        # That change is seen; no other was asked for.
        return crisp
    tint = reading.main_colour(luck)
    shadows = mix(tint, BLACK, 0.75)
    lights = mix(tint, WHITE, 0.8)
    grey = ImageOps.grayscale(base)
    toned = ImageOps.colorize(grey, shadows, lights)
    return Image.blend(crisp, toned, 0.45)


def _add(
    canvas: Image.Image, figure: Figure, number: int, luck: random.Random
) -> None:
    """Lay a thing into the photo: below on the right, what flies above, a hat on top."""
    side = round(min(canvas.size) * ADDED_SIDE)
    colour = figure.colour or figure.silhouette.colour
    drawn = draw_silhouette(figure.silhouette, colour, side)
    middle, foot = SPOTS.get(figure.place, SPOTS["land"])
    # The second stands on the other side.
    share = middle if number % 2 == 0 else 1 - middle
    share += luck.uniform(-0.03, 0.03)
    spot = (round(canvas.width * share), round(canvas.height * foot))
    if figure.place not in FLOATING:
        draw_shadow(canvas, spot, side)
    corner = (spot[0] - side // 2, spot[1] - side)
    canvas.paste(drawn, corner, drawn)


def _draw_stars(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    sky = (width, height // 2)
    for _ in range(STARS):
        left, top = random_spot(sky, luck)
        size = luck.choice(STAR_SIZES)
        star = (
            left,
            top,
            left + size,
            top + size,
        )
        draw.ellipse(star, fill=STARLIGHT)
