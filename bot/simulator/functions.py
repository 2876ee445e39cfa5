"""The ten Wanx functions, each visible in its result and exact where the vendor's is."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import (
    Image,
    ImageChops,
    ImageDraw,
    ImageEnhance,
    ImageFilter,
    ImageOps,
)

from bot.simulator.colours import main_colour
from bot.simulator.edits import grade
from bot.simulator.lettering import write_badge
from bot.simulator.rules import ImageRequest
from bot.simulator.scenes import brush, draw_scene

BRIGHT, DARK = 255, 0
OLD_GOLD = ((60, 36, 10), (255, 226, 150), (206, 150, 50))
"""Shadows, lights and tones between."""
COLD_SHADOW, WARM_LIGHT = (20, 26, 60), (255, 244, 220)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a function works on. ``mask``: a picture, white where it may change."""

    request: ImageRequest
    base: Image.Image
    mask: Image.Image | None
    luck: random.Random

    @property
    def prompt(self) -> str:
        """The words of the request."""
        return self.request.prompt

    def parameter(self, name: str) -> float:
        """One of the function's own parameters, checked before."""
        return float(self.request.extra[name])

    def scene(self, prompt: str, size: tuple[int, int]) -> Image.Image:
        """A landscape to lay beside or beneath the picture."""
        return draw_scene(prompt, size, self.luck, caption=False)


def restyle_all(job: Job) -> Image.Image:
    """Flat colours within drawn edges; the more, the higher the strength."""
    smooth = job.base.filter(ImageFilter.ModeFilter(9))
    flat = ImageOps.posterize(smooth, 3)
    if "金" in job.prompt or "gold" in job.prompt.lower():
        shadows, lights, tones = OLD_GOLD
        flat = ImageOps.colorize(
            ImageOps.grayscale(flat), shadows, lights, tones
        )
    vivid = ImageEnhance.Color(flat).enhance(1.4)
    lines = _bleach(_edges(job.base), above=190)
    drawn = ImageChops.multiply(vivid, _as_rgb(lines))
    brush(drawn, job.luck)
    share = 0.3 + 0.7 * job.parameter("strength")
    return Image.blend(job.base, drawn, share)


def restyle_middle(job: Job) -> Image.Image:
    """Only an oval in the middle changes."""
    smooth = job.base.filter(ImageFilter.ModeFilter(7))
    changed = grade(smooth, job.prompt, job.luck, 1.0)
    width, height = job.base.size
    box = (width // 5, height // 5, width * 4 // 5, height * 4 // 5)
    oval = _ellipse(job.base.size, box)
    # A hard edge would show where the change ends.
    soft_oval = oval.filter(ImageFilter.GaussianBlur(12))
    return Image.composite(changed, job.base, soft_oval)


def edit_by_description(job: Job) -> Image.Image:
    """The photo changed as far as the strength says, with the words in its corner."""
    strength = 0.4 + 0.6 * job.parameter("strength")
    canvas = grade(job.base, job.prompt, job.luck, strength)
    write_badge(canvas, job.prompt)
    return canvas


def inpaint(job: Job) -> Image.Image:
    """Outside the white every pixel stays as it is; inside every pixel changes."""
    assert job.mask is not None  # noqa: S101  # the rules want one for this function
    white = _threshold(job.mask.convert("L"), 128)
    scene = job.scene(job.prompt or "repair", job.base.size)
    difference = ImageChops.difference(scene, job.base).convert("L")
    # Where the scene happens to look like the photo, its negative does not.
    looks_same = ImageChops.invert(_threshold(difference, 3))
    scene = Image.composite(ImageChops.invert(scene), scene, looks_same)
    return Image.composite(scene, job.base, white)


def remove_watermark(job: Job) -> Image.Image:
    """The lowest strip becomes the mirrored, blurred one above it."""
    width, height = job.base.size
    strip = max(8, height // 8)
    above = job.base.crop((0, height - 2 * strip, width, height - strip))
    mirrored = ImageOps.flip(above)
    canvas = job.base.copy()
    canvas.paste(
        mirrored.filter(ImageFilter.GaussianBlur(6)), (0, height - strip)
    )
    return canvas


def expand(job: Job) -> Image.Image:
    """W' = W·(1 + (left−1)/2 + (right−1)/2), as the vendor's guide reads.

    The picture itself stays untouched.
    """
    width, height = job.base.size
    left = _added_pixels(width, job.parameter("left_scale"))
    right = _added_pixels(width, job.parameter("right_scale"))
    top = _added_pixels(height, job.parameter("top_scale"))
    bottom = _added_pixels(height, job.parameter("bottom_scale"))
    size = (width + left + right, height + top + bottom)
    scene = job.scene(job.prompt, size)
    around = Image.blend(job.base.resize(size), scene, 0.45)
    blur = max(4, min(size) // 60)
    canvas = around.filter(ImageFilter.GaussianBlur(blur))
    canvas.paste(job.base, (left, top))
    return canvas


def upscale(job: Job) -> Image.Image:
    """As many times as large, sharpened."""
    factor = int(job.parameter("upscale_factor"))
    width, height = job.base.size
    size = (width * factor, height * factor)
    larger = job.base.resize(size, Image.Resampling.LANCZOS)
    return larger.filter(ImageFilter.UnsharpMask(2, 120, 2))


def colorize(job: Job) -> Image.Image:
    """A grey photo in the colour the prompt names, else in autumn's."""
    tint = main_colour(job.prompt or "autumn meadow", job.luck)
    grey = ImageOps.grayscale(job.base)
    coloured = ImageOps.colorize(grey, COLD_SHADOW, WARM_LIGHT, tint)
    return ImageEnhance.Color(coloured).enhance(1.3)


def fill_sketch(job: Job) -> Image.Image:
    """A scene under the lines of the sketch, or under the edges of a photo."""
    lines = ImageOps.grayscale(job.base)
    if not job.request.extra["is_sketch"]:
        lines = _edges(job.base)
    ink = _bleach(ImageOps.autocontrast(lines), above=150)
    scene = job.scene(job.prompt, job.base.size)
    canvas = ImageChops.multiply(scene, _as_rgb(ink))
    write_badge(canvas, job.prompt)
    return canvas


def move_character(job: Job) -> Image.Image:
    """The character, cut out round, in a new scene."""
    width, height = job.base.size
    side = min(width, height) * 3 // 5
    canvas = draw_scene(job.prompt, job.base.size, job.luck)
    smooth = job.base.filter(ImageFilter.ModeFilter(5))
    figure = ImageOps.fit(ImageOps.posterize(smooth, 4), (side, side))
    disc = _ellipse((side, side), (0, 0, side, side))
    middle = ((width - side) // 2, (height - side) // 2)
    canvas.paste(figure, middle, disc)
    return canvas


def _added_pixels(length: int, scale: float) -> int:
    """The pixels added on one side: 2 on both sides makes the length twice as long."""
    return round(length * ((scale - 1) / 2))


def _ellipse(
    size: tuple[int, int], box: tuple[int, int, int, int]
) -> Image.Image:
    """A mask, white within the ellipse."""
    mask = Image.new("L", size, DARK)
    ImageDraw.Draw(mask).ellipse(box, fill=BRIGHT)
    return mask


def _edges(image: Image.Image) -> Image.Image:
    """Dark lines on white."""
    grey = ImageOps.grayscale(image)
    return ImageOps.invert(grey.filter(ImageFilter.FIND_EDGES))


def _threshold(image: Image.Image, least: int) -> Image.Image:
    """White from this brightness on, black below it."""
    return image.point(lambda level: BRIGHT if level >= least else DARK)


def _bleach(image: Image.Image, above: int) -> Image.Image:
    """White above this brightness; darker tones stay."""
    return image.point(lambda level: BRIGHT if level > above else level)


def _as_rgb(grey: Image.Image) -> Image.Image:
    return Image.merge("RGB", (grey, grey, grey))


FUNCTIONS: dict[str, Callable[[Job], Image.Image]] = {
    "stylization_all": restyle_all,
    "stylization_local": restyle_middle,
    "description_edit": edit_by_description,
    "description_edit_with_mask": inpaint,
    "remove_watermark": remove_watermark,
    "expand": expand,
    "super_resolution": upscale,
    "colorization": colorize,
    "doodle": fill_sketch,
    "control_cartoon_feature": move_character,
}
