"""Every error Easel raises on purpose, arranged by what its reader can do about it.

EaselError
├── Rejected            the person can put it right; nothing was queued or billed
├── NotFound            no such thing in this workspace, or not theirs: both read the same
├── ProviderError       the image service failed
│   ├── Retryable       it certainly did not take the work: send it again later
│   │   └── Unlisted    as far as its list says, which may lag: look once more before that
│   ├── Uncertain       it may have taken (and billed) the work: look before sending again
│   ├── Refused         it says no to this very request
│   └── Misconfigured   only the operator can put it right: key, arrears, access, catalogue
├── DeliveryError       the platform would not take or give something
└── ConfigurationError  a setting is missing or wrong
    └── Unavailable     what it names cannot be used now

Each carries the key of a message in a locale file and the values for its placeholders, so that no
sentence is in code.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Charged(StrEnum):
    """Was a job charged, as far as is known?"""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


class EaselError(Exception):
    """The base of all. ``key`` of the message, ``params`` for its placeholders."""

    def __init__(
        self,
        key: str,
        /,
        *,
        charged: str = Charged.NO,
        **params: Any,
    ) -> None:
        super().__init__(key)
        self.key = key
        self.params: Mapping[str, object] = params
        self.charged = Charged(charged)

    def __str__(self) -> str:
        values = ", ".join(
            f"{name}={value!r}" for name, value in self.params.items()
        )
        return f"{self.key}({values})"


class Rejected(EaselError):
    """The person can put it right. Nothing was queued or billed."""


class NotFound(EaselError):
    """There is no such thing in this workspace, or it is not the person's."""


class ProviderError(EaselError):
    """The image service failed. ``code`` and ``request_id`` are the vendor's own."""

    def __init__(
        self,
        key: str,
        /,
        *,
        charged: str = Charged.NO,
        code: str = "",
        request_id: str = "",
        **params: Any,
    ) -> None:
        super().__init__(key, charged=charged, **params)
        self.code = code
        self.request_id = request_id


class Retryable(ProviderError):
    """Certainly not accepted: send it again, after ``retry_after`` seconds if that is not None."""

    def __init__(
        self,
        key: str,
        /,
        *,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        **params: Any,
    ) -> None:
        super().__init__(key, code=code, request_id=request_id, **params)
        self.retry_after = retry_after


class Unlisted(Retryable):
    """Not in the service's list, which may lag: look once more before sending it again."""


class Uncertain(ProviderError):
    """Perhaps accepted and billed: list the account's tasks before sending it again."""


class Refused(ProviderError):
    """A no to this very request: moderation, parameters, an unreadable picture."""


class Misconfigured(ProviderError):
    """Only the operator can put it right: key, arrears, access, a mistake in the catalogue."""


class DeliveryError(EaselError):
    """A platform would not take a post or give a file. ``permanent``: trying again is useless."""

    def __init__(
        self,
        key: str,
        /,
        *,
        permanent: bool = False,
        **params: Any,
    ) -> None:
        super().__init__(key, **params)
        self.permanent = permanent


class ConfigurationError(EaselError):
    """A setting is missing or wrong: a line names it and says what to do. Exit code 78."""


class Unavailable(ConfigurationError):
    """What a setting names cannot be used now, and may come back by itself. Exit code 75."""
