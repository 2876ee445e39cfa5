"""A phone photo of 12 megapixels normalized, against decoding it and against Pillow, in one run.

.venv/bin/python tests/bench/pictures.py
"""

import io
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pyvips
from PIL import Image, ImageOps

from core.pictures import normalize
from core.size import PictureLimits

LIMITS = PictureLimits(min_side=384, max_side=3072)
RUNS = 7


def photo(side: int) -> bytes:
    """The rocket, ``side`` pixels wide, as a phone would save it."""
    buffer = io.BytesIO()
    with Image.open(
        Path(__file__).parents[1] / "samples" / "photos" / "rocket.jpg"
    ) as small:
        small.resize((side, side * 3 // 4), Image.Resampling.BICUBIC).save(
            buffer, "JPEG", quality=90
        )
    return buffer.getvalue()


def with_pillow(data: bytes) -> bytes:
    """The textbook way."""
    with Image.open(io.BytesIO(data)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((3072, 3072))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def measure(name: str, work: Callable[[], object], runs: int) -> None:
    """Median milliseconds, and the process's peak so far."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {statistics.median(times):.0f} ms, process peak {peak:.0f} MB"
    )


def main(side: int = 4032, runs: int = RUNS) -> None:
    """Print the figures."""
    data = photo(side)
    normalized = normalize.normalize(data).data
    works: dict[str, Callable[[], object]] = {
        "decode alone (floor)": lambda: pyvips.Image.jpegload_buffer(
            data, access="sequential"
        ).avg(),
        "take: check, upright, strip, keep": lambda: normalize.normalize(data),
        "fit: to at most 3072 pixels": lambda: normalize.fit_to(
            normalized, LIMITS
        ),
        "Pillow, textbook, both in one": lambda: with_pillow(data),
    }
    for name, work in works.items():
        measure(name, work, runs)


if __name__ == "__main__":
    main()
