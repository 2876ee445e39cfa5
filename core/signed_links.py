"""Links that carry their own permission: signed, for one purpose, for a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from itsdangerous import BadSignature, URLSafeSerializer

from core.errors import Rejected

LONGEST = 4096


class Purpose(StrEnum):
    """What a link opens; a link for one purpose is worth nothing for another."""

    MASK = "mask"
    PICTURE = "picture"
    VIEW = "view"
    HISTORY = "history"
    COMPARE = "compare"


class Links:
    """Makes and reads links.

    ``keys``: the last signs, all of them are believed. ``base`` is "" without an address.
    """

    def __init__(self, keys: Sequence[str], base: str) -> None:
        self.base = base.rstrip("/")
        self._serializers = {
            purpose: URLSafeSerializer(list(keys), salt=f"easel.{purpose.value}")
            for purpose in Purpose
        }

    def token(
        self, purpose: Purpose, claims: Mapping[str, str | int], until: datetime
    ) -> str:
        """The signed claims, worth something ``until`` then."""
        signed = self._serializers[purpose].dumps(
            {**claims, "x": int(until.timestamp())}
        )
        return signed if isinstance(signed, str) else signed.decode()

    def path(
        self, purpose: Purpose, claims: Mapping[str, str | int], until: datetime
    ) -> str:
        """The link without a host, for pages of our own."""
        return f"/{purpose.value}/{self.token(purpose, claims, until)}"

    def url(
        self, purpose: Purpose, claims: Mapping[str, str | int], until: datetime
    ) -> str:
        """The whole link; "" when nobody outside could open it."""
        return self.base + self.path(purpose, claims, until) if self.base else ""

    def read(self, purpose: Purpose, token: str, now: datetime) -> dict[str, str]:
        """The claims as text.

        Raises Rejected: link.invalid for anything we did not sign, link.expired.
        """
        try:
            if len(token) > LONGEST:
                raise BadSignature("too long")
            claims = self._serializers[purpose].loads(token)
        except BadSignature:
            raise Rejected("link.invalid") from None
        if claims.pop("x") < now.timestamp():
            raise Rejected("link.expired")
        return {name: str(value) for name, value in claims.items()}
