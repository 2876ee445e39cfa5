"""Colours, and how they are mixed."""

Colour = tuple[int, int, int]
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)


def from_hex(text: str) -> Colour:
    """Six hexadecimal digits as a colour."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def mix(base: Colour, added: Colour, share: float) -> Colour:
    """The base with a share (0–1) of the added colour."""
    red = _between(base[0], added[0], share)
    green = _between(base[1], added[1], share)
    blue = _between(base[2], added[2], share)
    return red, green, blue


def _between(low: int, high: int, share: float) -> int:
    return round(low * (1 - share) + high * share)
