"""Pictures of strangers: broken and hostile files, orientation, metadata, masks, recipes, trees."""

import io
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from core.errors import Rejected
from core.i18n import translate
from core.pictures import (
    canvas,
    diagrams,
    facts,
    formats,
    layout,
    masks,
    normalize,
    png_metadata,
)
from core.size import PictureLimits, Size

PHOTOS = Path(__file__).parents[1] / "samples" / "photos"
WANX = PictureLimits(min_side=512, max_side=4096, alpha=False)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


def chunk(kind: bytes, body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
    )


def png_claiming(width: int, height: int) -> bytes:
    header = chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def refusal(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        normalize.normalize(data)
    return caught.value.key


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


JPEG = encode(noise(300, 200), "JPEG")
PNG = encode(noise(300, 200))


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("empty", b"", "picture.empty"),
        ("one byte", b"\x89", "picture.not_an_image"),
        ("truncated jpeg", JPEG[: len(JPEG) // 2], "picture.damaged"),
        ("bad crc", flipped(PNG, 18), "picture.damaged"),
        (
            "html",
            b"<!doctype html><script>alert(1)</script>",
            "picture.not_an_image",
        ),
        (
            "svg",
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
            "picture.not_an_image",
        ),
        (
            "eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
            "picture.not_an_image",
        ),
        ("psd", b"8BPS\x00\x01" + bytes(40), "picture.format"),
        ("fits", b"SIMPLE  =" + b" " * 20 + bytes(60), "picture.format"),
        (
            "jp2",
            b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40),
            "picture.format",
        ),
        ("ico", b"\x00\x00\x01\x00\x01\x00" + bytes(40), "picture.format"),
        ("dds", b"DDS " + bytes(60), "picture.format"),
        ("pcx", b"\x0a\x05\x01\x08" + bytes(60), "picture.format"),
        ("zero size", png_claiming(0, 0), "picture.damaged"),
        ("header bomb", png_claiming(20_000, 20_000), "picture.too_large"),
        ("header bomb 2", png_claiming(2**31 - 1, 2**31 - 1), "picture"),
        ("polyglot", b"GIF89a/*" + bytes(30), "picture.damaged"),
        ("bmp and script", b"BM/*alert(1)*/" + bytes(30), "picture.damaged"),
        ("ratio", encode(Image.new("RGB", (8192, 1))), "picture.aspect"),
        ("avif", b"\x00\x00\x00\x1cftypavif" + bytes(40), "picture.damaged"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(
    name: str, data: bytes, key: str
) -> None:
    assert refusal(data).startswith(key), name


def test_a_tiff_whose_directory_points_to_itself_is_refused() -> None:
    assert (
        refusal(
            b"II*\x00\x08\x00\x00\x00"
            + struct.pack("<H", 0)
            + struct.pack("<I", 8)
            + bytes(30)
        )
        == "picture.damaged"
    )


def test_a_legal_bomb_of_81_megapixels_is_refused_without_decoding() -> None:
    data = encode(Image.new("RGB", (9000, 9000)))
    started = time.process_time()
    assert refusal(data) == "picture.too_large"
    assert time.process_time() - started < 0.5


def test_what_is_hung_on_behind_a_picture_is_gone() -> None:
    for data in (
        JPEG + b"PK\x03\x04 SECRETTEXT",
        PNG + b"<script>SECRETTEXT</script>",
    ):
        assert b"SECRETTEXT" not in normalize.normalize(data).data


def test_no_metadata_survives() -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    exif[0x010E] = "SECRETEXIF"
    profile = ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")
    ).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRETTEXT")
    xmp = b"<x:xmpmeta>SECRETXMP</x:xmpmeta>"
    for data in (
        encode(
            noise(300, 200),
            "JPEG",
            exif=exif,
            comment=b"SECRETCOMMENT",
            icc_profile=profile,
            xmp=xmp,
        ),
        encode(
            noise(300, 200),
            "PNG",
            exif=exif,
            pnginfo=text,
            icc_profile=profile,
        ),
        encode(
            noise(300, 200), "WEBP", exif=exif, xmp=xmp, icc_profile=profile
        ),
        encode(
            noise(300, 200),
            "TIFF",
            description="SECRETTIFF",
            icc_profile=profile,
        ),
    ):
        clean = normalize.normalize(data).data
        assert b"SECRET" not in clean
        with Image.open(io.BytesIO(clean)) as opened:
            assert not opened.getexif()
            assert "icc_profile" not in opened.info


def test_an_evil_profile_is_no_matter() -> None:
    data = encode(noise(300, 200), "JPEG", icc_profile=b"evil" * 100_000)
    assert len(normalize.normalize(data).data) < 200_000


def test_a_text_chunk_that_unpacks_to_50_megabytes_is_harmless() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"0" * 50_000_000, 9))
    data = PNG[:33] + bomb + PNG[33:]
    started = time.process_time()
    with suppress(Rejected):
        assert len(normalize.normalize(data).data) < 500_000
    assert time.process_time() - started < 1


def test_a_flood_of_text_chunks_is_refused_quickly() -> None:
    started = time.process_time()
    assert (
        refusal(PNG[:33] + chunk(b"tEXt", b"a\0b") * 100_000 + PNG[33:])
        == "picture.damaged"
    )
    assert time.process_time() - started < 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_taken_and_said(
    kind: str,
) -> None:
    frames = [
        Image.new("RGB", (64, 64), colour)
        for colour in ("red", "blue", "green")
    ]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    taken = normalize.normalize(data)
    assert taken.notes == ("picture.note.first_frame",)
    image = Image.open(io.BytesIO(taken.data)).convert("RGB")
    red, _, blue = image.getpixel((5, 5))  # type: ignore[misc]
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "P", "1", "L", "LA", "RGBA"])
def test_odd_modes_become_plain_colour(mode: str) -> None:
    image = (
        noise(300, 200).convert("L").convert("I;16")
        if mode == "I;16"
        else noise(300, 200).convert(mode)
    )
    kind = "JPEG" if mode == "CMYK" else "PNG"
    taken = normalize.normalize(encode(image, kind))
    assert Image.open(io.BytesIO(taken.data)).mode in {
        "RGB",
        "RGBA",
        "L",
        "LA",
    }
    assert (taken.width, taken.height) == (300, 200)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation: int) -> None:
    image = Image.new("RGB", (300, 200), "white")
    image.paste("red", (0, 0, 100, 60))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(image, "JPEG", exif=exif, quality=95)
    with Image.open(io.BytesIO(data)) as opened:
        from PIL import ImageOps  # noqa: PLC0415

        upright = ImageOps.exif_transpose(opened).convert("RGB")
    taken = normalize.normalize(data)
    mine = Image.open(io.BytesIO(taken.data)).convert("RGB")
    assert mine.size == upright.size == (taken.width, taken.height)
    extrema = ImageChops.difference(mine, upright).getextrema()
    assert max(high for _, high in extrema) < 40  # type: ignore[misc]
    facts = formats.inspect(data)
    assert (facts.width, facts.height) == mine.size


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    assert (
        refusal(b"\xff\xd8\xff" + bytes(facts.MAX_BYTES))
        == "picture.too_many_bytes"
    )


def test_the_refusal_of_a_file_that_is_too_large_counts_in_megabytes() -> None:
    error = facts.too_many_bytes(facts.MAX_BYTES)
    assert (
        translate(error.key, "en", **error.params)
        == "That file is too large; it may have at most 30 MB."
    )


def test_a_phones_heic_is_read_where_the_extra_is_installed() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(Rejected, match=r"picture\.damaged"):
        normalize.normalize(b"\x00\x00\x00\x1cftypheic" + bytes(60))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_format_we_promise_is_read(kind: str) -> None:
    with Image.open(PHOTOS / "coffee.png") as photo:
        taken = normalize.normalize(encode(photo.convert("RGB"), kind))
    assert (taken.width, taken.height) == (600, 400)


def test_a_phone_photo_becomes_what_we_keep_and_what_a_model_takes() -> None:
    photo = encode(noise(403, 302).resize((4032, 3024)), "JPEG", quality=92)
    taken = normalize.normalize(photo)
    assert (taken.width, taken.height) == (3072, 2304)
    fitted = normalize.fit_to(
        taken.data, PictureLimits(min_side=384, max_side=3072)
    )
    assert (fitted.width, fitted.height) == (3072, 2304)
    assert len(fitted.data) <= 7_000_000


def test_the_same_file_gives_the_same_bytes() -> None:
    for data in (JPEG, PNG):
        assert normalize.normalize(data) == normalize.normalize(data)
        assert normalize.fit_to(data, WANX) == normalize.fit_to(data, WANX)


def test_what_is_inside_already_is_not_touched() -> None:
    data = encode(noise(600, 520))
    assert normalize.fit_to(data, WANX).data is data


def test_transparency_goes_where_the_model_takes_none() -> None:
    image = noise(600, 520).convert("RGBA")
    image.putalpha(128)
    fitted = normalize.fit_to(encode(image), WANX)
    assert Image.open(io.BytesIO(fitted.data)).mode == "RGB"


def test_too_many_bytes_are_brought_down_by_encoding() -> None:
    fitted = normalize.fit_to(
        encode(noise(1600, 1600)), PictureLimits(max_bytes=300_000)
    )
    assert len(fitted.data) <= 300_000


@given(
    st.integers(20, 900),
    st.integers(20, 900),
    st.sampled_from(
        [WANX, PictureLimits(min_side=384, max_side=700), PictureLimits()]
    ),
)
def test_fitting_lands_inside_the_limits_or_refuses(
    width: int, height: int, limits: PictureLimits
) -> None:
    data = encode(Image.new("RGB", (width, height), "teal"))
    try:
        fitted = normalize.fit_to(data, limits)
    except Rejected:
        assert max(width, height) / min(width, height) > min(
            limits.max_ratio, limits.max_side / limits.min_side
        )
        return
    assert limits.min_side <= min(fitted.width, fitted.height)
    assert max(fitted.width, fitted.height) <= limits.max_side
    assert len(fitted.data) <= limits.max_bytes
    scale = max(fitted.width / width, fitted.height / height)
    assert abs(fitted.width - width * scale) <= scale + 1
    assert abs(fitted.height - height * scale) <= scale + 1


# Masks

SIZE = (600, 400)
PICTURE = Size(width=600, height=400)


def colours(data: bytes) -> set[tuple[int, ...]]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (600, 400)
        pixels = image.convert("RGB").get_flattened_data()
        return set(pixels)  # type: ignore[arg-type]


Colour = str | int | tuple[int, ...]
Box = tuple[int, int, int, int]
THIRD = (0, 0, 200, 400)
"""The left third of a mask, which is to change in all of these."""


def painted(
    mode: str, paper: Colour, paint: Colour, area: Box = THIRD
) -> Image.Image:
    image = Image.new(mode, SIZE, paper)
    image.paste(paint, area)
    return image


def erased(image: Image.Image) -> Image.Image:
    image.putalpha(painted("L", 255, 0))
    return image


def soft_strokes() -> Image.Image:
    hidden = (0, 0, 0, 0)
    edges = (0, 0, 210, 400)
    image = painted("RGBA", hidden, (255, 255, 255, 90), edges)
    image.paste("white", THIRD)
    return image


PAINTED = {
    "white on black": painted("RGB", "black", "white"),
    "sixteen bits": painted("I;16", 0, 65535),
    "small": painted("L", 0, 255).resize((300, 200)),
    "red over a picture": painted("RGB", (90, 140, 120), (230, 30, 30)),
    "holes in a picture": erased(noise(600, 400)),
    "holes in black": erased(Image.new("RGB", SIZE)),
    "white strokes": painted("RGBA", (0, 0, 0, 0), "white"),
    "red strokes": painted("RGBA", (0, 0, 0, 0), (230, 30, 30, 255)),
    "soft strokes": soft_strokes(),
}


@pytest.mark.parametrize("name", PAINTED)
def test_masks_painted_in_any_way_become_pure_black_and_white_at_the_exact_size(
    name: str,
) -> None:
    mask = masks.mask(encode(PAINTED[name]), PICTURE)
    assert colours(mask) == {(0, 0, 0), (255, 255, 255)}
    with Image.open(io.BytesIO(mask)) as image:
        assert image.getpixel((50, 200)) == (255, 255, 255)
        assert image.getpixel((400, 200)) == (0, 0, 0)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(Rejected, match="mask_size"):
        masks.mask(encode(Image.new("L", (512, 512))), PICTURE)


@pytest.mark.parametrize(
    ("colour", "key"), [("black", "mask_empty"), ("white", "mask_full")]
)
def test_a_mask_of_nothing_or_everything_is_refused(
    colour: str, key: str
) -> None:
    with pytest.raises(Rejected, match=key):
        masks.mask(encode(Image.new("RGB", SIZE, colour)), PICTURE)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("left", (10, 200), (590, 200)),
        ("right", (590, 200), (10, 200)),
        ("top", (300, 10), (300, 390)),
        ("bottom", (300, 390), (300, 10)),
        ("center", (300, 200), (10, 10)),
    ],
)
def test_quick_regions_are_halves_and_the_middle(
    name: str, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    mask = masks.region(name, PICTURE)
    assert colours(mask) == {(0, 0, 0), (255, 255, 255)}
    with Image.open(io.BytesIO(mask)) as image:
        assert image.getpixel(inside) == (255, 255, 255)
        assert image.getpixel(outside) == (0, 0, 0)


# Recipes, trees, the pool


def test_a_recipe_is_written_and_read_without_touching_a_pixel() -> None:
    data = (PHOTOS / "coffee.png").read_bytes()
    written = png_metadata.write_recipe(
        data, {"prompt": "狐狸 🦊", "seed": "7"}
    )
    assert png_metadata.read_recipe(written) == {
        "prompt": "狐狸 🦊",
        "seed": "7",
    }
    assert (
        Image.open(io.BytesIO(written)).tobytes()
        == Image.open(io.BytesIO(data)).tobytes()
    )
    assert png_metadata.read_recipe(data) is None
    assert png_metadata.write_recipe(JPEG, {"a": "b"}) == JPEG


@given(st.binary(max_size=200))
def test_no_file_whatever_breaks_the_reading_of_recipes(data: bytes) -> None:
    for one in (
        data,
        b"\x89PNG\r\n\x1a\n" + data,
        b"\x89PNG\r\n\x1a\n" + chunk(b"iTXt", b"easel\0\0\0\0\0" + data),
    ):
        png_metadata.read_recipe(one)


def test_a_comparison_shows_both_and_flickers_between_them() -> None:
    side = Image.open(io.BytesIO(diagrams.compare(PNG, JPEG, ("v1", "v2"))))
    assert side.width > side.height
    moving = Image.open(io.BytesIO(diagrams.flicker(PNG, JPEG)))
    assert getattr(moving, "n_frames", 1) == 2


def test_a_comparison_stays_inside_its_bounds_however_long_the_pictures() -> (
    None
):
    strip = encode(Image.new("RGB", (2000, 100), "red"), "PNG")
    pole = encode(Image.new("L", (20, 400), 90), "PNG")
    for pair in ((strip, strip), (strip, pole), (pole, PNG)):
        with Image.open(
            io.BytesIO(diagrams.compare(*pair, ("v1", "v2")))
        ) as side:
            assert max(side.size) <= diagrams.MAX_SIDE
        with Image.open(io.BytesIO(diagrams.flicker(*pair))) as moving:
            assert max(moving.size) <= 1024


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
def test_a_thumbnail_is_a_square_of_any_picture(mode: str) -> None:
    plain = Image.new("L", (30, 60), 200)
    made = diagrams.thumbnail(encode(plain.convert(mode), "PNG"))
    with Image.open(io.BytesIO(made)) as thumb:
        assert (thumb.format, thumb.size) == (
            "JPEG",
            (layout.SIDE, layout.SIDE),
        )


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_large_photo_with_a_profile_is_turned_and_brought_to_srgb_while_it_shrinks(
    orientation: int,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    profile = ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")
    ).tobytes()
    image = Image.new("RGB", (4000, 1000), "white")
    image.paste("red", (0, 0, 2000, 1000))
    taken = normalize.normalize(
        encode(image, "JPEG", exif=exif, icc_profile=profile, quality=95)
    )
    assert (taken.width, taken.height) == (
        (3072, 768) if orientation == 3 else (768, 3072)
    )
    with Image.open(io.BytesIO(taken.data)) as mine:
        assert "icc_profile" not in mine.info
        red, _, blue = mine.convert("RGB").getpixel((taken.width - 50, 50))  # type: ignore[misc]
        assert red > 200
        assert blue < 60


def test_letters_no_font_here_has_are_left_out_and_never_boxes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canvas, "_cjk_font", lambda _size: None)
    thumb = diagrams.thumbnail(PNG)

    def planted(caption: str) -> bytes:
        page = layout.lay_out(
            [layout.Node(id="a", label="v1", caption=caption, parent=None)]
        )
        return diagrams.tree(page, {"a": thumb})

    assert planted("一只红狐狸") == planted("")
    assert planted("改成 night") == planted("night") != planted("")
