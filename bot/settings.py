"""Settings: from the environment, from ``.env``, or ``NAME_FILE`` for a secret in a file.

An error names the setting, never a secret value.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
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

from core.budgets import MOST_WAITING, Caps, amount
from core.errors import ConfigurationError, Rejected
from core.languages import languages
from core.text import is_whole_number
from core.types import Money

TOKEN_PREFIXES = {
    "slack_bot_token": ("xoxb-", "xoxe.xoxb-"),
    "slack_app_token": ("xapp-",),
}
LOG_FORMATS = ("auto", "json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
REGION_KEY = "DASHSCOPE_API_KEY_"
MAX_PORT = 65535
PORT_DIGITS = 5
LARGEST_POOL = 9
"""Beside its pool a process needs three connections: the inbox's, one that holds locks and listens,
and one to look after a dead worker. With them it has 12 at most."""


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", setting=name) from None


def _variable(field: FieldInfo, field_name: str) -> str:
    return str(field.validation_alias or field_name.upper())


def _from_variable(name: str, default: Any = None) -> Any:
    return Field(default=default, validation_alias=name)


class Settings(BaseModel):
    """What the operator set. Secrets print as stars."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    dashscope_api_key: SecretStr | None = _from_variable("DASHSCOPE_API_KEY")
    region: str = _from_variable("EASEL_REGION", "beijing")
    dashscope_url: str | None = _from_variable("EASEL_DASHSCOPE_URL")
    database_url: str | None = _from_variable("EASEL_DATABASE_URL")
    database_pool: int = _from_variable("EASEL_DATABASE_POOL", 5)
    database_direct_url: str | None = _from_variable(
        "EASEL_DATABASE_DIRECT_URL"
    )
    data_dir: Path = _from_variable(
        "EASEL_DATA_DIR", Path("~/.local/share/easel")
    )
    blob_url: str | None = _from_variable("EASEL_BLOB_URL")
    public_url: str | None = _from_variable("EASEL_PUBLIC_URL")
    http_host: str = _from_variable("EASEL_HTTP_HOST", "127.0.0.1")
    http_port: int = _from_variable("EASEL_HTTP_PORT", 8080)
    metrics_port: int | None = _from_variable("EASEL_METRICS_PORT")
    link_keys: SecretStr | None = _from_variable("EASEL_LINK_KEYS")
    locale: str = _from_variable("EASEL_LOCALE", "en")
    log_format: str = _from_variable("EASEL_LOG_FORMAT", "auto")
    log_level: str = _from_variable("EASEL_LOG_LEVEL", "info")
    result_hosts: tuple[str, ...] = _from_variable(
        "EASEL_RESULT_HOSTS", ("*.aliyuncs.com",)
    )
    budget_day: Money | None = _from_variable("EASEL_BUDGET_DAY")
    budget_month: Money | None = _from_variable("EASEL_BUDGET_MONTH")
    most_waiting: int = _from_variable("EASEL_MOST_WAITING", MOST_WAITING)
    slack_bot_token: SecretStr | None = _from_variable("SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = _from_variable("SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = _from_variable(
        "SLACK_SIGNING_SECRET"
    )
    slack_client_id: str | None = _from_variable("SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = _from_variable(
        "SLACK_CLIENT_SECRET"
    )
    slack_api_url: str = _from_variable(
        "EASEL_SLACK_API_URL", "https://slack.com/api/"
    )
    slack_file_hosts: tuple[str, ...] = _from_variable(
        "EASEL_SLACK_FILE_HOSTS", ("files.slack.com",)
    )
    discord_bot_token: SecretStr | None = _from_variable("DISCORD_BOT_TOKEN")
    discord_api_url: str = _from_variable(
        "EASEL_DISCORD_API_URL", "https://discord.com/api/v10"
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
    )
    region_keys: dict[str, SecretStr] = Field(default_factory=dict)

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
    # What is nearer to the person wins: the command line, the environment, files.
    variables = {
        **_read_dotenv(),
        **_read_secret_files(),
        **_read_environment(),
        **overrides,
    }
    try:
        return Settings.model_validate(
            {**variables, "region_keys": _region_keys()}
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


def _read_dotenv() -> dict[str, str]:
    return {name: text for name, text in dotenv_values(".env").items() if text}


def _read_environment() -> dict[str, str]:
    # Blank is not set: a compose file passes on variables that nobody filled in.
    return {name: text for name, text in os.environ.items() if text}


def _read_secret_files() -> dict[str, str]:
    """Read each file a ``NAME_FILE`` points at: its content is NAME, as container images do it."""
    secrets: dict[str, str] = {}
    variables = {**_read_dotenv(), **_read_environment()}
    for name in _variables():
        path = variables.get(f"{name}_FILE")
        if path is not None:
            secrets[name] = _read_file(f"{name}_FILE", path)
    return secrets


def _region_keys() -> dict[str, SecretStr]:
    """``DASHSCOPE_API_KEY_SINGAPORE`` and so on, or their ``_FILE``."""
    keys: dict[str, SecretStr] = {}
    for name, text in {**_read_dotenv(), **_read_environment()}.items():
        region = name.removeprefix(REGION_KEY)
        # DASHSCOPE_API_KEY_FILE is the chosen region's key, not one of a region "file".
        if region in {name, "FILE"}:
            continue
        secret = _read_file(name, text) if region.endswith("_FILE") else text
        keys[region.removesuffix("_FILE").lower()] = SecretStr(secret)
    return keys


def _variables() -> list[str]:
    """The name of every variable that is a setting."""
    return [
        _variable(field, name) for name, field in Settings.model_fields.items()
    ]


def unknown_variables() -> list[tuple[str, str]]:
    """Each ``EASEL_*`` variable that is no setting, with the nearest name that is one."""
    names = _variables()
    names += [f"{name}_FILE" for name in names]
    unknown: list[tuple[str, str]] = []
    for name in sorted({*_read_dotenv(), *os.environ}):
        if name.startswith("EASEL_") and name not in names:
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
    if settings.link_keys is not None:
        # Each key alone signs: a log line may hold one of them.
        texts += settings.link_keys.get_secret_value().split(",")
    return texts
