"""Every error Easel raises on purpose, arranged by what its reader can do about it.

EaselError ├── Rejected            the person can put it right; nothing was queued or billed ├──
NotFound            no such step, picture or job in this workspace (or not theirs: same words) ├──
ProviderError │   ├── Retryable       the service certainly did not take it: the same again, later │
├── Uncertain       the service may have taken (and billed) it: look before repeating │   ├──
Refused         the service says no to this very request │   └── Misconfigured   only the operator
can put it right: key, arrears, access, a catalogue mistake ├── DeliveryError       the platform
would not take or give something └── ConfigurationError  a setting is missing or wrong; names the
setting and the remedy

Each carries the key of a message in core/locales and the values for its placeholders, so that no
sentence lives in code.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Charged(StrEnum):
    """What is known of the money of a job."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


class EaselError(Exception):
    """Base of all.

    ``key`` of the message, ``params`` for its placeholders, ``charged`` what is known of its money.
    """

    def __init__(
        self, key: str, /, *, charged: str = Charged.NO, **params: Any
    ) -> None:
        super().__init__(key)
        self.key = key
        self.params: Mapping[str, object] = params
        self.charged = Charged(charged)

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.key}({values})"


class Rejected(EaselError):
    """The person can put it right; nothing was queued or billed."""


class NotFound(EaselError):
    """No such thing here, or not theirs: both read the same."""


class ProviderError(EaselError):
    """The image service failed us.

    ``code`` and ``request_id`` are the vendor's own, for the log and Info.
    """

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
    """Certainly not accepted: safe to send again after ``retry_after`` seconds (None.

    Our own back-off).
    """

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


class Uncertain(ProviderError):
    """It may have been accepted and billed: list the account's tasks before sending again."""


class Refused(ProviderError):
    """The service says no to this very request: moderation, parameters, an unreadable picture."""


class Misconfigured(ProviderError):
    """Only the operator can put it right.

    Key, arrears, access to a model, a mistake in the catalogue.
    """


class DeliveryError(EaselError):
    """A platform would not take our post or give us a file.

    ``permanent``: trying again is useless.
    """

    def __init__(self, key: str, /, *, permanent: bool = False, **params: Any) -> None:
        super().__init__(key, **params)
        self.permanent = permanent


class ConfigurationError(EaselError):
    """A setting is missing or wrong: one line names it and says what to do. Exit code 78."""
