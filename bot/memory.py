"""How Python's memory is managed once the bot is ready.

Full garbage collections stop everything that waits.
"""

import gc

THRESHOLD = 20_000
"""New objects before the youngest are looked through: a request makes thousands that go again by
themselves."""


def tune_garbage_collection() -> None:
    """Leave what was made while starting out of all later collections.

    It lives as long as the process does.

    Looking through it takes a tenth of a second, again and again, in which nobody is acknowledged.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD, 10, 10)
