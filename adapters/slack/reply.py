"""What Slack needs to answer an event: kept with it, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackReply:
    """``trigger`` opens a modal, once, for three seconds.

    ``response_url`` takes a few private words. ``ts`` is the message that was said.
    """

    trigger: str = ""
    response_url: str = ""
    ts: str = ""

    def to_json(self) -> dict[str, str]:
        """Only what is there."""
        return {name: text for name, text in asdict(self).items() if text}

    @classmethod
    def read(cls, row: Mapping[str, str]) -> "SlackReply":
        """From JSON, also as earlier versions wrote it."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: text for name, text in row.items() if name in names})
