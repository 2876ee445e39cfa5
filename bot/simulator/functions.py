"""The ten Wanx functions, each visible in its result and exact where the vendor's is."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from bot.simulator.colours import main_colour
from bot.simulator.edits import grade
from bot.simulator.lettering import write_badge
from bot.simulator.rules import ImageRequest
from bot.simulator.scenes import brush, draw_scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a function works on. ``mask``: the bytes of a picture, white where it may change."""

    request: ImageRequest
    base: Image.Image
    mask: bytes | None
    luck: random.Random

    @property
    def prompt(self) -> str:
        """The words of the request."""
        return self.request.prompt

    def parameter(self, name: str) -> float:
        """One of the function's own parameters, checked before."""
        return float(self.request.extra[name])


def upright(content: bytes) -> Image.Image:
    """The picture as its camera was held, in RGB."""
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _threshold(image: Image.Image, least: int) -> Image.Image:
    """White from this brightness on, black below it."""
    return image.point(lambda level: 255 if level >= least else 0)


def _bleach(image: Image.Image, above: int) -> Image.Image:
    """White above this brightness; darker tones stay."""
    return image.point(lambda level: 255 if level > above else level)


def _grey_as_rgb(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", (image,) * 3)


def restyle_all(job: Job) -> Image.Image:
    """Flat colours within drawn edges; the more, the higher the strength."""
    flat = ImageOps.posterize(job.base.filter(ImageFilter.ModeFilter(9)), 3)
    if "金" in job.prompt or "gold" in job.prompt.lower():
        grey = ImageOps.grayscale(flat)
        flat = ImageOps.colorize(grey, (60, 36, 10), (255, 226, 150), (206, 150, 50))
    edges = ImageOps.grayscale(job.base).filter(ImageFilter.FIND_EDGES)
    lines = _grey_as_rgb(_bleach(ImageOps.invert(edges), 190))
    vivid = ImageEnhance.Color(flat).enhance(1.4)
    drawn = ImageChops.multiply(vivid, lines)
    brush(drawn, job.luck)
    return Image.blend(job.base, drawn, 0.3 + 0.7 * job.parameter("strength"))


def restyle_middle(job: Job) -> Image.Image:
    """Only an oval in the middle changes."""
    soft = job.base.filter(ImageFilter.ModeFilter(7))
    changed = grade(soft, job.prompt, job.luck, 1.0)
    width, height = job.base.size
    oval = Image.new("L", job.base.size, 0)
    box = (width // 5, height // 5, width * 4 // 5, height * 4 // 5)
    ImageDraw.Draw(oval).ellipse(box, fill=255)
    return Image.composite(changed, job.base, oval.filter(ImageFilter.GaussianBlur(12)))


def edit_by_description(job: Job) -> Image.Image:
    """The photo changed as far as the strength says, with the words in its corner."""
    strength = 0.4 + 0.6 * job.parameter("strength")
    canvas = grade(job.base, job.prompt, job.luck, strength)
    write_badge(canvas, job.prompt)
    return canvas


def inpaint(job: Job) -> Image.Image:
    """Outside the white every pixel stays as it is; inside every pixel changes."""
    white = _threshold(upright(job.mask or b"").convert("L"), 128)
    prompt = job.prompt or "repair"
    new = draw_scene(prompt, job.base.size, job.luck, caption=False)
    difference = ImageChops.difference(new, job.base).convert("L")
    is_same = ImageChops.invert(_threshold(difference, 3))
    new = Image.composite(ImageChops.invert(new), new, is_same)
    return Image.composite(new, job.base, white)


def remove_watermark(job: Job) -> Image.Image:
    """The lowest strip becomes the mirrored, blurred one above it."""
    base = job.base
    strip = max(8, base.height // 8)
    above = base.crop((0, base.height - 2 * strip, base.width, base.height - strip))
    canvas = base.copy()
    mirrored = ImageOps.flip(above).filter(ImageFilter.GaussianBlur(6))
    canvas.paste(mirrored, (0, base.height - strip))
    return canvas


def expand(job: Job) -> Image.Image:
    """W' = W·(1 + (left−1)/2 + (right−1)/2), as the vendor's guide reads.

    The picture itself stays untouched.
    """
    base = job.base
    left, right, top, bottom = (
        (job.parameter(f"{side}_scale") - 1) / 2
        for side in ("left", "right", "top", "bottom")
    )
    x, y = round(base.width * left), round(base.height * top)
    width = base.width + x + round(base.width * right)
    height = base.height + y + round(base.height * bottom)
    scene = draw_scene(job.prompt, (width, height), job.luck, caption=False)
    around = Image.blend(base.resize((width, height)), scene, 0.45)
    blur = max(4, min(width, height) // 60)
    canvas = around.filter(ImageFilter.GaussianBlur(blur))
    canvas.paste(base, (x, y))
    return canvas


def upscale(job: Job) -> Image.Image:
    """As many times as large, sharpened."""
    factor = int(job.parameter("upscale_factor"))
    size = (job.base.width * factor, job.base.height * factor)
    larger = job.base.resize(size, Image.Resampling.LANCZOS)
    return larger.filter(ImageFilter.UnsharpMask(2, 120, 2))


def colorize(job: Job) -> Image.Image:
    """A grey photo in the colour the prompt names, else in autumn's."""
    tint = main_colour(job.prompt or "autumn meadow", job.luck)
    grey = ImageOps.grayscale(job.base)
    coloured = ImageOps.colorize(grey, (20, 26, 60), (255, 244, 220), tint)
    return ImageEnhance.Color(coloured).enhance(1.3)


def fill_sketch(job: Job) -> Image.Image:
    """A scene under the lines of the sketch, or under the edges of a photo."""
    lines = ImageOps.grayscale(job.base)
    if not job.request.extra["is_sketch"]:
        lines = ImageOps.invert(lines.filter(ImageFilter.FIND_EDGES))
    ink = _bleach(ImageOps.autocontrast(lines), 150)
    scene = draw_scene(job.prompt, job.base.size, job.luck, caption=False)
    canvas = ImageChops.multiply(scene, _grey_as_rgb(ink))
    write_badge(canvas, job.prompt)
    return canvas


def move_character(job: Job) -> Image.Image:
    """The character, cut out round, in a new scene."""
    base = job.base
    canvas = draw_scene(job.prompt, base.size, job.luck)
    side = min(base.size) * 3 // 5
    flat = ImageOps.posterize(base.filter(ImageFilter.ModeFilter(5)), 4)
    figure = ImageOps.fit(flat, (side, side))
    disc = Image.new("L", (side, side), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, side, side), fill=255)
    middle = ((base.width - side) // 2, (base.height - side) // 2)
    canvas.paste(figure, middle, disc)
    return canvas


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
