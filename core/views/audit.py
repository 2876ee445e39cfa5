"""The post of a page of the audit log."""

import re
from collections.abc import Sequence

from core.audit import ASKED, REFUSED, SET, AuditEntry
from core.i18n import clip, translate
from core.post import Post, Tone

SHOWN = 60
"""Characters of a setting's value that a line shows."""
ASIDE = re.compile("[;；(（,，]")
"""What follows in a setting's label is how to fill it in."""


def audit_post(
    entries: Sequence[AuditEntry],
    page: int,
    pages: int,
    locale: str,
) -> Post:
    """A line for each act, newest first, for administrators alone."""
    lines = [_line(entry, locale) for entry in entries]
    if page < pages:
        lines.append(
            translate(
                "audit.page",
                locale,
                page=page,
                pages=pages,
                following=page + 1,
            )
        )
    return Post(
        tone=Tone.NOTE,
        title=translate("audit.title", locale),
        text="\n".join(lines) or translate("audit.none", locale),
        private=True,
        locale=locale,
    )


def _line(entry: AuditEntry, locale: str) -> str:
    return translate(
        "audit.line",
        locale,
        at=entry.at,
        person=entry.person.name or "–",
        act=_describe_act(entry, locale),
    )


def _describe_act(entry: AuditEntry, locale: str) -> str:
    if entry.act == SET:
        return translate(
            "audit.set",
            locale,
            setting=setting_name(entry.subject, locale),
            before=_show_value(entry.before),
            after=_show_value(entry.after),
        )
    if entry.act == REFUSED:
        reason = setting_name(entry.subject, locale)
        return translate("audit.refused", locale, reason=reason)
    if entry.act == ASKED:
        return _describe_request(entry, locale)
    action = translate(f"action.{entry.act}", locale)
    return f"{action} {entry.subject}".strip()


def _describe_request(entry: AuditEntry, locale: str) -> str:
    action = translate(f"action.{entry.subject}", locale)
    if entry.cost is None:
        return action
    return translate("audit.asked", locale, action=action, cost=entry.cost)


def setting_name(name: str, locale: str) -> str:
    """A setting's label, without how to fill it in."""
    key = "action.budget" if name == "budget" else f"setting.{name}"
    label, *_ = ASIDE.split(translate(key, locale))
    return label.strip()


def _show_value(text: str) -> str:
    return clip(" ".join(text.split()), SHOWN) or "–"
