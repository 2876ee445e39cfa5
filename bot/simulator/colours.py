"""Which colours and which weather a prompt speaks of, in four languages."""

import hashlib
import random

Colour = tuple[int, int, int]
COLOURS = {
    "red": (200, 60, 45), "红": (200, 60, 45), "紅": (200, 60, 45), "merah": (200, 60, 45),
    "orange": (232, 130, 45), "fox": (226, 110, 40), "狐": (226, 110, 40),
    "yellow": (240, 200, 70), "黄": (240, 200, 70), "gold": (214, 170, 70), "金": (214, 170, 70),
    "green": (80, 150, 85), "绿": (80, 150, 85), "meadow": (110, 170, 80), "草": (110, 170, 80),
    "forest": (50, 110, 70),
    "blue": (65, 115, 200), "蓝": (65, 115, 200), "sea": (50, 120, 170), "海": (50, 120, 170), "biru": (65, 115, 200),
    "purple": (130, 85, 170), "紫": (130, 85, 170), "pink": (235, 150, 180), "粉": (235, 150, 180),
    "snow": (228, 236, 245), "雪": (228, 236, 245), "white": (240, 240, 238), "白": (240, 240, 238),
    "black": (45, 45, 52), "黑": (45, 45, 52), "night": (24, 34, 78), "夜": (24, 34, 78), "malam": (24, 34, 78),
    "sunset": (245, 140, 90), "夕": (245, 140, 90), "desert": (222, 180, 120),
    "autumn": (200, 110, 50), "秋": (200, 110, 50),
}  # fmt: skip
NIGHT = ("night", "夜", "dark", "moon", "月", "malam")
SNOW = ("snow", "雪", "winter", "冬", "salju")


def is_night(prompt: str) -> bool:
    """Is it to be dark?"""
    return any(word in prompt.lower() for word in NIGHT)


def is_snowy(prompt: str) -> bool:
    """Is it to snow?"""
    return any(word in prompt.lower() for word in SNOW)


def main_colour(prompt: str, luck: random.Random) -> Colour:
    """The first colour of the table that the prompt names, else one of its own."""
    for word, colour in COLOURS.items():
        if word in prompt.lower():
            return colour
    red, green, blue = hashlib.sha256(prompt.encode()).digest()[:3]
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
