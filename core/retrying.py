"""Try again after pauses that grow, with jitter.

stamina counts and sleeps; each caller says which errors are worth another try, and logs them.
"""

from collections.abc import Callable

import stamina
from stamina.instrumentation import set_on_retry_hooks

LONGEST_PAUSE = 60.0

# Its own log line holds the error's text, and with it perhaps a prompt or a token.
set_on_retry_hooks(())


def retrying(
    is_passing: Callable[[Exception], bool | float],
    *,
    first: float,
    longest: float = LONGEST_PAUSE,
    growth: float = 2,
    attempts: int | None = None,
) -> stamina.BoundAsyncRetryingCaller:
    """Return a caller of functions with their arguments; without ``attempts`` it tries for ever.

    ``is_passing`` says of an error whether to try again, or after how many seconds: the server's
    own delay takes precedence over our pauses.

    ``first``: seconds of the first pause, and the most jitter in each; every pause is ``growth``
    times the one before, up to ``longest``.
    """

    def is_worth_a_try(error: BaseException) -> bool | float:
        # stamina asks of a cancellation, too.
        return isinstance(error, Exception) and is_passing(error)

    caller = stamina.AsyncRetryingCaller(
        attempts=attempts,
        timeout=None,
        wait_initial=first,
        wait_max=longest,
        wait_jitter=first,
        wait_exp_base=growth,
    )
    return caller.on(is_worth_a_try)
