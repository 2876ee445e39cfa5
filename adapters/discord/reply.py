"""The data that Discord needs to answer an event."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

YES = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordReply:
    """What Discord needs to answer an event; it is stored with the event, as JSON.

    ``interaction``, ``app`` and ``token`` answer an interaction for fifteen minutes. ``asked`` is
    the interaction whose form was sent back, ``pressed`` the message of a button in a direct
    message, ``message`` the id of the message that was written. ``only``: the response is our only
    voice there, as a person uses the app where it is no member. ``open``: all may read the answer.
    ``first``: it has not been acknowledged yet, so that a modal may be the answer.
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
        """Write the fields that are set."""
        row: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                row[field.name] = YES if value is True else value
        return row

    @classmethod
    def read(cls, row: Mapping[str, str]) -> "DiscordReply":
        """Read it from JSON, also as earlier versions wrote it."""
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
