"""The words a workspace refuses in prompts: how they are listed, and whether a text holds one.

A listed word matches whole words in any case or width. Scripts that put no spaces between words
have no whole words: there it matches anywhere.
"""

import re
import unicodedata

from core.text import clean

SEPARATORS = re.compile("[,;\n，、；]")
"""People list words on lines or with commas; a phrase may hold spaces."""
UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana, Han, and Hangul, whose particles join the word."""


JOINERS = re.compile("[\u034f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""What changes how a letter is drawn at most, and would hide a word."""
ACCENTS = 200
"""Combining classes from here on are accents. Below are vowels and other parts of words."""
OVERLAY = 1
"""The combining class of strokes through a letter."""


def split_words(text: str) -> list[str]:
    """The words and phrases of a list, each once, as they are compared."""
    words = [_fold(word) for word in SEPARATORS.split(clean(text))]
    return list(dict.fromkeys(word for word in words if word))


def holds_refused_word(text: str, refused: str) -> bool:
    """Whether the text holds one of the listed words."""
    folded = _fold(text)
    return any(_holds(folded, word) for word in split_words(refused))


def _fold(text: str) -> str:
    """One form for what people read as the same letters; single spaces between words."""
    composed = unicodedata.normalize("NFKC", clean(text)).casefold()
    # Invisible format characters ("Cf") would hide a word from the comparison.
    visible = [
        letter for letter in composed if unicodedata.category(letter) != "Cf"
    ]
    joined = JOINERS.sub("", "".join(visible))
    # Once more: folding case may leave what composes further.
    folded = unicodedata.normalize("NFKC", joined)
    return " ".join(folded.split())


def _holds(text: str, word: str) -> bool:
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        is_whole = not (
            _continues(text[start - 1 : start], word[0])
            or _continues(text[end : end + 1], word[-1])
        )
        if is_whole:
            return True
        start = text.find(word, start + 1)
    return False


def _continues(neighbour: str, edge: str) -> bool:
    """Whether the letter beside a word's edge makes it part of a longer word."""
    return all(map(_is_spaced_letter, (neighbour, edge)))


def _is_spaced_letter(letter: str) -> bool:
    is_letter = letter.isalnum() or _is_vowel_sign(letter)
    return is_letter and UNSPACED.fullmatch(letter) is None


def _is_vowel_sign(letter: str) -> bool:
    """Whether it continues a word, as the vowels of Hindi do."""
    if not letter or unicodedata.category(letter) not in {"Mc", "Mn"}:
        return False
    combining = unicodedata.combining(letter)
    return combining != OVERLAY and combining < ACCENTS
