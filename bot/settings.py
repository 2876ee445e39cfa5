"""Settings: environment, ``.env``, or ``NAME_FILE`` for a secret in a file.

Mistakes name the setting.
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

from core.errors import ConfigurationError
from core.languages import languages

BEGINS = {"slack_bot_token": ("xoxb-", "xoxe.xoxb-"), "slack_app_token": ("xapp-",)}
"""What a token begins with, where that is known."""
REGION_KEY = "DASHSCOPE_API_KEY_"


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", setting=name) from None


def _variable(field: FieldInfo, field_name: str) -> str:
    return str(field.validation_alias or field_name.upper())


def _named(name: str, default: Any = None) -> Any:
    return Field(default=default, validation_alias=name)


class Settings(BaseModel):
    """What the operator set. Secrets print as stars."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    dashscope_api_key: SecretStr | None = _named("DASHSCOPE_API_KEY")
    region: str = _named("EASEL_REGION", "beijing")
    dashscope_url: str | None = _named("EASEL_DASHSCOPE_URL")
    database_url: str | None = _named("EASEL_DATABASE_URL")
    data_dir: Path = _named("EASEL_DATA_DIR", Path("~/.local/share/easel"))
    blob_url: str | None = _named("EASEL_BLOB_URL")
    public_url: str | None = _named("EASEL_PUBLIC_URL")
    http_host: str = _named("EASEL_HTTP_HOST", "127.0.0.1")
    http_port: int = Field(
        default=8080, validation_alias="EASEL_HTTP_PORT", ge=0, le=65535
    )
    metrics_port: int | None = Field(
        default=None, validation_alias="EASEL_METRICS_PORT", ge=0, le=65535
    )
    link_keys: SecretStr | None = _named("EASEL_LINK_KEYS")
    locale: str = _named("EASEL_LOCALE", "en")
    log_format: str = _named("EASEL_LOG_FORMAT", "auto")
    log_level: str = _named("EASEL_LOG_LEVEL", "info")
    result_hosts: tuple[str, ...] = _named("EASEL_RESULT_HOSTS", ("*.aliyuncs.com",))
    slack_bot_token: SecretStr | None = _named("SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = _named("SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = _named("SLACK_SIGNING_SECRET")
    slack_client_id: str | None = _named("SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = _named("SLACK_CLIENT_SECRET")
    slack_api_url: str = _named("EASEL_SLACK_API_URL", "https://slack.com/api/")
    slack_file_hosts: tuple[str, ...] = _named(
        "EASEL_SLACK_FILE_HOSTS", ("files.slack.com",)
    )
    discord_bot_token: SecretStr | None = _named("DISCORD_BOT_TOKEN")
    discord_api_url: str = _named(
        "EASEL_DISCORD_API_URL", "https://discord.com/api/v10"
    )
    discord_cdn_hosts: tuple[str, ...] = _named(
        "EASEL_DISCORD_CDN_HOSTS", ("cdn.discordapp.com", "media.discordapp.net")
    )
    region_keys: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator(
        "result_hosts", "slack_file_hosts", "discord_cdn_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(filter(None, (one.strip() for one in value.split(","))))
            if isinstance(value, str)
            else value
        )

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
    def _copied_whole(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        """A placeholder left standing, or a token in the wrong place, is told before anybody is asked with it."""
        if value is None:
            return None
        text = value.get_secret_value()
        begins = BEGINS.get(info.field_name or "", ("",))
        if (
            not text.isascii()
            or not text.isprintable()
            or " " in text
            or not text.startswith(begins)
        ):
            raise ValueError(f"{' / '.join(begins)}…".lstrip("…") or "ASCII")
        return value

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        return _one_of(value, languages())

    @field_validator("log_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        return _one_of(value, ("auto", "json", "console"))

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        return _one_of(value.lower(), ("debug", "info", "warning", "error", "critical"))

    @property
    def keys(self) -> Mapping[str, SecretStr]:
        """The API key of each region that has one, the chosen region first."""
        first = {self.region: self.dashscope_api_key} if self.dashscope_api_key else {}
        return {
            **first,
            **{
                name: key for name, key in self.region_keys.items() if name not in first
            },
        }

    @property
    def has_slack(self) -> bool:
        """Is anything of Slack set?"""
        return any(
            (
                self.slack_bot_token,
                self.slack_app_token,
                self.slack_signing_secret,
                self.slack_client_id,
            )
        )

    @property
    def has_discord(self) -> bool:
        """Is Discord set?"""
        return self.discord_bot_token is not None

    @property
    def database(self) -> str:
        """The database address, in the data folder unless set."""
        return self.database_url or f"sqlite:///{self.data_dir / 'easel.db'}"

    @property
    def blobs(self) -> str:
        """Where picture bytes are kept."""
        return self.blob_url or (self.data_dir / "blobs").as_uri()


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(", ".join(allowed))
    return value


def load(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` by variable name come from command-line options.

    Raises ConfigurationError naming the setting, never its value when it is a secret.
    """
    in_file = {
        name: value
        for name, value in dotenv_values(".env").items()
        if value is not None
    }
    values = {**in_file, **_secret_files(), **os.environ, **overrides}
    try:
        return Settings.model_validate({**values, "region_keys": _region_keys()})
    except ValidationError as error:
        first = error.errors()[0]
        setting = str(first["loc"][0]) if first["loc"] else "?"
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        raise ConfigurationError(
            "config.value", setting=setting, allowed=reason
        ) from None


def _secret_files() -> dict[str, str]:
    """``NAME_FILE`` points at a file whose content is the value of NAME, as container images do it."""
    names = [_variable(field, name) for name, field in Settings.model_fields.items()]
    return {
        name: _read(f"{name}_FILE", os.environ[f"{name}_FILE"])
        for name in names
        if f"{name}_FILE" in os.environ
    }


def _region_keys() -> dict[str, SecretStr]:
    """``DASHSCOPE_API_KEY_SINGAPORE`` and so on, or their ``_FILE``."""
    found: dict[str, SecretStr] = {}
    for name, value in {**dotenv_values(".env"), **os.environ}.items():
        region = name.removeprefix(REGION_KEY)
        if region in {name, "FILE"} or not value:
            continue
        secret = _read(name, value) if region.endswith("_FILE") else value
        found[region.removesuffix("_FILE").lower()] = SecretStr(secret)
    return found


def unknown_variables() -> list[tuple[str, str]]:
    """Each ``EASEL_*`` variable we do not know, with the nearest name we do."""
    known = [_variable(field, name) for name, field in Settings.model_fields.items()]
    known += [f"{name}_FILE" for name in known]
    strangers = sorted(
        name for name in os.environ if name.startswith("EASEL_") and name not in known
    )
    return [
        (name, difflib.get_close_matches(name, known, n=1, cutoff=0)[0])
        for name in strangers
    ]


def secrets(settings: Settings) -> list[str]:
    """Every secret value set, for the log's redaction."""
    ours = (
        settings.link_keys.get_secret_value().split(",") if settings.link_keys else []
    )
    platforms = (
        settings.discord_bot_token,
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        settings.slack_client_secret,
    )
    return [
        *(
            key.get_secret_value()
            for key in (*settings.keys.values(), *filter(None, platforms))
        ),
        *ours,
    ]
