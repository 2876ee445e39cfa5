"""The providers that are built in, and a client for each account at them.

DashScope without a key is the simulator.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.accounts import (
    DASHSCOPE,
    AccountAccess,
    accounts_of,
    check,
    is_simulated,
)
from bot.settings import Settings
from core.catalog import Catalog
from core.ports import Blobs, Clock, Provider
from core.providers.dashscope import catalog_text
from core.types import Account

if TYPE_CHECKING:
    import httpx

    from bot.simulator.tasks import SimulatorConfig

SIMULATOR_KEY = "sk-simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a provider may need to be opened. ``simulator``: how DashScope's stand-in behaves.

    ``shared_turn``: whose turn it is to ask, where several processes share an account.
    """

    settings: Settings
    catalog: Catalog
    simulator: "SimulatorConfig"
    blobs: Blobs
    clock: Clock
    shared_turn: Callable[[str], Awaitable[float]] | None = None


OpenProvider = Callable[
    [AsyncExitStack, Surroundings], Awaitable[list[Provider]]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """A provider as the program is built with it.

    ``catalog``: its models and regions as TOML. ``open`` gives a client for each of its
    accounts, the preferred one first, none when it has no key; it raises ConfigurationError naming
    the setting that is wrong.
    """

    catalog: Callable[[], str]
    open: OpenProvider


async def open_dashscope(
    stack: AsyncExitStack,
    surroundings: Surroundings,
) -> list[Provider]:
    """An account in each region that has a key, the chosen region first; or the simulator's."""
    # A command that needs no engine reads the catalogue here, and loads no client.
    from core.providers.dashscope.client import DashScope  # noqa: PLC0415

    accesses = await _find_accesses(stack, surroundings)
    client = await stack.enter_async_context(http_client())
    providers: list[Provider] = []
    for region, access in accesses.items():
        provider = DashScope(
            # Stored steps name an account by its region: there is one key in each.
            account=Account(name=region, provider=DASHSCOPE, region=region),
            client=client,
            base_url=access.url,
            api_key=access.key,
            catalog=surroundings.catalog,
            read=surroundings.blobs.read,
            result_hosts=access.hosts,
            clock=surroundings.clock,
            shared_turn=surroundings.shared_turn,
        )
        stack.push_async_callback(provider.close)
        providers.append(provider)
    return providers


PROVIDERS: Mapping[str, ProviderKind] = {
    DASHSCOPE: ProviderKind(catalog=catalog_text, open=open_dashscope)
}
"""The providers, by the id that a model's table names."""


def load_catalog(providers: Mapping[str, ProviderKind] = PROVIDERS) -> Catalog:
    """The models and regions of all providers."""
    return Catalog.load(*(kind.catalog() for kind in providers.values()))


def likenesses(catalog: Catalog) -> dict[str, str]:
    """Which model each is like, so that the simulator can serve those it has never heard of."""
    return {
        model.id: model.like for model in catalog.models.values() if model.like
    }


async def open_providers(
    stack: AsyncExitStack,
    providers: Mapping[str, ProviderKind],
    surroundings: Surroundings,
) -> Mapping[str, Provider]:
    """A client for each account, by its name. Raises ConfigurationError naming the setting."""
    opened: dict[str, Provider] = {}
    for kind in providers.values():
        for provider in await kind.open(stack, surroundings):
            opened[provider.account.name] = provider
    return opened


async def _find_accesses(
    stack: AsyncExitStack,
    surroundings: Surroundings,
) -> dict[str, AccountAccess]:
    settings = surroundings.settings
    catalog = surroundings.catalog
    check(settings, catalog)
    if not is_simulated(settings):
        return accounts_of(settings, catalog)
    from bot.simulator.server import serve  # noqa: PLC0415  # a web server that most never need

    config = replace(surroundings.simulator, like=likenesses(catalog))
    stand_in = await stack.enter_async_context(serve(config))
    access = AccountAccess(
        url=stand_in.url,
        key=SIMULATOR_KEY,
        hosts=(stand_in.host,),
    )
    return {settings.region: access}


def http_client() -> "httpx.AsyncClient":
    """The one client for the service and its results.

    No redirects, HTTP/1.1; proxies and certificates as ``bot/egress.py`` says.
    """
    import httpx  # noqa: PLC0415

    return httpx.AsyncClient(follow_redirects=False, http2=False)
