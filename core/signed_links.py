"""Signed links: each opens one thing, for one purpose, for some time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from itsdangerous import BadSignature, URLSafeSerializer

from core.errors import Rejected

Claims = Mapping[str, str | int]
"""What a link says."""

MAX_LENGTH = 4096


class Purpose(StrEnum):
    """What a link opens. A link for one purpose is not valid for another."""

    MASK = "mask"
    PICTURE = "picture"
    VIEW = "view"
    HISTORY = "history"
    COMPARE = "compare"
    EXPORT = "export"


class Links:
    """Makes and reads links.

    ``keys``: the last one signs, all of them verify. ``base``: our public address, "" without one.
    """

    def __init__(self, keys: Sequence[str], base: str) -> None:
        self.base = base.rstrip("/")
        self._serializers = {
            purpose: URLSafeSerializer(
                list(keys), salt=f"easel.{purpose.value}"
            )
            for purpose in Purpose
        }

    def token(
        self,
        purpose: Purpose,
        claims: Claims,
        until: datetime,
    ) -> str:
        """The signed claims, valid ``until`` then."""
        expiring = {**claims, "x": int(until.timestamp())}
        signed = self._serializers[purpose].dumps(expiring)
        return signed if isinstance(signed, str) else signed.decode()

    def path(
        self,
        purpose: Purpose,
        claims: Claims,
        until: datetime,
    ) -> str:
        """The link without a host, for our own pages."""
        token = self.token(purpose, claims, until)
        return f"/{purpose.value}/{token}"

    def url(
        self,
        purpose: Purpose,
        claims: Claims,
        until: datetime,
    ) -> str:
        """The whole link, "" without a public address."""
        if not self.base:
            return ""
        return self.base + self.path(purpose, claims, until)

    def read(
        self,
        purpose: Purpose,
        token: str,
        now: datetime,
    ) -> dict[str, str]:
        """Verify a token and return its claims as text.

        Raises Rejected: link.invalid for anything we did not sign, link.expired.
        """
        try:
            if len(token) > MAX_LENGTH:
                raise BadSignature("too long")
            claims = self._serializers[purpose].loads(token)
        except BadSignature:
            raise Rejected("link.invalid") from None
        if claims.pop("x") < now.timestamp():
            raise Rejected("link.expired")
        return {name: str(claim) for name, claim in claims.items()}
