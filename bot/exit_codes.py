"""What a process ends with, for supervisors and scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Zero when all went well, or when it was asked to stop."""

    OK = 0
    FAILED = 1
    USAGE = 2
    GIVEN_UP = 75
    """It gave up on something that may come back: start it again."""
    MISCONFIGURED = 78
    """Only a person can mend it, in the settings."""
