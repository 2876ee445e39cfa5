"""Which colours and which weather a prompt speaks of, in four languages."""

import hashlib
import random
from collections.abc import Sequence

Colour = tuple[int, int, int]
PALETTE = {
    "red 红 紅 merah": "c83c2d",
    "orange": "e8822d",
    "fox 狐": "e26e28",
    "yellow 黄": "f0c846",
    "gold 金": "d6aa46",
    "green 绿": "509655",
    "meadow 草": "6eaa50",
    "forest": "326e46",
    "blue 蓝": "4173c8",
    "sea 海": "3278aa",
    "biru": "4173c8",
    "purple 紫": "8255aa",
    "pink 粉": "eb96b4",
    "snow 雪": "e4ecf5",
    "white 白": "f0f0ee",
    "black 黑": "2d2d34",
    "night 夜 malam": "18224e",
    "sunset 夕": "f58c5a",
    "desert": "deb478",
    "autumn 秋": "c86e32",
}
"""Colours in hex by the words that ask for them; the first in a prompt counts."""
NIGHT = ("night", "夜", "dark", "moon", "月", "malam")
SNOW = ("snow", "雪", "winter", "冬", "salju")


def is_night(prompt: str) -> bool:
    """Whether the prompt asks for darkness."""
    return _names_any(prompt, NIGHT)


def is_snowy(prompt: str) -> bool:
    """Whether the prompt asks for snow."""
    return _names_any(prompt, SNOW)


def _names_any(prompt: str, words: Sequence[str]) -> bool:
    lowered = prompt.lower()
    return any(word in lowered for word in words)


def main_colour(prompt: str, luck: random.Random) -> Colour:
    """The first colour of the palette that the prompt names, else one made from its letters."""
    for words, colour in PALETTE.items():
        if _names_any(prompt, words.split()):
            red, green, blue = bytes.fromhex(colour)
            return red, green, blue
    digest = hashlib.sha256(prompt.encode()).digest()
    shift = luck.randrange(40)
    red = _middling(digest[0])
    green = _middling(digest[1])
    blue = _middling(digest[2] + shift)
    return red, green, blue


def _middling(level: int) -> int:
    """Turn any level of a colour into one that is neither too dark nor too bright to draw on."""
    return 70 + level % 150


def mix(base: Colour, added: Colour, share: float) -> Colour:
    """The base with a share (0–1) of the added colour."""
    red = _between(base[0], added[0], share)
    green = _between(base[1], added[1], share)
    blue = _between(base[2], added[2], share)
    return red, green, blue


def _between(low: int, high: int, share: float) -> int:
    return round(low * (1 - share) + high * share)
