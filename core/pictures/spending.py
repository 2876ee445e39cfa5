"""The diagram of what was spent each day."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from core.pictures.canvas import (
    ACCENT,
    FAINT,
    INK,
    LINE,
    MARGIN,
    PAPER,
    encode_png,
    write,
)

PLOT_SIZE = (960, 420)
PLOT_LEFT, PLOT_FLOOR = 72, 364
PLOT_WIDTH, PLOT_HEIGHT = 864, 292
"""Pixels of the area of the bars, and its lower left corner."""


def plot(days: Sequence[tuple[str, float]], heading: str) -> bytes:
    """Draw a bar for what was spent each day as PNG, 960 × 420 pixels."""
    canvas = Image.new(
        "RGB",
        PLOT_SIZE,
        PAPER,
    )
    draw = ImageDraw.Draw(canvas)
    write(
        draw,
        (MARGIN, 20),
        heading,
        INK,
        22,
    )
    amounts = [amount for _, amount in days]
    highest = max(amounts, default=0.0) or 1.0
    for part in (0.0, 0.5, 1.0):
        _draw_scale(
            draw,
            part,
            highest,
        )
    column = PLOT_WIDTH / max(len(days), 1)
    x: float = PLOT_LEFT
    for day, amount in days:
        _draw_bar(
            draw,
            x,
            column,
            amount / highest,
        )
        write(
            draw,
            (x + column / 2 - 8, PLOT_FLOOR + 10),
            day,
            FAINT,
            13,
        )
        x += column
    return encode_png(canvas)


def _draw_scale(
    draw: ImageDraw.ImageDraw,
    part: float,
    highest: float,
) -> None:
    """Draw a line across at that part of the highest amount."""
    y = round(PLOT_FLOOR - part * PLOT_HEIGHT)
    right = PLOT_LEFT + PLOT_WIDTH
    draw.line(
        [(PLOT_LEFT, y), (right, y)],
        fill=LINE,
        width=1,
    )
    write(
        draw,
        (16, y - 8),
        f"{highest * part:.2f}",
        FAINT,
        14,
    )


def _draw_bar(
    draw: ImageDraw.ImageDraw,
    x: float,
    column: float,
    part: float,
) -> None:
    """Draw the bar of the column that begins at ``x``."""
    if part <= 0:
        return
    left = x + column * 0.15
    right = x + column * 0.85
    top = PLOT_FLOOR - part * PLOT_HEIGHT
    box = [left, top, right, PLOT_FLOOR]
    draw.rounded_rectangle(
        box,
        4,
        fill=ACCENT,
    )
