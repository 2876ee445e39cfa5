"""Files of every format, depth, profile and orientation: what is kept is what Pillow shows."""

import io
import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import pillow_heif
import pytest
import pyvips
from PIL import (
    Image,
    ImageChops,
    ImageCms,
    ImageOps,
    ImageStat,
    PngImagePlugin,
)

from core.errors import Rejected
from core.pictures import normalize
from core.size import PictureLimits

SMALL, LARGE = (96, 64), (3080, 160)
MAX_DIFFERENCE = 2.0
"""Of 255, on average."""
SRGB = ImageCms.createProfile("sRGB")


@cache
def painting(mode: str, size: tuple[int, int]) -> Image.Image:
    """Soft saturated colours; with "A" from hidden to opaque."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (across, down, ImageChops.invert(across)))
    if mode in {"LA", "RGBA"}:
        opaque = image.convert(mode[:-1])
        opaque.putalpha(across)
        return opaque
    return image.convert(mode, dither=Image.Dither.NONE)


@cache
def profile(name: str) -> bytes | None:
    if name == "none":
        return None
    if name == "grey":
        return grey_profile()
    content: bytes = pyvips.Operation.call("profile_load", name)
    return bytes(content)


def grey_profile() -> bytes:
    """A monitor profile with one channel and gamma 1.8."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(1.8 * 256))
    tags = {b"wtpt": white, b"kTRC": curve}
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI", start + len(body), b"lcms", 0x02100000)
    header += b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file. ``write`` is its encoder; ``options`` are for it alone."""

    write: str
    mode: str = "RGB"
    profile: str = "none"
    orientation: int = 1
    size: tuple[int, int] = SMALL
    options: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        options = "-".join(f"{value}" for _, value in self.options)
        return (
            f"{self.write}-{self.mode}-{self.profile}-{self.orientation}"
            f"-{self.size[0]}-{options}"
        )

    @property
    def settings(self) -> dict[str, object]:
        """For the encoder."""
        return dict(self.options or OPTIONS.get(self.write, ()))

    def encode(self) -> bytes:
        """The file."""
        return WRITERS[self.write](self)


def write_with_pillow(case: Case) -> bytes:
    options = case.settings
    if case.profile != "none":
        options["icc_profile"] = profile(case.profile)
    if case.orientation != 1:
        options["exif"] = exif(case.orientation)
    buffer = io.BytesIO()
    image = painting(case.mode, case.size)
    image.save(buffer, case.write, **options)
    return buffer.getvalue()


def write_deep(case: Case) -> bytes:
    """Sixteen bits a sample, or the bits of an option."""
    pixels = painting(case.mode, case.size)
    image = pyvips.Image.new_from_memory(
        pixels.tobytes(), *case.size, len(pixels.getbands()), "uchar"
    )
    kind = "rgb16" if case.mode.startswith("RGB") else "grey16"
    deep = (image * 257).cast("ushort").copy(interpretation=kind)
    content = profile(case.profile)
    if content:
        blob = pyvips.GValue.blob_type
        deep.set_type(blob, "icc-profile-data", content)
    if case.orientation != 1:
        deep.set_type(pyvips.GValue.gint_type, "orientation", case.orientation)
    suffix = {"PNG16": ".png", "TIFF16": ".tif", "AVIF10": ".avif"}
    written: bytes = deep.write_to_buffer(suffix[case.write], **case.settings)
    return written


def write_heic(case: Case) -> bytes:
    options = case.settings
    if case.profile != "none":
        options["icc_profile"] = profile(case.profile)
    if case.orientation != 1:
        options["exif"] = exif(case.orientation).tobytes()
    buffer = io.BytesIO()
    image = painting(case.mode, case.size)
    pillow_heif.from_pillow(image).save(buffer, quality=95, **options)
    return buffer.getvalue()


def write_deep_heic(case: Case) -> bytes:
    """Ten bits a sample."""
    pixels = painting(case.mode, case.size).tobytes()
    deep = struct.pack(f"<{len(pixels)}H", *[value * 257 for value in pixels])
    mode = "I;16" if case.mode == "L" else f"{case.mode};16"
    buffer = io.BytesIO()
    pillow_heif.encode(
        mode,
        case.size,
        deep,
        buffer,
        quality=95,
        icc_profile=profile(case.profile),
    )
    return buffer.getvalue()


def write_renamed_avif(case: Case) -> bytes:
    """The general brand first, as some encoders write it."""
    data = write_with_pillow(replace(case, write="AVIF"))
    return data.replace(b"ftypavif", b"ftypmif1")


WRITERS: dict[str, Callable[[Case], bytes]] = {
    **dict.fromkeys(
        ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"),
        write_with_pillow,
    ),
    **dict.fromkeys(("PNG16", "TIFF16", "AVIF10"), write_deep),
    "HEIC": write_heic,
    "HEIC10": write_deep_heic,
    "mif1": write_renamed_avif,
}


FINE: tuple[tuple[str, object], ...] = (("quality", 95),)
FINE_AVIF = (*FINE, ("subsampling", "4:4:4"), ("speed", 10))
FINE_DEEP_AVIF = (
    ("Q", 95),
    ("bitdepth", 10),
    ("effort", 0),
    ("subsample_mode", "off"),
)
OPTIONS: dict[str, tuple[tuple[str, object], ...]] = {
    "JPEG": FINE,
    "WEBP": FINE,
    "AVIF": FINE_AVIF,
    "mif1": FINE_AVIF,
    "AVIF10": FINE_DEEP_AVIF,
}
COLOURED = [
    "JPEG",
    "WEBP",
    "PNG",
    "TIFF",
    "BMP",
    "AVIF",
    "mif1",
    "HEIC",
    "PNG16",
    "TIFF16",
    "AVIF10",
    "HEIC10",
]
"""Everything that can hold RGB."""
TRANSPARENT = [
    "WEBP",
    "PNG",
    "TIFF",
    "BMP",
    "AVIF",
    "mif1",
    "HEIC",
    "PNG16",
    "TIFF16",
    "AVIF10",
    "HEIC10",
]
PROFILED = [
    "JPEG",
    "WEBP",
    "PNG",
    "TIFF",
    "AVIF",
    "HEIC",
    "PNG16",
    "TIFF16",
    "AVIF10",
    "HEIC10",
]
TURNED = ["JPEG", "WEBP", "PNG", "TIFF", "TIFF16", "AVIF", "HEIC"]
GREY = ["JPEG", "PNG", "TIFF", "PNG16", "TIFF16"]


def coloured_cases() -> Iterator[Case]:
    for write in COLOURED:
        yield Case(write=write)
        if write != "HEIC10":
            yield Case(write=write, size=LARGE)
    for write in TRANSPARENT:
        yield Case(write=write, mode="RGBA")
        yield Case(write=write, mode="RGBA", profile=_profile_for(write))
    for write in ("WEBP", "PNG", "TIFF16", "AVIF"):
        yield Case(write=write, mode="RGBA", size=LARGE)


def profiled_cases() -> Iterator[Case]:
    for write, name in itertools.product(PROFILED, ("srgb", "p3")):
        yield Case(write=write, profile=name)
    for write in ("JPEG", "PNG16"):
        yield Case(write=write, profile="p3", size=LARGE)


def turned_cases() -> Iterator[Case]:
    for write, orientation in itertools.product(TURNED, range(2, 9)):
        yield Case(write=write, orientation=orientation)
    for write in ("JPEG", "TIFF16"):
        yield Case(write=write, orientation=6, profile="p3", size=LARGE)


def grey_cases() -> Iterator[Case]:
    for write, name in itertools.product(GREY, ("none", "grey")):
        yield Case(write=write, mode="L", profile=name)
        yield Case(write=write, mode="L", profile=name, size=LARGE)
    for write, name in itertools.product(
        ("PNG", "TIFF", "PNG16"), ("none", "grey")
    ):
        yield Case(write=write, mode="LA", profile=name)
    for write in ("HEIC10", "BMP"):
        yield Case(write=write, mode="L")


def other_cases() -> Iterator[Case]:
    for write, mode in itertools.product(("BMP", "PNG", "TIFF"), ("1", "P")):
        yield Case(write=write, mode=mode)
        yield Case(write=write, mode=mode, size=LARGE)
    yield Case(write="GIF", mode="P")
    yield Case(write="GIF", mode="P", size=LARGE)
    for write, name in itertools.product(("JPEG", "TIFF"), ("none", "cmyk")):
        yield Case(write=write, mode="CMYK", profile=name)
    yield Case(write="JPEG", mode="CMYK", profile="cmyk", size=LARGE)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield Case(write="TIFF", options=(("compression", compression),))
    yield Case(write="JPEG", options=(*FINE, ("progressive", True)))
    yield Case(write="WEBP", mode="RGBA", options=(("lossless", True),))


def _profile_for(write: str) -> str:
    return "p3" if write in PROFILED else "none"


CASES = list(
    dict.fromkeys(
        itertools.chain(
            coloured_cases(),
            profiled_cases(),
            turned_cases(),
            grey_cases(),
            other_cases(),
        )
    )
)


def as_pillow_shows(data: bytes) -> Image.Image:
    """Upright, in sRGB, with its transparency."""
    if b"hvc1" in data[:4096]:
        image: Image.Image = pillow_heif.open_heif(data).to_pillow()
    else:
        # Pillow knows AVIF by its first brand alone.
        data = data.replace(b"ftypmif1", b"ftypavif")
        image = Image.open(io.BytesIO(data))
    ImageOps.exif_transpose(image, in_place=True)
    upright = image
    content = image.info.get("icc_profile")
    if upright.mode == "I;16":
        upright = upright.point(lambda sample: sample / 257).convert("L")
    alpha = None
    if upright.mode not in {"CMYK", "L", "RGB", "1"}:
        upright = upright.convert("RGBA")
        alpha = upright.getchannel("A")
        upright = upright.convert("RGB")
    if content:
        if content[16:20] == b"GRAY":
            upright = upright.convert("L")
        converted = ImageCms.profileToProfile(
            upright, io.BytesIO(content), SRGB, outputMode="RGB"
        )
        assert converted
        upright = converted
    shown = upright.convert("RGBA")
    if alpha:
        shown.putalpha(alpha)
    return shown


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean of all samples."""
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return max(means)


def test_there_are_enough_files() -> None:
    assert len(CASES) >= 120


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_kept_is_what_pillow_shows(case: Case) -> None:
    data = case.encode()
    taken = normalize.normalize(data)
    expected = as_pillow_shows(data)
    if case.size == LARGE:
        expected = ImageOps.contain(
            expected, (3072, 3072), Image.Resampling.LANCZOS
        )
    with Image.open(io.BytesIO(taken.data)) as kept:
        assert kept.mode in {"RGB", "RGBA"}
        assert kept.size == expected.size == (taken.width, taken.height)
        has_alpha = kept.mode == "RGBA"
        opaque = expected.getchannel("A").getextrema() == (255, 255)
        assert has_alpha is not opaque
        shown = on_white(kept)
    assert difference(shown, on_white(expected)) <= MAX_DIFFERENCE
    if has_alpha:
        flat = normalize.fit_to(
            taken.data, PictureLimits(alpha=False, max_ratio=20)
        ).data
        with Image.open(io.BytesIO(flat)) as sent:
            assert sent.mode == "RGB"
            assert difference(sent, on_white(expected)) <= MAX_DIFFERENCE


CUT = [
    *(
        Case(write=write, size=size)
        for write, size in itertools.product(COLOURED, (SMALL, LARGE))
        if not (size == LARGE and write.startswith("HEIC"))
    ),
    Case(write="GIF", mode="P"),
    Case(write="JPEG", size=LARGE, options=(("progressive", True),)),
    Case(write="JPEG", mode="CMYK", size=LARGE),
    *(
        Case(write="TIFF", size=LARGE, options=(("compression", compression),))
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits")
    ),
    Case(write="PNG", size=LARGE, profile="p3"),
]


@pytest.mark.parametrize("case", CUT, ids=str)
def test_a_file_that_was_cut_off_is_refused(case: Case) -> None:
    data = case.encode()
    for part in (0.02, 0.3, 0.5, 0.9, 0.97):
        with pytest.raises(Rejected, match=r"damaged|not_an_image|format"):
            normalize.normalize(data[: int(len(data) * part)])


@pytest.mark.parametrize("compression", ["zstd", "lzma"])
def test_a_tiff_in_a_compression_we_lack_is_refused(compression: str) -> None:
    case = Case(write="TIFF", options=(("compression", compression),))
    with pytest.raises(Rejected, match="damaged"):
        normalize.normalize(case.encode())


def test_a_tiff_of_measurements_is_refused() -> None:
    for mode in ("F", "I"):
        buffer = io.BytesIO()
        painting("L", SMALL).convert(mode).save(buffer, "TIFF")
        with pytest.raises(Rejected, match="format"):
            normalize.normalize(buffer.getvalue())


def test_a_phone_photo_of_50_megapixels_is_taken() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8192, 6144), "teal").save(buffer, "JPEG")
    taken = normalize.normalize(buffer.getvalue())
    assert (taken.width, taken.height) == (3072, 2304)


def test_what_a_phone_hangs_on_behind_its_photo_is_no_matter() -> None:
    """A gain map as a second JPEG, the film of a motion photo, Samsung's trailer."""
    photo = Case(write="JPEG").encode()
    film = b"\0\0\0\x1cftypmp42" + bytes(5000)
    for trailer in (photo, film, b"SEFH" + bytes(40) + b"SEFT"):
        taken = normalize.normalize(photo + trailer)
        assert taken.data == normalize.normalize(photo).data


def test_a_film_is_no_picture() -> None:
    film = b"\0\0\0\x1cftypmp42\0\0\0\0mp42isom" + bytes(5000)
    with pytest.raises(Rejected, match="format"):
        normalize.normalize(film)


def test_a_late_sign_that_a_png_moves_is_seen() -> None:
    buffer = io.BytesIO()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "long " * 2000)
    first, second = painting("RGB", SMALL), painting("L", SMALL)
    first.save(
        buffer,
        "PNG",
        save_all=True,
        append_images=[second.convert("RGB")],
        pnginfo=text,
    )
    data = buffer.getvalue()
    assert data.index(b"acTL") > 4096
    assert normalize.normalize(data).notes == ("picture.note.first_frame",)


def test_of_an_avif_that_moves_the_first_frame_is_taken_and_said() -> None:
    red, blue = (Image.new("RGB", SMALL, name) for name in ("red", "blue"))
    buffer = io.BytesIO()
    red.save(buffer, "AVIF", save_all=True, append_images=[blue])
    taken = normalize.normalize(buffer.getvalue())
    assert taken.notes == ("picture.note.first_frame",)
    with Image.open(io.BytesIO(taken.data)) as kept:
        assert difference(kept.convert("RGB"), red) <= MAX_DIFFERENCE
