"""The data that Slack needs to answer an event."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackReply:
    """What Slack needs to answer an event; it is stored with the event, as JSON.

    ``trigger`` opens a modal, once, for three seconds. ``response_url`` takes a few private words.
    ``ts`` is the message that was written.
    """

    trigger: str = ""
    response_url: str = ""
    ts: str = ""

    def to_json(self) -> dict[str, str]:
        """Write the fields that are set."""
        return {name: text for name, text in asdict(self).items() if text}

    @classmethod
    def read(cls, row: Mapping[str, str]) -> "SlackReply":
        """Read it from JSON, also as earlier versions wrote it."""
        names = {field.name for field in fields(cls)}
        return cls(
            **{name: text for name, text in row.items() if name in names}
        )
