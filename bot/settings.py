"""Settings: each with its meaning, its default and an example, and what its value may be.

An error names the setting, never a secret value.
"""

import difflib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from bot import setting_sources
from core.budgets import MOST_WAITING, Caps, amount
from core.errors import ConfigurationError, Rejected
from core.languages import languages
from core.text import is_whole_number
from core.types import Money

TOKEN_PREFIXES = {
    "slack_bot_token": ("xoxb-", "xoxe.xoxb-"),
    "slack_app_token": ("xapp-",),
}
PREFIXES = ("EASEL_", "SLACK_", "DISCORD_", "DASHSCOPE_")
LOG_FORMATS = ("auto", "json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MOST_DAYS = 36_500
MAX_PORT = 65535
SHORTEST_KEY = 16
OF_BUCKET = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Secrets of the blob store, which reads them itself."""
PORT_DIGITS = 5
LONGEST_DRAIN = 8.0
"""Seconds. With the time it takes to stop they fit into the half minute that Kubernetes grants."""
LARGEST_POOL = 9
"""Beside its pool a process needs three connections: the inbox's, one that holds locks and listens,
and one to look after a dead worker. With them it has 12 at most."""


def _variable(field: FieldInfo, field_name: str) -> str:
    return str(field.validation_alias or field_name.upper())


def _from_variable(
    name: str,
    default: Any = None,
    *,
    meaning: str,
    example: str,
    secret: bool = False,
) -> Any:
    """Declare a setting. ``secret``: its value may hold a password, though it is no SecretStr."""
    return Field(
        default=default,
        validation_alias=name,
        description=meaning,
        examples=[example],
        json_schema_extra={"secret": secret},
    )


class Settings(BaseModel):
    """What the operator set. Secrets print as stars."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    dashscope_api_key: SecretStr | None = _from_variable(
        "DASHSCOPE_API_KEY",
        meaning="Key of the image service in EASEL_REGION; without one a simulator draws.",
        example="sk-…",
    )
    region: str = _from_variable(
        "EASEL_REGION",
        "beijing",
        meaning="Region of the image service; only Beijing has every model.",
        example="singapore",
    )
    dashscope_url: str | None = _from_variable(
        "EASEL_DASHSCOPE_URL",
        meaning="Another server with the service's API, up to and including /api/v1.",
        example="https://dashscope.example.com/api/v1",
    )
    database_url: str | None = _from_variable(
        "EASEL_DATABASE_URL",
        meaning="Database; without it SQLite in the data folder. PostgreSQL for several processes.",
        example="postgresql://easel:password@db:5432/easel",
        secret=True,
    )
    database_pool: int = _from_variable(
        "EASEL_DATABASE_POOL",
        5,
        meaning="Connections in one process's pool, 1 to 9; three more are needed beside it.",
        example="9",
    )
    drain_seconds: float = _from_variable(
        "EASEL_DRAIN_SECONDS",
        5.0,
        meaning="Seconds that one of several processes still answers Slack once it was told to"
        " stop, 0 to 8.",
        example="8",
    )
    database_direct_url: str | None = _from_variable(
        "EASEL_DATABASE_DIRECT_URL",
        meaning="The database itself, where EASEL_DATABASE_URL is a transaction-mode pooler.",
        example="postgresql://easel:password@db:5432/easel",
        secret=True,
    )
    data_dir: Path = _from_variable(
        "EASEL_DATA_DIR",
        Path("~/.local/share/easel"),
        meaning="Folder for the SQLite files, the pictures, and keys made at the first start.",
        example="/var/lib/easel",
    )
    blob_url: str | None = _from_variable(
        "EASEL_BLOB_URL",
        meaning="Where pictures lie, else the data folder; S3 takes the usual AWS_ variables.",
        example="s3://bucket/prefix",
    )
    keep_days: int = _from_variable(
        "EASEL_KEEP_DAYS",
        0,
        meaning="Days that pictures and prompts are kept; 0: until somebody deletes them.",
        example="365",
    )
    public_url: str | None = _from_variable(
        "EASEL_PUBLIC_URL",
        meaning="Address under which people reach the web server; links need it.",
        example="https://easel.example.com",
    )
    http_host: str = _from_variable(
        "EASEL_HTTP_HOST",
        "127.0.0.1",
        meaning="Address that the web server listens on.",
        example="0.0.0.0",  # noqa: S104
    )
    http_port: int = _from_variable(
        "EASEL_HTTP_PORT",
        8080,
        meaning="Port of the web server.",
        example="80",
    )
    metrics_port: int | None = _from_variable(
        "EASEL_METRICS_PORT",
        meaning="A port of its own for /metrics; without one only this machine may read them.",
        example="9090",
    )
    link_keys: SecretStr | None = _from_variable(
        "EASEL_LINK_KEYS",
        meaning="Keys that sign links, separated by commas, the last one signs; the same for all"
        " processes. Without them one is made in the data folder.",
        example="at-least-32-random-characters",
    )
    secret_key: SecretStr | None = _from_variable(
        "EASEL_SECRET_KEY",
        meaning="Keys that encrypt tokens and what answers an event, separated by commas, the last"
        " one encrypts; the same for all processes. Without them one is made in the data folder.",
        example="at-least-32-random-characters",
    )
    locale: str = _from_variable(
        "EASEL_LOCALE",
        "en",
        meaning="Language of those who have chosen none.",
        example="zh-CN",
    )
    log_format: str = _from_variable(
        "EASEL_LOG_FORMAT",
        "auto",
        meaning="json, console, or auto: console at a terminal.",
        example="json",
    )
    log_level: str = _from_variable(
        "EASEL_LOG_LEVEL",
        "info",
        meaning="debug, info, warning, error or critical.",
        example="debug",
    )
    result_hosts: tuple[str, ...] = _from_variable(
        "EASEL_RESULT_HOSTS",
        ("*.aliyuncs.com",),
        meaning="Hosts that results may be downloaded from, separated by commas.",
        example="*.aliyuncs.com,results.example.com",
    )
    budget_day: Money | None = _from_variable(
        "EASEL_BUDGET_DAY",
        meaning="The most that all workspaces together may spend a day.",
        example="100 CNY",
    )
    budget_month: Money | None = _from_variable(
        "EASEL_BUDGET_MONTH",
        meaning="The most that all workspaces together may spend a month.",
        example="2000 CNY",
    )
    most_waiting: int = _from_variable(
        "EASEL_MOST_WAITING",
        MOST_WAITING,
        meaning="Jobs that one person may have waiting.",
        example="5",
    )
    slack_bot_token: SecretStr | None = _from_variable(
        "SLACK_BOT_TOKEN",
        meaning="Slack: the Bot User OAuth Token of one workspace.",
        example="xoxb-…",
    )
    slack_app_token: SecretStr | None = _from_variable(
        "SLACK_APP_TOKEN",
        meaning="Slack in Socket Mode: the App-Level Token, with connections:write.",
        example="xapp-…",
    )
    slack_signing_secret: SecretStr | None = _from_variable(
        "SLACK_SIGNING_SECRET",
        meaning="Slack over HTTP, at /slack/events: the app's Signing Secret.",
        example="0123456789abcdef…",
    )
    slack_client_id: str | None = _from_variable(
        "SLACK_CLIENT_ID",
        meaning="Slack in many workspaces, which install at /slack/install.",
        example="1234567890.1234567890",
    )
    slack_client_secret: SecretStr | None = _from_variable(
        "SLACK_CLIENT_SECRET",
        meaning="Slack in many workspaces: the app's Client Secret.",
        example="0123456789abcdef…",
    )
    slack_api_url: str = _from_variable(
        "EASEL_SLACK_API_URL",
        "https://slack.com/api/",
        meaning="Another server with Slack's API.",
        example="https://slack.example.com/api/",
    )
    slack_file_hosts: tuple[str, ...] = _from_variable(
        "EASEL_SLACK_FILE_HOSTS",
        ("files.slack.com",),
        meaning="Hosts that the bot token may be sent to, for files.",
        example="files.slack.com,files.example.com",
    )
    discord_bot_token: SecretStr | None = _from_variable(
        "DISCORD_BOT_TOKEN",
        meaning="Discord: the bot's token.",
        example="MTIz…",
    )
    discord_api_url: str = _from_variable(
        "EASEL_DISCORD_API_URL",
        "https://discord.com/api/v10",
        meaning="Another server with Discord's API, up to and including /api/vN.",
        example="https://discord.example.com/api/v10",
    )
    discord_cdn_hosts: tuple[str, ...] = _from_variable(
        "EASEL_DISCORD_CDN_HOSTS",
        (
            "cdn.discordapp.com",
            "media.discordapp.net",
            # Pictures of other sites, as embeds show them.
            "images-ext-1.discordapp.net",
            "images-ext-2.discordapp.net",
        ),
        meaning="Hosts that attachments may be fetched from, separated by commas.",
        example="cdn.discordapp.com,cdn.example.com",
    )
    region_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Keys of further regions: a model goes to a region that has it.",
        examples=["sk-…"],
    )

    @field_validator(
        "result_hosts",
        "slack_file_hosts",
        "discord_cdn_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        hosts = [host.strip() for host in value.split(",")]
        return tuple(filter(None, hosts))

    @field_validator(
        "dashscope_api_key",
        "slack_bot_token",
        "slack_app_token",
        "slack_signing_secret",
        "slack_client_secret",
        "discord_bot_token",
        mode="after",
    )
    @classmethod
    def _check_token(
        cls,
        secret: SecretStr | None,
        validation_info: ValidationInfo,
    ) -> SecretStr | None:
        """Refuse a placeholder left standing, or a token in the wrong place, before it is sent."""
        if secret is None:
            return None
        token = secret.get_secret_value()
        prefixes = TOKEN_PREFIXES.get(validation_info.field_name or "", ("",))
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(_describe_prefixes(prefixes))
        if not token.startswith(prefixes):
            raise ValueError(_describe_prefixes(prefixes))
        return secret

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None:
            return None
        keys = secret.get_secret_value().split(",")
        if min(len(key.strip()) for key in keys) < SHORTEST_KEY:
            raise ValueError("openssl rand -hex 32")
        return secret

    @field_validator("budget_day", "budget_month", mode="before")
    @classmethod
    def _read_budget(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return amount(value)
        except Rejected:
            raise ValueError("12.50 / 5 USD") from None

    @field_validator("most_waiting", mode="before")
    @classmethod
    def _check_waiting(cls, value: Any) -> Any:
        text = str(value)
        if is_whole_number(text) and int(text[:9]) >= 1:
            return value
        raise ValueError("≥ 1")

    @field_validator("http_port", "metrics_port", mode="before")
    @classmethod
    def _check_port(cls, value: Any) -> Any:
        if value is None or _is_port(str(value)):
            return value
        raise ValueError(f"0–{MAX_PORT}")

    @field_validator("database_pool", mode="before")
    @classmethod
    def _check_pool(cls, value: Any) -> Any:
        sizes = range(1, LARGEST_POOL + 1)
        if str(value) in map(str, sizes):
            return value
        raise ValueError(f"1–{LARGEST_POOL}")

    @field_validator("keep_days", mode="before")
    @classmethod
    def _check_days(cls, value: Any) -> Any:
        text = str(value)
        if text.isascii() and text.isdigit() and int(text[:6]) <= MOST_DAYS:
            return value
        raise ValueError(f"0–{MOST_DAYS}")

    @field_validator("drain_seconds", mode="before")
    @classmethod
    def _check_drain(cls, value: Any) -> Any:
        with suppress(ValueError):
            if 0 <= float(value) <= LONGEST_DRAIN:
                return value
        raise ValueError(f"0–{LONGEST_DRAIN:g}")

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("locale")
    @classmethod
    def _check_locale(cls, value: str) -> str:
        return _require_one_of(value, languages())

    @field_validator("log_format")
    @classmethod
    def _check_format(cls, value: str) -> str:
        return _require_one_of(value, LOG_FORMATS)

    @field_validator("log_level")
    @classmethod
    def _check_level(cls, value: str) -> str:
        return _require_one_of(value.lower(), LOG_LEVELS)

    @property
    def keys(self) -> Mapping[str, SecretStr]:
        """The API key of each region that has one, the chosen region first."""
        if self.dashscope_api_key is None:
            return self.region_keys
        chosen = {self.region: self.dashscope_api_key}
        return {**chosen, **self.region_keys, **chosen}

    @property
    def caps(self) -> Caps:
        """What the operator allows all workspaces together, and each person."""
        return Caps(
            operator_day=self.budget_day,
            operator_month=self.budget_month,
            waiting=self.most_waiting,
        )

    @property
    def has_slack(self) -> bool:
        """Whether any of Slack's settings is there."""
        secrets = (
            self.slack_bot_token,
            self.slack_app_token,
            self.slack_signing_secret,
        )
        return any(secrets) or bool(self.slack_client_id)

    @property
    def has_discord(self) -> bool:
        """Whether Discord's token is there."""
        return self.discord_bot_token is not None

    @property
    def database(self) -> str:
        """The database's address: in the data folder, unless set."""
        return self.database_url or f"sqlite:///{self.data_dir / 'easel.db'}"

    @property
    def direct_database(self) -> str:
        """The database without a pooler before it: a session lasts as long as we need it."""
        return self.database_direct_url or self.database

    @property
    def blobs(self) -> str:
        """The blob store's address: in the data folder, unless set."""
        return self.blob_url or (self.data_dir / "blobs").as_uri()


def _is_port(text: str) -> bool:
    # Five digits: an endless number is not worth counting.
    if not is_whole_number(text) or len(text) > PORT_DIGITS:
        return False
    return int(text) <= MAX_PORT


def _describe_prefixes(prefixes: tuple[str, ...]) -> str:
    if prefixes == ("",):
        return "ASCII"
    return f"{' / '.join(prefixes)}…"


def _require_one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(", ".join(allowed))
    return value


def load(**overrides: Any) -> Settings:
    """Read the settings. ``overrides``, by variable name, come from command-line options.

    Raises ConfigurationError naming the setting, never its value when it is a secret.
    """
    variables = {**setting_sources.read(_variables()), **overrides}
    try:
        return Settings.model_validate(
            {**variables, "region_keys": setting_sources.region_keys()}
        )
    except ValidationError as error:
        mistake = error.errors()[0]
        location = mistake["loc"]
        setting = str(location[0]) if location else "?"
        context = mistake.get("ctx", {})
        reason = str(context.get("error", mistake["msg"]))
        raise ConfigurationError(
            "config.value",
            setting=setting,
            allowed=reason,
        ) from None


def declared() -> dict[str, FieldInfo]:
    """Every setting by the name of its variable."""
    return {
        _variable(field, name): field
        for name, field in Settings.model_fields.items()
    }


def _variables() -> list[str]:
    return list(declared())


def unknown_variables() -> list[tuple[str, str]]:
    """Each variable named like a setting that is none, with the nearest name that is one."""
    names = _variables()
    names += [f"{name}_FILE" for name in names]
    unknown: list[tuple[str, str]] = []
    for name in sorted({*setting_sources.read_dotenv(), *os.environ}):
        is_ours = name.startswith(PREFIXES)
        is_region_key = name.startswith(setting_sources.REGION_KEY)
        if is_ours and not is_region_key and name not in names:
            nearest = difflib.get_close_matches(name, names, n=1, cutoff=0)[0]
            unknown.append((name, nearest))
    return unknown


def secrets(settings: Settings) -> list[str]:
    """Every secret that is set, for the log's redaction."""
    candidates = (
        *settings.keys.values(),
        settings.discord_bot_token,
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        settings.slack_client_secret,
    )
    texts = [
        secret.get_secret_value()
        for secret in candidates
        if secret is not None
    ]
    for keys in (settings.link_keys, settings.secret_key):
        if keys is not None:
            # Each of them alone is a key: a log line may hold one.
            texts += keys.get_secret_value().split(",")
    for url in (settings.database_url, settings.database_direct_url):
        texts += _passwords_in(url or "")
    texts += [os.environ.get(name, "") for name in OF_BUCKET]
    return list(filter(None, texts))


def _passwords_in(url: str) -> list[str]:
    """The password of an address, as it stands there and as it is."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return []
    return [password, unquote(password)] if password else []
