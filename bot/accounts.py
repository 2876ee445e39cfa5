"""DashScope's accounts from the settings: which exist, and where each is reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.settings import Settings
from core.catalog import Catalog
from core.errors import ConfigurationError

DASHSCOPE = "dashscope"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAccess:
    """How one account is reached. ``hosts`` its results may come from."""

    url: str
    key: str
    hosts: Sequence[str]


def is_simulated(settings: Settings) -> bool:
    """Does the simulator stand in? It does without a key and without a server to ask."""
    return not settings.keys and not settings.dashscope_url


def check(settings: Settings, catalog: Catalog) -> None:
    """Raises ConfigurationError for an unknown region, a missing key or address."""
    regions = [
        region.name
        for region in catalog.regions.values()
        if region.provider == DASHSCOPE
    ]
    for region in (settings.region, *settings.keys):
        if region not in regions:
            raise ConfigurationError(
                "config.region",
                setting="EASEL_REGION",
                value=region,
                known=", ".join(regions),
            )
    if not is_simulated(settings):
        accounts_of(settings, catalog)


def accounts_of(
    settings: Settings,
    catalog: Catalog,
) -> dict[str, AccountAccess]:
    """By region, the chosen one first.

    Raises ConfigurationError for a missing key or address.
    """
    if not settings.keys:
        raise ConfigurationError(
            "config.key_missing", setting="DASHSCOPE_API_KEY"
        )
    return {
        region: AccountAccess(
            url=_url(settings, catalog, region),
            key=key.get_secret_value(),
            hosts=settings.result_hosts,
        )
        for region, key in settings.keys.items()
    }


def _url(settings: Settings, catalog: Catalog, region: str) -> str:
    if settings.dashscope_url and region == settings.region:
        return settings.dashscope_url.rstrip("/")
    if not catalog.regions[region].url:
        raise ConfigurationError(
            "config.region_url",
            setting="EASEL_DASHSCOPE_URL",
            region=region,
        )
    return catalog.regions[region].url
