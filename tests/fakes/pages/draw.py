"""Pages with messages that look as Slack and Discord draw them, near enough to judge ours by."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from tests.fakes.pages.seen import Framed, Pressable, Seen, Span

ICON = Path(__file__).parents[3] / "adapters" / "web" / "static" / "icon.svg"
TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strike": "s",
    "code": "code",
}
FONTS = "'Noto Sans', 'DejaVu Sans', 'Noto Sans CJK SC', sans-serif"
COMMON = f"""
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 14px/1.46 {FONTS}; }}
header {{ font-weight: 700; padding: 14px 18px; }}
.message {{ display: grid; grid-template-columns: 40px minmax(0, 1fr); gap: 0 10px;
  padding: 9px 16px; }}
.avatar {{ width: 38px; height: 38px; grid-row: 1 / span 9; overflow: hidden; display: grid;
  place-items: center;
  color: #fff; font-weight: 700; }}
.avatar img {{ width: 30px; }}
.body {{ grid-column: 2; min-width: 0; }}
.who b {{ margin-right: 6px; }}
.words {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.row {{ display: flex; flex-wrap: wrap; gap: 8px; margin-top: 8px; }}
.pictures {{ display: grid; gap: 5px; margin-top: 6px; max-width: 400px; }}
.pictures.many {{ grid-template-columns: 1fr 1fr; }}
.pictures figure {{ margin: 0; position: relative; overflow: hidden; border-radius: 8px; }}
.pictures img {{ display: block; width: 100%; }}
"""
SLACK = """
body { background: #fff; color: #1d1c1d; }
header { border-bottom: 1px solid #ddd; }
.avatar { border-radius: 8px; background: #f4ede4; }
time, .faint { color: #616061; font-size: 12px; font-weight: 400; }
.badge { background: #dddddd; color: #616061; font-size: 10px; font-weight: 700;
  border-radius: 2px; padding: 1px 3px;
  margin-right: 6px; }
.only-you { grid-column: 2; color: #616061; font-size: 13px; }
.message.private { background: #f8f8f8; }
.button { border: 1px solid #bbb; border-radius: 8px; padding: 3px 11px; font-weight: 700;
  font-size: 13px; }
.button.danger { color: #e01e5a; border-color: #e01e5a; }
.select { border: 1px solid #bbb; border-radius: 8px; padding: 3px 11px; font-size: 13px;
  min-width: 160px; }
.words .mention, .words .link { color: #1264a3; background: #e8f5fa; }
.thread { margin: 6px 0 0; border-left: 3px solid #e8e8e8; }
.thread .note { color: #616061; font-size: 12px; padding-left: 16px; }
.pictures figure { border: 1px solid #ddd; }
"""
DISCORD = """
body { background: #313338; color: #dbdee1; }
header { border-bottom: 1px solid #232428; color: #f2f3f5; }
.avatar { border-radius: 50%; background: #f4ede4; }
.who b { color: #f2f3f5; font-weight: 600; }
time, .faint { color: #949ba4; font-size: 12px; }
.badge { background: #5865f2; color: #fff; font-size: 10px; font-weight: 600; border-radius: 3px;
  padding: 1px 4px;
  margin-right: 6px; }
.quoted { grid-column: 2; color: #b5bac1; font-size: 13px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.quoted::before { content: "╭─ "; color: #4e5058; }
.only-you { grid-column: 2; color: #949ba4; font-size: 12px; margin-top: 4px; }
.message.private { background: #393c54; border-left: 2px solid #5865f2; }
.button { background: #4e5058; color: #fff; border-radius: 8px; padding: 5px 14px;
  font-size: 14px; font-weight: 500; }
.button.danger { background: #da373c; }
.button.primary { background: #5865f2; }
.select { background: #1e1f22; border-radius: 8px; padding: 7px 12px; min-width: 240px; }
.words .mention { background: #3c4270; color: #c9cdfb; border-radius: 3px; }
.words .link { color: #00a8fc; }
.spoiler { background: #1e1f22; color: transparent; }
figure .alt { position: absolute; left: 6px; bottom: 6px; background: rgb(0 0 0 / .72);
  color: #fff; font-size: 10px;
  font-weight: 700; border-radius: 4px; padding: 1px 5px; }
figure.hidden img { filter: blur(30px); }
"""
STYLES = {"slack": SLACK, "discord": DISCORD}
ONLY_YOU = {
    "slack": "👁 Only visible to you",
    "discord": "👁 Only you can see this • Dismiss message",
}


def page(platform: str, messages: Mapping[str, Seen], header: str = "") -> str:
    """A whole page; each message has its name, to be found by."""
    inside = "".join(
        _message(platform, seen, name) for name, seen in messages.items()
    )
    top = f"<header>{escape(header)}</header>" if header else ""
    style = COMMON + STYLES[platform]
    head = f"<!doctype html><meta charset=utf-8><title>{platform}</title><style>{style}</style>"
    return f"{head}{top}<main>{inside}</main>"


def _message(platform: str, seen: Seen, name: str) -> str:
    quoted = (
        f'<div class="quoted">@{escape(seen.quoted[0])} {escape(seen.quoted[1])}</div>'
        if seen.quoted
        else ""
    )
    only_you = (
        f'<div class="only-you">{ONLY_YOU[platform]}</div>'
        if seen.only_you
        else ""
    )
    above, below = (only_you, "") if platform == "slack" else ("", only_you)
    badge = '<span class="badge">APP</span>' if seen.is_app else ""
    words = (
        f'<div class="words">{"".join(map(_span, seen.spans))}</div>'
        if seen.spans
        else ""
    )
    now = f"<time>{datetime.now().astimezone():%I:%M %p}</time>"
    parts = [
        f'<div class="who"><b>{escape(seen.author)}</b>{badge}{now}</div>',
        words,
        _pictures(platform, seen.pictures),
        *(
            f'<div class="row">{"".join(map(_button, row))}</div>'
            for row in seen.rows
        ),
        *(f'<div class="row">{_menu(menu)}</div>' for menu in seen.menus),
    ]
    private = " private" if seen.only_you else ""
    marked = f' data-moment="{escape(name)}"' if name else ""
    body = f'{_avatar(seen)}<div class="body">{"".join(parts)}</div>'
    message = (
        f'<div class="message{private}">{quoted}{above}{body}{below}</div>'
    )
    above_it = "".join(
        _message(platform, earlier, "") for earlier in seen.before
    )
    return f"<section{marked}>{above_it}{message}{_thread(platform, seen.thread)}</section>"


def _thread(platform: str, inside: Sequence[Seen]) -> str:
    if not inside:
        return ""
    replies = "".join(_message(platform, reply, "") for reply in inside)
    return f'<div class="thread"><div class="note">In the thread</div>{replies}</div>'


def _avatar(seen: Seen) -> str:
    if seen.is_app:
        icon = _data("image/svg+xml", ICON.read_bytes())
        return f'<div class="avatar"><img alt="" src="{icon}"></div>'
    return f'<div class="avatar" style="background: #86324a">{escape(seen.author[:1])}</div>'


def _span(span: Span) -> str:
    markup = escape(span.text)
    for look in sorted(span.looks):
        tag = TAGS.get(look, "span")
        markup = f'<{tag} class="{escape(look)}">{markup}</{tag}>'
    return markup


def _button(pressable: Pressable) -> str:
    label = escape(pressable.label)
    if pressable.look == "link":
        label += " ↗"
    return f'<span class="button {pressable.look}">{label}</span>'


def _menu(labels: Sequence[str]) -> str:
    return (
        f'<span class="select" title="{escape(" · ".join(labels))}">▾</span>'
    )


def _pictures(platform: str, shown: Sequence[Framed]) -> str:
    if not shown:
        return ""
    # Discord puts a mark on pictures that have words for those who do not see; Slack keeps them to
    # itself.
    mark = '<span class="alt">ALT</span>' if platform == "discord" else ""
    figures = [
        f'<figure class="{"hidden" if picture.hidden else ""}"><img alt="{escape(picture.alt)}" '
        f'src="{_data("image/png", picture.data)}">{mark if picture.alt else ""}</figure>'
        for picture in shown
    ]
    return f'<div class="pictures{" many" if len(shown) > 1 else ""}">{"".join(figures)}</div>'


def _data(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
