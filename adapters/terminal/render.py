"""Post → lines of text; pure. Control characters never reach the terminal."""

import unicodedata

from core.operations import BUTTONS, COMMANDS, ButtonKind
from core.post import Button, Post, Tone

BAR = 24
DECISIONS = frozenset({ButtonKind.RETRY, ButtonKind.DROP, ButtonKind.RERUN})
"""Buttons that a terminal shows, as commands: the person has to decide something."""
SIGNS = {
    Tone.STATUS: "…",
    Tone.RESULT: "✔",
    Tone.REFUSAL: "✘",
    Tone.NOTE: "·",
}
JOINER = "\u200d"
UNSAFE = frozenset({"Cc", "Cf", "Cs"})


def clean(text: str) -> str:
    """Without control and formatting characters, which could move the cursor or hide words."""
    return "".join(letter for letter in text if _is_safe(letter))


def _is_safe(letter: str) -> bool:
    # Joiners hold families and flags of emoji together.
    is_needed = letter in {"\n", JOINER}
    return is_needed or unicodedata.category(letter) not in UNSAFE


def lines(post: Post) -> list[str]:
    """The whole post, its sign before the first line, the decisions as commands at its end."""
    texts: list[str] = []
    if post.title:
        texts.append(clean(post.title))
    texts += clean(post.text).split("\n")
    for button in post.buttons:
        if button.kind in DECISIONS:
            texts.append(_command(button))
    first, *others = texts
    sign = SIGNS[post.tone]
    indented = [f"  {text}" for text in others]
    return [f"{sign} {first}", *indented]


def _command(button: Button) -> str:
    action = BUTTONS[button.kind]
    word = COMMANDS[action].word
    label = clean(button.label)
    return f"{label}: easel {word} {button.step}"


def bar(post: Post, columns: int) -> str:
    """One line of progress, cut to ``columns`` characters."""
    progress = post.progress or 0.0
    done = round(progress * BAR)
    filled = "█" * done
    empty = "·" * (BAR - done)
    *_, last_line = clean(post.text).split("\n")
    line = f"[{filled}{empty}] {last_line}"
    return line[: columns - 1]
