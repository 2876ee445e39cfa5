"""Links in what people write, and which of them lead to pictures. Pure."""

import re
from urllib.parse import urlsplit

LINK = re.compile(r"<?(https?://[^\s<>]+)>?", re.IGNORECASE)
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".webp",
    ".gif",
    ".avif",
    ".heic",
    ".heif",
    ".bmp",
    ".tif",
    ".tiff",
)
MARKS = ".,;:!?|)]}'\"”’，。；：！？）】」』"
"""What may follow a link in a sentence."""


def links_in(text: str) -> list[str]:
    """All addresses in the text, without the marks behind them."""
    return [match[1].rstrip(MARKS) for match in LINK.finditer(text)]


def is_picture(link: str) -> bool:
    """Whether the address itself says that it leads to a picture."""
    try:
        path = urlsplit(link).path
    except ValueError:
        return False
    return path.lower().endswith(SUFFIXES)


def host_of(link: str) -> str:
    """The host with its port, "" if there is none."""
    try:
        return urlsplit(link).netloc.lower()
    except ValueError:
        return ""


def without(text: str, link: str) -> str:
    """The text without that link."""
    rest = text.replace(f"<{link}>", " ").replace(link, " ")
    return " ".join(rest.split())
