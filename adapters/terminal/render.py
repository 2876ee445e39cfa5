"""Post → lines of text; pure. Control characters never reach the terminal."""

import unicodedata

from core.post import ButtonKind, Post, Tone

BAR = 24
COMMANDS = {
    ButtonKind.RETRY: "again",
    ButtonKind.DROP: "drop",
    ButtonKind.RERUN: "rerun",
}
SIGNS = {Tone.STATUS: "…", Tone.RESULT: "✔", Tone.REFUSAL: "✘", Tone.NOTE: "·"}


def clean(text: str) -> str:
    """Without control and bidirectional formatting characters, which could move the cursor or hide words."""
    kept = (
        c
        for c in text
        if c == "\n"
        or unicodedata.category(c) not in {"Cc", "Cf", "Cs"}
        or c == "\u200d"
    )
    return "".join(kept)


def lines(post: Post) -> list[str]:
    """The whole post, its sign before the first line.

    Buttons that ask for a decision as commands.
    """
    text = [clean(post.title)] if post.title else []
    text += clean(post.text).split("\n")
    asked = [one for one in post.buttons if one.kind in COMMANDS]
    text += [
        f"{clean(one.label)}: easel {COMMANDS[one.kind]} {one.step}" for one in asked
    ]
    return [
        f"{SIGNS[post.tone] if at == 0 else ' '} {line}" for at, line in enumerate(text)
    ]


def bar(post: Post, columns: int) -> str:
    """One line of progress, cut to ``columns`` characters."""
    done = round((post.progress or 0.0) * BAR)
    line = clean(post.text).split("\n")[-1]
    return f"[{'█' * done}{'·' * (BAR - done)}] {line}"[: columns - 1]
