"""Names that look alike in spite of other scripts, case or lost accents. Pure."""

import unicodedata

LOOKALIKES = {
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
    ord(other): latin
    for latin, others in LOOKALIKES.items()
    for other in others
}
STROKES = str.maketrans(dict.fromkeys("Il1", "|"))
"""What many typefaces draw as one and the same stroke."""
ACCENTS = 200
"""Combining classes from here on are accents; what is below makes other letters, as in Thai."""


def are_spelled_alike(name: str, other: str) -> bool:
    """Whether a reader may take one name for the other, accents and all."""
    return _read_alike(_spell(name), _spell(other))


def are_alike(name: str, other: str) -> bool:
    """Whether a reader may take one name for the other, also where accents were left out.

    Two that have different ones are different names, as Thủy and Thúy are.
    """
    name, other = _spell(name), _spell(other)
    bare_name, bare_other = _without_accents(name), _without_accents(other)
    if name != bare_name and other != bare_other:
        return _read_alike(name, other)
    return _read_alike(bare_name, bare_other)


def _read_alike(name: str, other: str) -> bool:
    if name.casefold() == other.casefold():
        return True
    return _strokes(name) == _strokes(other)


def _strokes(name: str) -> str:
    return name.translate(STROKES).casefold()


def _spell(name: str) -> str:
    """Letters, their accents and digits alone, Latin where they look so."""
    letters = unicodedata.normalize("NFKD", name)
    spelled = [
        letter
        for letter in letters
        if unicodedata.category(letter)[0] in "LMN"
    ]
    return "".join(spelled).translate(CONFUSABLE)


def _without_accents(name: str) -> str:
    return "".join(
        letter for letter in name if unicodedata.combining(letter) < ACCENTS
    )
