"""A Slack on loopback to try things by hand: ``python -m tests.fakes.slack``.

Prints the settings that lead to it.
"""

import asyncio

from tests.fakes.slack.driver import slack


async def main() -> None:
    async with slack() as fake:
        for name, setting in fake.settings(socket=True).items():
            print(f"export {name}={setting}")  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
