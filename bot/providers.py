"""What speaks to each account of the service; without a key, to a simulator."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

import httpx

from bot.accounts import Account, accounts_of, check, is_simulated
from bot.settings import Settings
from bot.simulator.tasks import SimulatorConfig
from core.catalog import Catalog
from core.ports import Blobs, Clock, Provider
from core.providers.dashscope.client import DashScope

SIMULATOR_KEY = "sk-simulator"


async def open_providers(
    stack: AsyncExitStack,
    settings: Settings,
    catalog: Catalog,
    simulator: SimulatorConfig,
    blobs: Blobs,
    clock: Clock,
) -> Mapping[str, Provider]:
    """What speaks to each account, by its name. Raises ConfigurationError naming the setting."""
    accounts = await find_accounts(stack, settings, catalog, simulator)
    client = await stack.enter_async_context(http_client())
    providers: dict[str, Provider] = {}
    for name, account in accounts.items():
        provider = DashScope(
            client=client,
            base_url=account.url,
            api_key=account.key,
            catalog=catalog,
            read=blobs.read,
            result_hosts=account.hosts,
            clock=clock,
        )
        stack.push_async_callback(provider.close)
        providers[name] = provider
    return providers


async def find_accounts(
    stack: AsyncExitStack,
    settings: Settings,
    catalog: Catalog,
    simulator: SimulatorConfig,
) -> dict[str, Account]:
    """The account of each region that has a key, the chosen region first; or the simulator's."""
    check(settings, catalog)
    if not is_simulated(settings):
        return accounts_of(settings, catalog)
    from bot.simulator.server import serve  # noqa: PLC0415  # a web server that most never need

    stood_in = await stack.enter_async_context(serve(simulator))
    return {
        settings.region: Account(
            url=stood_in.url, key=SIMULATOR_KEY, hosts=(stood_in.host,)
        )
    }


def http_client() -> httpx.AsyncClient:
    """The one client for the service and its results.

    No redirects, nothing from the environment, HTTP/1.1.
    """
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, http2=False)
