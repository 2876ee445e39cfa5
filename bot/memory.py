"""Garbage collection once the bot is ready: full collections stop everything."""

import gc

THRESHOLD = 20_000
"""New objects before the youngest are examined. A request makes thousands that free themselves."""


def tune_garbage_collection() -> None:
    """Exempt everything made during start-up from later collections.

    It lives as long as the process. Examining it takes a tenth of a second each time, in which no
    delivery is acknowledged.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD, 10, 10)
