"""A Discord on loopback to try things by hand: ``python -m tests.fakes.discord``.

Prints the settings for it.
"""

import asyncio

from tests.fakes.discord.driver import discord


async def main() -> None:
    async with discord() as fake:
        for name, setting in fake.settings().items():
            print(f"export {name}={setting}")  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
