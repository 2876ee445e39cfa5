"""The vendor's no: an HTTP status, a code, and words."""


class Refusal(Exception):
    """The vendor's answer to a bad request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """The vendor's usual refusal."""
    return Refusal(400, "InvalidParameter", message)


def invalid_field(name: str) -> Refusal:
    """A field is missing, or of the wrong type."""
    return invalid(
        f"Required parameter({name}) missing or invalid, "
        "please check the request parameters."
    )
