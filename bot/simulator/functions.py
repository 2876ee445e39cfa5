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

from bot.simulator.edits import grade
from bot.simulator.lettering import write_caption
from bot.simulator.rules import ImageRequest
from bot.simulator.scenes import draw_scene
from bot.simulator.sizes import Pixels
from bot.simulator.vocabulary import read
from bot.simulator.weather import brush

Picture = Image.Image
BRIGHT = 255
DARK = 0
GOLDEN_SHADOW = (60, 36, 10)
GOLDEN_LIGHT = (255, 226, 150)
GOLD = (206, 150, 50)
COLD_SHADOW = (20, 26, 60)
WARM_LIGHT = (255, 244, 220)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a function works on. ``mask``: a picture, white where it may change."""

    request: ImageRequest
    base: Picture
    mask: Picture | None
    luck: random.Random

    @property
    def prompt(self) -> str:
        """The words of the request."""
        return self.request.prompt

    def parameter(self, name: str) -> float:
        """One of the function's own parameters, checked before."""
        return float(self.request.extra[name])

    def scene(self, prompt: str, size: Pixels) -> Picture:
        """A scene to lay beside or beneath the picture."""
        return draw_scene(prompt, size, self.luck, caption=False)


def restyle_all(job: Job) -> Picture:
    """Flat colours within drawn edges; the more, the higher the strength."""
    # Without its grain a photo falls into flat areas.
    smooth = job.base.filter(ImageFilter.ModeFilter(9))
    flat = ImageOps.posterize(smooth, 3)
    if "金" in job.prompt or "gold" in job.prompt.lower():
        flat = _colour_gold(flat)
    vivid = ImageEnhance.Color(flat).enhance(1.4)
    edges = _edges(job.base)
    lines = _brighten(edges, above=190)
    drawn = ImageChops.multiply(vivid, _as_rgb(lines))
    brush(drawn, job.luck)
    share = 0.3 + 0.7 * job.parameter("strength")
    return Image.blend(job.base, drawn, share)


def _colour_gold(picture: Picture) -> Picture:
    grey = ImageOps.grayscale(picture)
    return ImageOps.colorize(grey, GOLDEN_SHADOW, GOLDEN_LIGHT, GOLD)


def restyle_middle(job: Job) -> Picture:
    """Only an oval in the middle changes."""
    smooth = job.base.filter(ImageFilter.ModeFilter(7))
    changed = grade(smooth, job.prompt, job.luck, 1.0)
    width, height = job.base.size
    left = width // 5
    top = height // 5
    right = width * 4 // 5
    bottom = height * 4 // 5
    box = (left, top, right, bottom)
    oval = _ellipse(job.base.size, box)
    # A hard edge would show where the change ends.
    soft_oval = oval.filter(ImageFilter.GaussianBlur(12))
    return Image.composite(changed, job.base, soft_oval)


def edit_by_description(job: Job) -> Picture:
    """The photo changed as far as the strength says, with the words below."""
    strength = 0.4 + 0.6 * job.parameter("strength")
    canvas = grade(job.base, job.prompt, job.luck, strength)
    write_caption(canvas, job.prompt)
    return canvas


def inpaint(job: Job) -> Picture:
    """Outside the white every pixel stays as it is; inside every pixel changes."""
    assert job.mask is not None  # noqa: S101  # the rules want one for this function
    grey = job.mask.convert("L")
    white = _threshold(grey, 128)
    prompt = job.prompt or "repair"
    scene = job.scene(prompt, job.base.size)
    difference = ImageChops.difference(scene, job.base)
    differs = _threshold(difference.convert("L"), 3)
    # Where the scene happens to look like the photo, its negative does not.
    negative = ImageChops.invert(scene)
    scene = Image.composite(scene, negative, differs)
    return Image.composite(scene, job.base, white)


def remove_watermark(job: Job) -> Picture:
    """The lowest strip becomes the mirrored, blurred one above it."""
    width, height = job.base.size
    strip = max(8, height // 8)
    lowest = height - strip
    above = job.base.crop((0, lowest - strip, width, lowest))
    mirrored = ImageOps.flip(above)
    blurred = mirrored.filter(ImageFilter.GaussianBlur(6))
    canvas = job.base.copy()
    canvas.paste(blurred, (0, lowest))
    return canvas


def expand(job: Job) -> Picture:
    """W' = W·(1 + (left−1)/2 + (right−1)/2), as the vendor's guide reads.

    The picture itself stays untouched.
    """
    width, height = job.base.size
    left = _added_pixels(width, job.parameter("left_scale"))
    right = _added_pixels(width, job.parameter("right_scale"))
    top = _added_pixels(height, job.parameter("top_scale"))
    bottom = _added_pixels(height, job.parameter("bottom_scale"))
    new_width = width + left + right
    new_height = height + top + bottom
    size = (new_width, new_height)
    scene = job.scene(job.prompt, size)
    stretched = job.base.resize(size)
    around = Image.blend(stretched, scene, 0.45)
    blur = max(4, min(size) // 60)
    canvas = around.filter(ImageFilter.GaussianBlur(blur))
    canvas.paste(job.base, (left, top))
    return canvas


def upscale(job: Job) -> Picture:
    """As many times as large, sharpened."""
    factor = int(job.parameter("upscale_factor"))
    width, height = job.base.size
    size = (width * factor, height * factor)
    larger = job.base.resize(size, Image.Resampling.LANCZOS)
    sharpen = ImageFilter.UnsharpMask(2, 120, 2)
    return larger.filter(sharpen)


def colorize(job: Job) -> Picture:
    """A grey photo in the colour the prompt names, else in autumn's."""
    prompt = job.prompt or "autumn meadow"
    tint = read(prompt).main_colour(job.luck)
    grey = ImageOps.grayscale(job.base)
    coloured = ImageOps.colorize(grey, COLD_SHADOW, WARM_LIGHT, tint)
    return ImageEnhance.Color(coloured).enhance(1.3)


def fill_sketch(job: Job) -> Picture:
    """A scene under the lines of the sketch, or under the edges of a photo."""
    lines = ImageOps.grayscale(job.base)
    if not job.request.extra["is_sketch"]:
        lines = _edges(job.base)
    contrasted = ImageOps.autocontrast(lines)
    ink = _brighten(contrasted, above=150)
    scene = job.scene(job.prompt, job.base.size)
    canvas = ImageChops.multiply(scene, _as_rgb(ink))
    write_caption(canvas, job.prompt)
    return canvas


def move_character(job: Job) -> Picture:
    """The character, cut out round, in a new scene."""
    width, height = job.base.size
    side = min(width, height) * 3 // 5
    canvas = draw_scene(job.prompt, job.base.size, job.luck)
    smooth = job.base.filter(ImageFilter.ModeFilter(5))
    flat = ImageOps.posterize(smooth, 4)
    square = (side, side)
    figure = ImageOps.fit(flat, square)
    disc = _ellipse(square, (0, 0, side, side))
    left = (width - side) // 2
    top = (height - side) // 2
    canvas.paste(figure, (left, top), disc)
    return canvas


def _added_pixels(length: int, scale: float) -> int:
    """The pixels added on one side: 2 on both sides makes the length twice as long."""
    share = (scale - 1) / 2
    return round(length * share)


def _ellipse(size: Pixels, box: tuple[int, int, int, int]) -> Picture:
    """A mask, white within the ellipse."""
    mask = Image.new("L", size, DARK)
    draw = ImageDraw.Draw(mask)
    draw.ellipse(box, fill=BRIGHT)
    return mask


def _edges(image: Picture) -> Picture:
    """Dark lines on white."""
    grey = ImageOps.grayscale(image)
    edges = grey.filter(ImageFilter.FIND_EDGES)
    return ImageOps.invert(edges)


def _threshold(image: Picture, least: int) -> Picture:
    """White from this brightness on, black below it."""
    return image.point(lambda level: BRIGHT if level >= least else DARK)


def _brighten(image: Picture, above: int) -> Picture:
    """White above this brightness; darker tones stay."""
    return image.point(lambda level: BRIGHT if level > above else level)


def _as_rgb(grey: Picture) -> Picture:
    return Image.merge("RGB", (grey, grey, grey))


FUNCTIONS: dict[str, Callable[[Job], Picture]] = {
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
