"""The words of a command line → a prompt and pictures. Looks at files, and at nothing else.

A picture is known by being a file, not by its name: a prompt never takes in a picture that was
meant, so that no other picture is edited instead.
"""

from collections.abc import Sequence
from pathlib import Path

from adapters.terminal.render import clean
from core.errors import Rejected
from core.operations import COMMANDS, Action

SUFFIXES = frozenset(
    [
        ".apng",
        ".arw",
        ".avif",
        ".bmp",
        ".cr2",
        ".dng",
        ".eps",
        ".gif",
        ".heic",
        ".heif",
        ".ico",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".jxl",
        ".mov",
        ".mp4",
        ".nef",
        ".pdf",
        ".png",
        ".psd",
        ".raw",
        ".svg",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
"""Of files that a person may take for pictures. What they are is seen when they are read."""
STARTS = ("/", "./", "../", "~")
"""Beginnings of a path that nothing else has, when it holds no space."""


def split_words(
    action: Action, words: Sequence[str]
) -> tuple[str, tuple[Path, ...]]:
    """Part the pictures from the prompt, wherever they stand.

    Raises Rejected for what looks like a path and is no file.
    """
    prompt: list[str] = []
    pictures: list[Path] = []
    for word in words:
        if _is_picture(action, word):
            pictures.append(Path(word).absolute())
        elif _looks_like_path(action, word, words):
            raise Rejected("terminal.file_missing", name=clean(word))
        else:
            prompt.append(word)
    return " ".join(prompt), tuple(pictures)


def mask_file(mask: str) -> Path | None:
    """The mask's file; None for the name of a region. Raises Rejected when there is no file."""
    if _is_file(mask):
        return Path(mask).absolute()
    if _has_suffix(mask) or "/" in mask:
        raise Rejected("terminal.file_missing", name=clean(mask))
    return None


def _is_picture(action: Action, word: str) -> bool:
    if not _is_file(word):
        return False
    takes_pictures = COMMANDS[action].pictures > 0
    # A drawing needs none: "easel draw fox" is about no file of that name.
    return takes_pictures or _has_suffix(word) or "/" in word


def _looks_like_path(action: Action, word: str, words: Sequence[str]) -> bool:
    if " " in word.strip():
        # "a sign saying cat.png" may be drawn; an edit of such a name is a file misspelt.
        return _has_suffix(word) and action is not Action.DRAW
    if word.startswith(STARTS) or _has_suffix(word):
        return True
    is_folder = _is_folder(word)
    quoted = any(" " in other.strip() for other in words)
    return is_folder and (quoted or "/" in word)


def _has_suffix(word: str) -> bool:
    return Path(word).suffix.lower() in SUFFIXES


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        # Longer than a name may be, or with a zero byte: a prompt.
        return False


def _is_folder(word: str) -> bool:
    try:
        return Path(word).is_dir()
    except (OSError, ValueError):
        return False
