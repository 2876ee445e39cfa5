"""What an instruction makes of a photo: its light, colours and weather, visibly changed."""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from bot.simulator.colours import is_night, is_snowy, main_colour, mix
from bot.simulator.lettering import write_caption
from bot.simulator.scenes import draw_snow

BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
PAPER = (250, 248, 244)
MOONLIGHT = (20, 34, 88)
STARLIGHT = (245, 243, 220)
STARS = 90
STAR_SIZES = (1, 2, 3)
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
        framed = ImageOps.expand(inset, 4, PAPER)
        canvas.paste(framed, (x, y))
    write_caption(canvas, prompt)
    return canvas


def grade(
    base: Image.Image,
    prompt: str,
    luck: random.Random,
    strength: float,
) -> Image.Image:
    """The photo in the light and colours the instruction speaks of; never the same as before."""
    tint = main_colour(prompt, luck)
    if is_night(prompt):
        dark = ImageEnhance.Brightness(base).enhance(0.45)
        blue = Image.new("RGB", base.size, MOONLIGHT)
        changed = Image.blend(dark, blue, 0.38)
        _draw_stars(changed, luck)
    else:
        shadows = mix(tint, BLACK, 0.75)
        lights = mix(tint, WHITE, 0.8)
        grey = ImageOps.grayscale(base)
        toned = ImageOps.colorize(grey, shadows, lights)
        crisp = ImageEnhance.Contrast(base).enhance(1.15)
        changed = Image.blend(crisp, toned, 0.45)
    if is_snowy(prompt):
        draw_snow(changed, luck)
    share = max(WEAKEST, min(1.0, strength))
    return Image.blend(base, changed, share)


def _draw_stars(canvas: Image.Image, luck: random.Random) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    lowest = max(1, height // 2)
    for _ in range(STARS):
        x = luck.randrange(width)
        y = luck.randrange(lowest)
        size = luck.choice(STAR_SIZES)
        draw.ellipse((x, y, x + size, y + size), fill=STARLIGHT)
