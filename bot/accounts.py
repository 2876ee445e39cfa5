"""The accounts of the service: which there are, where each is reached, and what speaks to it."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from bot.settings import Settings
from bot.simulator.account import SimulatorConfig
from core.catalog import Catalog
from core.errors import ConfigurationError
from core.ports import Blobs, Clock, Provider
from core.providers.dashscope.client import DashScope

SIMULATOR_KEY = "sk-simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where one account's service is reached. ``hosts`` its results may come from."""

    url: str
    key: str
    hosts: Sequence[str]


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


def is_simulated(settings: Settings) -> bool:
    """No key and no server of one's own: the simulator stands in."""
    return not settings.keys and not settings.dashscope_url


async def find_accounts(
    stack: AsyncExitStack, settings: Settings, catalog: Catalog, simulator: SimulatorConfig
) -> dict[str, Account]:
    """The account of each region that has a key, the chosen region first; or the simulator's."""
    for region in (settings.region, *settings.keys):
        if region not in catalog.regions:
            known = ", ".join(catalog.regions)
            raise ConfigurationError("config.region", setting="EASEL_REGION", value=region, known=known)
    if not is_simulated(settings):
        return accounts_of(settings, catalog)
    from bot.simulator.server import serve  # noqa: PLC0415  # a web server that most never need

    stood_in = await stack.enter_async_context(serve(simulator))
    return {settings.region: Account(url=stood_in.url, key=SIMULATOR_KEY, hosts=(stood_in.host,))}


def accounts_of(settings: Settings, catalog: Catalog) -> dict[str, Account]:
    """Raises ConfigurationError for a missing key or address."""
    if not settings.keys:
        raise ConfigurationError("config.key_missing", setting="DASHSCOPE_API_KEY")
    return {
        region: Account(url=_url(settings, catalog, region), key=key.get_secret_value(), hosts=settings.result_hosts)
        for region, key in settings.keys.items()
    }


def _url(settings: Settings, catalog: Catalog, region: str) -> str:
    if settings.dashscope_url and region == settings.region:
        return settings.dashscope_url.rstrip("/")
    if not catalog.regions[region].url:
        raise ConfigurationError("config.region_url", setting="EASEL_DASHSCOPE_URL", region=region)
    return catalog.regions[region].url


def http_client() -> httpx.AsyncClient:
    """The one client for the service and its results: no redirects, nothing from the environment, HTTP/1.1."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, http2=False)
