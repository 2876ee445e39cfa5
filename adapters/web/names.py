"""Names that look alike: letters of other scripts, accents and case tell no people apart. Pure."""

import unicodedata

LOOK = {
    "A": "АΑᎪꓮ",
    "B": "ВΒᏴꓐ",
    "C": "СᏟꓚ",
    "D": "ᎠꓓԀ",
    "E": "ЕΕᎬꓰ",
    "F": "ꓝϜ",
    "G": "Ꮐꓖ",
    "H": "НΗᎻꓧҺ",
    "I": "ІΙꓲӀ",
    "J": "ЈᎫꓙ",
    "K": "КΚᏦꓗ",
    "L": "Ꮮꓡ",
    "M": "МΜᎷꓟ",
    "N": "Νꓠ",
    "O": "ОΟꓳՕ0",
    "P": "РΡᏢꓑ",
    "Q": "Ԛ",
    "R": "Ꭱꓣ",
    "S": "ЅᏚꓢՏ",
    "T": "ТΤᎢꓔ",
    "U": "ꓴՍ",
    "V": "Ꮩꓦ",
    "W": "ᎳԜꓪ",
    "X": "ХΧꓫ",
    "Y": "УҮΥꓬ",
    "Z": "ΖᏃꓜ",
    "a": "аαɑ",
    "b": "в",
    "c": "сϲ",
    "d": "ԁ",
    "e": "еє",
    "g": "ɡ",
    "h": "һհн",
    "i": "іιı",
    "j": "јϳ",
    "k": "кκ",
    "l": "ӏ",
    "m": "м",
    "n": "ոп",
    "o": "оοօσ",
    "p": "рρ",
    "q": "ԛզ",
    "r": "г",
    "s": "ѕ",
    "t": "тτ",
    "u": "υս",
    "v": "νѵ",
    "w": "ԝω",
    "x": "хχ",
    "y": "уγү",
}
"""Letters of other scripts by the Latin one that they look like."""
CONFUSABLE = {
    ord(other): latin for latin, others in LOOK.items() for other in others
}
STROKES = str.maketrans({"I": "l", "1": "l"})
"""What many typefaces draw as one and the same stroke."""
ACCENTS = 200
"""Combining classes from here on are accents; what is below makes other letters, as in Thai."""


def are_alike(one: str, other: str) -> bool:
    """Whether a reader may take one name for the other."""
    one, other = _plain(one), _plain(other)
    if one.casefold() == other.casefold():
        return True
    return _strokes(one) == _strokes(other)


def _strokes(name: str) -> str:
    return name.translate(STROKES).casefold()


def _plain(name: str) -> str:
    """Letters and digits alone, without accents, Latin where they look so."""
    letters = unicodedata.normalize("NFKD", name)
    kept = [letter for letter in letters if _is_told_apart(letter)]
    return "".join(kept).translate(CONFUSABLE)


def _is_told_apart(letter: str) -> bool:
    is_accent = unicodedata.combining(letter) >= ACCENTS
    return not is_accent and unicodedata.category(letter)[0] in "LMN"
