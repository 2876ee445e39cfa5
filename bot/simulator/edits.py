"""What an instruction makes of a photo: its light, colours and weather, visibly changed."""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from bot.simulator.colours import is_night, is_snowy, main_colour, mix
from bot.simulator.lettering import write_caption
from bot.simulator.scenes import draw_snow

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PAPER = (250, 248, 244)
MOONLIGHT = (20, 34, 88)
STARLIGHT = (245, 243, 220)
STARS = 90
MARGIN = 24
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
    canvas = grade(base, prompt, luck, 1.0)
    # Small enough that two more pictures fit below each other.
    side = min(canvas.size) // 3
    for row, other in enumerate(pictures[1:]):
        inset = ImageOps.contain(other, (side, side))
        x = canvas.width - inset.width - MARGIN
        y = MARGIN + row * (side + MARGIN)
        canvas.paste(ImageOps.expand(inset, 4, PAPER), (x, y))
    write_caption(canvas, prompt)
    return canvas


def grade(
    base: Image.Image, prompt: str, luck: random.Random, strength: float
) -> Image.Image:
    """The photo in the light and colours the instruction speaks of; never the same as before."""
    tint = main_colour(prompt, luck)
    if is_night(prompt):
        dark = ImageEnhance.Brightness(base).enhance(0.45)
        blue = Image.new("RGB", base.size, MOONLIGHT)
        changed = Image.blend(dark, blue, 0.38)
        _draw_stars(changed, luck)
    else:
        shadows, lights = mix(tint, BLACK, 0.75), mix(tint, WHITE, 0.8)
        toned = ImageOps.colorize(ImageOps.grayscale(base), shadows, lights)
        crisp = ImageEnhance.Contrast(base).enhance(1.15)
        changed = Image.blend(crisp, toned, 0.45)
    if is_snowy(prompt):
        draw_snow(changed, luck)
    return Image.blend(base, changed, max(WEAKEST, min(1.0, strength)))


def _draw_stars(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(STARS):
        x = luck.randrange(canvas.width)
        y = luck.randrange(max(1, canvas.height // 2))
        size = luck.choice((1, 2, 3))
        draw.ellipse((x, y, x + size, y + size), fill=STARLIGHT)
