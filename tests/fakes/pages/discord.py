"""A message of the fake Discord as Discord would show it.

Markdown is truly interpreted; attachments and components are shown.
"""

import re
from collections.abc import Iterator
from functools import cache

from tests.fakes.discord.things import EPHEMERAL, Message, No, walk
from tests.fakes.discord.world import World
from tests.fakes.pages.seen import Framed, Pressable, Seen, Span

INSIDE = r"((?:\\.|[^\\])+?)"
RULES = [
    ("escaped", re.compile(r"\\([^0-9A-Za-z\s])")),
    ("code", re.compile(r"(`+)([^`]|[^`].*?[^`])\1(?!`)", re.DOTALL)),
    (
        "mention",
        re.compile(r"(<(?:@[!&]?|#)\d+>|@everyone|@here|</[^:>]+:\d+>)"),
    ),
    ("time", re.compile(r"(<t:-?\d+(?::\w)?>)")),
    ("emoji", re.compile(r"(<a?:\w+:\d+>|:[a-z][a-z0-9_+-]+:)")),
    ("link", re.compile(r"<?((?:https?|steam)://[^\s<]+[^<.,:;\"'\]\s>])>?")),
    (
        "masked link",
        re.compile(r"\[((?:\\.|[^\\\]])+)\]\(\s*<?[^\s)]+>?\s*\)"),
    ),
    ("bold", re.compile(rf"\*\*{INSIDE}\*\*(?!\*)", re.DOTALL)),
    ("underline", re.compile(rf"__{INSIDE}__(?!_)", re.DOTALL)),
    (
        "italic",
        re.compile(
            rf"\*(?=\S){INSIDE}(?<!\s)\*(?!\*)|\b_{INSIDE}_\b", re.DOTALL
        ),
    ),
    ("strike", re.compile(rf"~~{INSIDE}~~(?!_)", re.DOTALL)),
    ("spoiler", re.compile(rf"\|\|{INSIDE}\|\|", re.DOTALL)),
]
"""Discord's rules in their order; the first that fits where the reader stands holds."""
LINE = re.compile(r"(#{1,3}|-#|>{1}|>>>|[-*]|\d+\.) (?=\S)")
"""At the beginning of a line: heading, subtext, quote, list."""
WHOLE = frozenset({"code", "mention", "time", "emoji", "link"})
LOOKS = {2: "", 1: "primary", 3: "success", 4: "danger", 5: "link"}


def read_message(world: World, message: Message) -> Seen:
    """The message; what it answers is quoted above it."""
    author = world.users[message.author]
    components = list(walk(message.components))
    assert {component["type"] for component in components} <= {1, 2, 3}, (
        components
    )
    rows = [
        [
            component
            for component in row["components"]
            if component["type"] == 2
        ]
        for row in message.components
    ]
    return Seen(
        author=author.name.capitalize(),
        is_app=author.is_bot,
        spans=tuple(spans(message.content, world)),
        rows=tuple(
            tuple(
                Pressable(label=button["label"], look=LOOKS[button["style"]])
                for button in row
            )
            for row in rows
            if row
        ),
        menus=tuple(
            tuple(option["label"] for option in component["options"])
            for component in components
            if component["type"] == 3
        ),
        pictures=tuple(
            Framed(data=file.data, alt=file.description, hidden=file.spoiler)
            for file in message.attachments
        ),
        only_you=bool(message.flags & EPHEMERAL),
        quoted=_quote(world, message),
    )


def _quote(world: World, message: Message) -> tuple[str, str] | None:
    if message.reference is None:
        return None
    try:
        message = world.find(
            str(message.reference["channel_id"]),
            str(message.reference["message_id"]),
        )
    except No:
        return None
    words = "".join(
        span.text for span in spans(message.content, world)
    ).replace("\n", " ")
    return world.users[
        message.author
    ].name.capitalize(), words or "Click to see attachment"


def spans(content: str, world: World | None = None) -> list[Span]:
    """Its words with their looks, neighbours of one look joined.

    The breaks put behind at-signs are not seen.
    """
    joined: list[Span] = []
    for part in _whole(content):
        text = (
            _mention_name(part.text, world)
            if "mention" in part.looks
            else part.text.replace("\u200b", "")
        )
        if joined and joined[-1].looks == part.looks:
            joined[-1] = Span(text=joined[-1].text + text, looks=part.looks)
        else:
            joined.append(Span(text=text, looks=part.looks))
    return joined


@cache
def _whole(content: str) -> tuple[Span, ...]:
    return tuple(_parse(content, frozenset(), is_start=True))


def _mention_name(text: str, world: World | None) -> str:
    user = world.users.get(text.strip("<@!>")) if world else None
    return f"@{user.name.capitalize()}" if user else text


def _parse(
    text: str, looks: frozenset[str], *, is_start: bool = False
) -> Iterator[Span]:
    at = 0
    while at < len(text):
        is_line = (at == 0 and is_start) or (at > 0 and text[at - 1] == "\n")
        block = LINE.match(text, at) if is_line else None
        if block:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            yield from _parse(
                text[block.end() : end], looks | {f"line {block[1]}"}
            )
            at = end
            continue
        for name, rule in RULES:
            if match := rule.match(text, at):
                inside = next(
                    group
                    for group in reversed(match.groups())
                    if group is not None
                )
                yield from _spans(name, inside, looks)
                at = match.end()
                break
        else:
            yield Span(text=text[at], looks=looks)
            at += 1


def _spans(name: str, inside: str, looks: frozenset[str]) -> Iterator[Span]:
    if name == "escaped":
        yield Span(text=inside, looks=looks)
    elif name in WHOLE:
        yield Span(text=inside, looks=looks | {name})
    else:
        yield from _parse(inside, looks | {name})
