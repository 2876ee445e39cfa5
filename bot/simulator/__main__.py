"""``python -m bot.simulator``: the simulator as a separate process.

Prints its address when ready.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping

from bot.simulator.server import SimulatorConfig, serve


def run(
    *,
    port: int,
    time_scale: float,
    key: str,
    overflow: str,
    seed: int | None,
    strict: bool,
    like: Mapping[str, str] | None = None,
) -> int:
    """Serve until interrupted. Exit code 0, or 1 when the port is taken."""
    config = SimulatorConfig(
        api_key=key,
        time_scale=time_scale,
        overflow=overflow,
        seed=seed,
        rate_limits=strict,
        like=like or {},
    )
    try:
        asyncio.run(_serve(config, port))
    except OSError as error:
        sys.stderr.write(f"easel simulate: port {port}: {error.strerror}\n")
        return 1
    return 0


async def _serve(config: SimulatorConfig, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(config, port=port) as running:
        sys.stdout.write(running.url + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bot.simulator",
        description=__doc__,
    )
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--key", default="sk-simulator")
    parser.add_argument(
        "--overflow",
        choices=["queue", "refuse"],
        default="queue",
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lenient", dest="strict", action="store_false")
    sys.exit(run(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
