"""What people type, made plain: hidden and hostile characters go, every script stays."""

import re
import unicodedata

MAX_MARKS = 6
"""Most combining marks on one letter: more is zalgo."""
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{1,12}\U000e007f"
"""A black flag with hidden letters: that of England, Scotland or Wales."""
HIDDEN = re.compile(f"({FLAG})|{INVISIBLE.pattern}")
JOINED = "\u0600-\u1fff\u2300-\u2bff\ufe0f\U0001f000-\U0010ffff"
"""Scripts and emoji in which the zero-width joiners mean something; elsewhere they only hide."""
STRAY_JOINER = re.compile(
    f"(?<![{JOINED}])[\u200c\u200d]+|[\u200c\u200d]+(?![{JOINED}])|[\u200c\u200d]{{2,}}"
)
KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
FULL_WIDTH = {code: code - 0xFEE0 for code in range(ord("！"), ord("～") + 1)}


def is_whole_number(text: str) -> bool:
    """Whether it is written in the digits 0 to 9 alone; ``int`` also reads other scripts."""
    return text.isascii() and text.isdecimal()


def clean(text: str) -> str:
    """Compose letters, end lines in \\n, and drop control, bidirectional and hidden characters.

    Of the marks on one letter only a few stay.
    """
    text = ANSI.sub("", text)
    text = LINE_END.sub("\n", text)
    text = HIDDEN.sub(lambda match: match[1] or "", text)
    text = STRAY_JOINER.sub("", text)
    text = unicodedata.normalize("NFC", text)
    letters: list[str] = []
    marks = 0
    for letter in text:
        if unicodedata.category(letter) in {"Mn", "Me"}:
            marks += 1
        else:
            marks = 0
        if marks <= MAX_MARKS:
            letters.append(letter)
    # What was dropped may have kept a letter and its mark apart.
    return unicodedata.normalize("NFC", "".join(letters)).strip()


def has_words(prompt: str) -> bool:
    """Whether the text holds a letter or digit of any script.

    Emoji alone, keycaps such as 1️⃣ too, say too little to draw.
    """
    return any(
        unicodedata.category(letter)[0] in "LN"
        for letter in KEYCAP.sub("", prompt)
    )


def has_emoji(prompt: str) -> bool:
    """Whether the text holds an emoji or another symbol that can be drawn."""
    return any(unicodedata.category(letter) == "So" for letter in prompt)


def to_ascii(text: str) -> str:
    """Full-width letters, digits and signs as ASCII; nothing else is touched."""
    return text.translate(FULL_WIDTH)
