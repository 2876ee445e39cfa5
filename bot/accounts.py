"""The accounts of the service: which there are, and where each is reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.settings import Settings
from core.catalog import Catalog
from core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where one account's service is reached. ``hosts`` its results may come from."""

    url: str
    key: str
    hosts: Sequence[str]


def is_simulated(settings: Settings) -> bool:
    """No key and no server of one's own: the simulator stands in."""
    return not settings.keys and not settings.dashscope_url


def check(settings: Settings, catalog: Catalog) -> None:
    """Raises ConfigurationError for an unknown region, a missing key or address."""
    for region in (settings.region, *settings.keys):
        if region not in catalog.regions:
            known = ", ".join(catalog.regions)
            raise ConfigurationError(
                "config.region", setting="EASEL_REGION", value=region, known=known
            )
    if not is_simulated(settings):
        accounts_of(settings, catalog)


def accounts_of(settings: Settings, catalog: Catalog) -> dict[str, Account]:
    """Raises ConfigurationError for a missing key or address."""
    if not settings.keys:
        raise ConfigurationError("config.key_missing", setting="DASHSCOPE_API_KEY")
    return {
        region: Account(
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
            "config.region_url", setting="EASEL_DASHSCOPE_URL", region=region
        )
    return catalog.regions[region].url
