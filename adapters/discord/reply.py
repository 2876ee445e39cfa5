"""What Discord needs to answer an event: kept with it, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

YES = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordReply:
    """``interaction``, ``app`` and ``token`` give an interaction its answer, for fifteen minutes.

    ``asked`` is the interaction whose form was sent back, ``pressed`` the message of a button in
    a direct message, ``message`` the one that was said. ``only``: somebody brought us along, and
    we have no other voice there. ``open``: all may read the answer. ``first``: it has not been
    acknowledged yet, so that a modal may be the answer.
    """

    interaction: str = ""
    app: str = ""
    token: str = ""
    asked: str = ""
    pressed: str = ""
    message: str = ""
    only: bool = False
    open: bool = False
    first: bool = False

    def to_json(self) -> dict[str, str]:
        """Only what is there."""
        row: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                row[field.name] = YES if value is True else value
        return row

    @classmethod
    def read(cls, row: Mapping[str, str]) -> "DiscordReply":
        """From JSON, also as earlier versions wrote it."""
        return cls(
            interaction=row.get("interaction", ""),
            app=row.get("app", ""),
            token=row.get("token", ""),
            asked=row.get("asked", ""),
            pressed=row.get("pressed", ""),
            message=row.get("message", ""),
            only=row.get("only") == YES,
            open=row.get("open") == YES,
            first=row.get("first") == YES,
        )
