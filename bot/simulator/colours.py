"""Which colours and which weather a prompt speaks of, in four languages."""

import hashlib
import random

Colour = tuple[int, int, int]
PALETTE: dict[str, Colour] = {
    "red 红 紅 merah": (200, 60, 45),
    "orange": (232, 130, 45),
    "fox 狐": (226, 110, 40),
    "yellow 黄": (240, 200, 70),
    "gold 金": (214, 170, 70),
    "green 绿": (80, 150, 85),
    "meadow 草": (110, 170, 80),
    "forest": (50, 110, 70),
    "blue 蓝": (65, 115, 200),
    "sea 海": (50, 120, 170),
    "biru": (65, 115, 200),
    "purple 紫": (130, 85, 170),
    "pink 粉": (235, 150, 180),
    "snow 雪": (228, 236, 245),
    "white 白": (240, 240, 238),
    "black 黑": (45, 45, 52),
    "night 夜 malam": (24, 34, 78),
    "sunset 夕": (245, 140, 90),
    "desert": (222, 180, 120),
    "autumn 秋": (200, 110, 50),
}
"""Colours by the words that ask for them; the first one in a prompt wins."""
NIGHT = ("night", "夜", "dark", "moon", "月", "malam")
SNOW = ("snow", "雪", "winter", "冬", "salju")


def is_night(prompt: str) -> bool:
    """Whether the prompt asks for darkness."""
    return any(word in prompt.lower() for word in NIGHT)


def is_snowy(prompt: str) -> bool:
    """Whether the prompt asks for snow."""
    return any(word in prompt.lower() for word in SNOW)


def main_colour(prompt: str, luck: random.Random) -> Colour:
    """The first colour of the palette that the prompt names, else one made from its letters."""
    lowered = prompt.lower()
    for words, colour in PALETTE.items():
        if any(word in lowered for word in words.split()):
            return colour
    red, green, blue = hashlib.sha256(prompt.encode()).digest()[:3]
    # Neither too dark nor too bright to draw upon.
    return (
        70 + red % 150,
        70 + green % 150,
        70 + (blue + luck.randrange(40)) % 150,
    )


def mix(base: Colour, added: Colour, share: float) -> Colour:
    """The base with a share (0–1) of the added colour."""
    red, green, blue = (
        round(low * (1 - share) + high * share)
        for low, high in zip(base, added, strict=True)
    )
    return red, green, blue
