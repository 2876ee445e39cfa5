"""Pictures are worked on in a process with limits: what a file can do to it, and to others."""

import asyncio
import io
import os
import re
import signal
import socket
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from core.errors import Rejected
from core.pictures import child, tasks
from core.pictures import pool as pools
from core.pictures.child import MEMORY, PROCESSOR_SECONDS, receive, send, serve
from core.pictures.layout import Node
from core.pictures.pool import PictureProcess, Pool
from core.size import PictureLimits, Size

SIDES = (8160, 6000)
"""Nearly the most pixels a picture may have."""


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(workers=2)
    yield pool
    pool.close()


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


SMALL = encode(Image.new("RGB", (30, 20), "red"), "PNG")


def png_of_zeros(bits: int, colour: int, *, interlaced: bool) -> bytes:
    """Nearly 50 megapixels of nothing, which hardly take a byte."""
    width, height = SIDES
    samples = {2: 3, 6: 4}[colour]
    size = (width * samples * bits // 8 + 1) * height
    pixels = bytes(size + (8 * height if interlaced else 0))
    header = struct.pack(
        ">IIBBBBB", width, height, bits, colour, 0, 0, interlaced
    )
    parts = (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(pixels, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", checksum)
    )


def tiff_of_bands(bands: int, side: int = 1000) -> bytes:
    """One deflated strip of a picture with as many bands as one likes."""
    strip = zlib.compress(bytes(side * side * bands), 1)
    tags = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, bands),
        (278, 4, 1, side),
        (279, 4, 1, len(strip)),
    ]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(strip))
    return start + strip + directory + bytes(4)


def claims_another_size(data: bytes, marker: bytes, at: int) -> bytes:
    """A JPEG whose header says 12,000 × 4,000."""
    position = data.index(marker) + at
    return (
        data[:position]
        + struct.pack(">HH", 4000, 12000)
        + data[position + 4 :]
    )


def plain(kind: str, mode: str = "RGB", **options: object) -> bytes:
    return encode(Image.new(mode, SIDES), kind, **options)


def rle_bitmap() -> bytes:
    """49 megapixels of one colour, packed as runs: slow to unpack in Python."""
    width, height = SIDES
    assert width % 255 == 0
    row = b"\xff\x01" * (width // 255) + b"\0\0"
    body = row * height + b"\0\1"
    palette = bytes(1024)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0
    )
    offset = 14 + len(header) + len(palette)
    start = struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset)
    return start + header + palette + body


BOMBS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: plain("JPEG"),
    "jpeg, progressive, all its colours": lambda: plain(
        "JPEG", progressive=True, subsampling=0
    ),
    "jpeg, CMYK": lambda: plain("JPEG", "CMYK", progressive=True),
    "jpeg that claims more": lambda: claims_another_size(
        encode(Image.new("RGB", (64, 64)), "JPEG"), b"\xff\xc0", 5
    ),
    "png, 16 bits": lambda: png_of_zeros(16, 6, interlaced=False),
    "png, 16 bits, interlaced": lambda: png_of_zeros(16, 6, interlaced=True),
    "png, interlaced": lambda: png_of_zeros(8, 2, interlaced=True),
    "webp": lambda: plain("WEBP", lossless=True, quality=0, method=0),
    "webp, transparent": lambda: plain(
        "WEBP", "RGBA", lossless=True, quality=0, method=0
    ),
    "gif": lambda: plain("GIF", "P"),
    "tiff": lambda: plain("TIFF", compression="tiff_lzw"),
    "tiff, floating point": lambda: plain("TIFF", "F", compression="tiff_lzw"),
    "tiff, a thousand bands": lambda: tiff_of_bands(1000, 300),
    "tiff, five bands": lambda: tiff_of_bands(5, 3000),
    "bmp, in runs": rle_bitmap,
}
BY_DAY = (
    "jpeg that claims more",
    "png, interlaced",
    "webp, transparent",
    "tiff, a thousand bands",
    "bmp, in runs",
)
REFUSED = {
    "tiff, a thousand bands": "picture.format",
    "tiff, five bands": "picture.format",
    "bmp, in runs": "picture.too_heavy",
    "webp, transparent": "picture.too_heavy",
    "webp": "picture.too_heavy",
    "tiff, floating point": "picture.format",
}


def peak_of(pool: Pool) -> int:
    """The most address space, in bytes, that any waiting process of the pool has had."""
    peaks = [0]
    for process in pool._idle:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks.append(int(status.split("VmPeak:")[1].split()[0]) * 1024)
    return max(peaks)


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in BY_DAY
        else pytest.param(name, marks=pytest.mark.nightly)
        for name in BOMBS
    ],
)
async def test_a_bomb_stays_within_its_limits_and_is_read_or_refused_with_words(
    name: str, pool: Pool
) -> None:
    first = await pool.run(tasks.inspect, SMALL)
    try:
        image = await pool.run(tasks.normalize, BOMBS[name]())
        answer = "" if image.data else "nothing"
    except Rejected as error:
        answer = error.key
    # One needs just as much as there is: it is sometimes read.
    at_the_edge = name == "png, 16 bits, interlaced"
    if not (at_the_edge and answer == "picture.too_heavy"):
        assert answer == REFUSED.get(name, "")
    assert peak_of(pool) <= MEMORY
    assert await pool.run(tasks.inspect, SMALL) == first


@pytest.mark.parametrize(
    "name",
    [
        "jpeg, progressive, all its colours",
        "webp, transparent",
        "gif",
        "bmp, in runs",
    ],
)
async def test_what_takes_more_memory_than_there_is_is_refused_and_the_next_is_read(
    name: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_less(monkeypatch, "MEMORY = 200 * 2**20")
    with pytest.raises(Rejected, match=r"picture\.too_heavy"):
        await pool.run(tasks.normalize, BOMBS[name]())
    assert (await pool.run(tasks.inspect, SMALL)).width == 30


async def test_a_file_with_more_bytes_than_there_is_memory_is_refused_and_the_next_is_read(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_less(monkeypatch, "MEMORY = 200 * 2**20")
    with pytest.raises(Rejected, match="too_heavy"):
        await pool.run(tasks.check_result, SMALL + bytes(100 << 20))
    assert (await pool.run(tasks.check_result, SMALL)).width == 30


@pytest.mark.nightly
async def test_what_takes_more_processor_time_than_it_may_is_refused_and_the_next_is_read(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_less(monkeypatch, "PROCESSOR_SECONDS = 1")
    with pytest.raises(Rejected, match=r"picture\.too_slow"):
        await pool.run(tasks.normalize, BOMBS["png, 16 bits"]())
    assert (await pool.run(tasks.inspect, SMALL)).width == 30


async def test_each_picture_has_its_seconds_of_processor_time(
    pool: Pool,
) -> None:
    await pool.run(tasks.inspect, SMALL)
    process = only(pool)
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(rf"cpu time +{PROCESSOR_SECONDS} ", limits)
    os.kill(process.pid, signal.SIGXCPU)
    with pytest.raises(Rejected, match=r"picture\.too_slow"):
        await pool.run(tasks.inspect, SMALL)


def give_less(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Start the processes with another limit."""
    program = (
        f"from core.pictures import child; child.{limit}; {pools.PROGRAM}"
    )
    monkeypatch.setattr(pools, "PROGRAM", program)


async def test_what_takes_longer_than_it_may_is_refused_and_the_next_is_read(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.run(tasks.inspect, SMALL)
    process = only(pool)
    process._link.settimeout(0.1)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(Rejected, match=r"picture\.too_slow"):
        await pool.run(tasks.inspect, SMALL)
    assert (await pool.run(tasks.inspect, SMALL)).width == 30


async def test_a_process_that_was_killed_from_outside_costs_nobody_a_picture(
    pool: Pool,
) -> None:
    await pool.run(tasks.inspect, SMALL)
    os.kill(only(pool).pid, signal.SIGKILL)
    assert (await pool.run(tasks.inspect, SMALL)).width == 30


async def test_a_picture_whose_process_is_killed_each_time_is_refused(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(pools, "PROGRAM", kill)
    with pytest.raises(Rejected, match=r"picture\.too_heavy"):
        await pool.run(tasks.inspect, SMALL)


async def test_a_process_that_cannot_start_is_no_fault_of_the_picture(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PROGRAM", "import no_such_module")
    with pytest.raises(RuntimeError, match="ended with 1"):
        await pool.run(tasks.inspect, SMALL)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(OSError, match="No such file"):
        await pool.run(tasks.inspect, SMALL)


async def test_an_error_of_ours_says_where_it_happened(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match=r"masks\.py(.|\n)*KeyError"):
        await pool.run(tasks.region, "nowhere", Size(width=10, height=10))


async def test_signals_for_all_of_us_end_no_picture_in_work(
    pool: Pool,
) -> None:
    await pool.run(tasks.inspect, SMALL)
    process = only(pool)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    await pool.run(tasks.inspect, SMALL)
    assert only(pool) is process


async def test_no_secret_is_in_the_environment_of_a_process(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-secret")
    await pool.run(tasks.inspect, SMALL)
    environment = Path(f"/proc/{only(pool).pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"secret" not in environment


async def test_a_process_without_work_is_ended(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.01)
    await pool.run(tasks.inspect, SMALL)
    pid = only(pool).pid
    await asyncio.sleep(0.1)
    assert pool._idle == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_process_may_be_started_before_there_is_work(
    pool: Pool,
) -> None:
    pool.start()
    while not pool._idle:
        await asyncio.sleep(0.01)
    process = only(pool)
    await pool.run(tasks.inspect, SMALL)
    assert only(pool) is process


async def test_closing_ends_what_is_in_work_and_blames_no_picture(
    pool: Pool,
) -> None:
    work = asyncio.ensure_future(
        pool.run(tasks.normalize, BOMBS["png, interlaced"]())
    )
    while not pool._working:
        await asyncio.sleep(0.01)
    pool.close()
    with pytest.raises(ConnectionError):
        await work


def test_a_question_to_a_process_that_was_ended_blames_no_picture() -> None:
    process = PictureProcess()
    process.kill()
    with pytest.raises(ConnectionError):
        process.ask(("inspect", (SMALL,), {}))


async def test_a_child_ends_with_its_parent() -> None:
    program = (
        "import asyncio, os; from core.pictures import tasks; from core.pictures.pool import Pool\n"
        "pool = Pool()\n"
        f"asyncio.run(pool.run(tasks.inspect, {SMALL!r}))\n"
        "print(pool._idle[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", program, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await parent.communicate()
    async with asyncio.timeout(60):
        while is_running(int(output)):
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    # What nobody waits for remains as a zombie.
    return status.rpartition(")")[2].split()[0] != "Z"


def only(pool: Pool) -> PictureProcess:
    (process,) = pool._idle
    return process


def test_what_the_child_serves_is_answered_over_a_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It would end this process, which runs many more tests.
    monkeypatch.setattr(child, "_limit_processor", lambda: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, ("double", (2,), {}))
        send(ours, ("fail", (), {}))
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, {"double": lambda number: 2 * number, "fail": fail})
        assert receive(ours) == (4, None)
        value, error = receive(ours)
    assert value is None
    assert isinstance(error, Rejected)


def fail() -> None:
    raise MemoryError


def test_every_task_is_that_of_its_module(photo: bytes) -> None:
    """In this process, where coverage sees it."""
    size = Size(width=300, height=200)
    facts = tasks.inspect(photo)
    assert tasks.check_result(photo) == facts
    kept = tasks.normalize(photo)
    assert tasks.fit_to(kept.data, PictureLimits()).data == kept.data
    left = tasks.region("left", size)
    assert tasks.mask(left, size) == left
    page = tasks.lay_out([Node(id="s1", label="v1", caption="", parent=None)])
    drawn = [
        tasks.tree(page, {"s1": tasks.thumbnail(photo)}, "a note"),
        tasks.compare(photo, kept.data, ("v1", "v2")),
        tasks.flicker(photo, kept.data),
        tasks.plot([("1", 2.0)], "November"),
    ]
    assert all(tasks.inspect(picture).width for picture in drawn)


@pytest.mark.nightly
async def test_a_phones_heic_of_50_megapixels_is_taken(pool: Pool) -> None:
    # By night alone: to encode it takes a minute.
    import pillow_heif  # noqa: PLC0415

    pillow_heif.register_heif_opener()
    photo = Image.effect_noise((1020, 768), 60).convert("RGB")
    photo = photo.resize((8160, 6144))
    taken = await pool.run(tasks.normalize, encode(photo, "HEIF", quality=30))
    assert (taken.width, taken.height) == (3072, 2313)
