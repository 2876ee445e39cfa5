"""How this process reaches the world: proxies and certificates, the same for every client.

Libraries differ in which of the usual variables they read, in which case, and whether an address
needs a scheme. So the variables are read here, once, and written back in the form all of them
understand.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import ConfigurationError

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Never behind a proxy: the simulator, and databases and stores beside us."""


def set_up() -> None:
    """Read the variables, from ``.env`` too, and make them hold for this process.

    Call it before a client is made. Raises ConfigurationError for a proxy that is no address, or
    certificates that cannot be read.
    """
    variables = {**_read_dotenv(), **os.environ}
    proxies = {name: _read(variables, name) for name in PROXIES}
    for name, address in proxies.items():
        if address:
            _write(name, _check_proxy(name, address))
    if any(proxies.values()):
        direct = _read(variables, "NO_PROXY").split(",")
        hosts = [host for host in (*direct, *LOOPBACK) if host]
        _write("NO_PROXY", ",".join(hosts))
    file = _read(variables, "SSL_CERT_FILE")
    if file:
        _check_certificates(file)
        os.environ["SSL_CERT_FILE"] = file


def proxy_for(url: str) -> str | None:
    """Return the proxy that stands before an address, None where there is none."""
    from urllib.request import (  # noqa: PLC0415  # slow to load
        getproxies,
        proxy_bypass,
    )

    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    is_secure = parts.scheme in {"https", "wss"}
    return getproxies().get("https" if is_secure else "http")


def describe(url: str) -> str:
    """Name the proxy before an address, without its password; "" where there is none."""
    proxy = proxy_for(url)
    if proxy is None:
        return ""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def certificates() -> str:
    """Name the file of certificates that are trusted; "" for the usual ones."""
    return os.environ.get("SSL_CERT_FILE", "")


def _read_dotenv() -> dict[str, str]:
    # Most have no such file: they need not wait for the library that reads it.
    if not Path(".env").is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415

    values = dotenv_values(".env")
    return {name: text for name, text in values.items() if text}


def _read(variables: Mapping[str, str], name: str) -> str:
    path = variables.get(f"{name}_FILE")
    if path:
        return _read_file(f"{name}_FILE", path)
    return variables.get(name) or variables.get(name.lower()) or ""


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", setting=name) from None


def _write(name: str, text: str) -> None:
    # Some libraries read only one of the two.
    os.environ[name] = text
    os.environ[name.lower()] = text


def _check_proxy(name: str, address: str) -> str:
    complete = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(complete)
        is_usable = parts.scheme == "http" and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            "config.value",
            setting=name,
            allowed="http://HOST:PORT",
        )
    return complete


def _check_certificates(path: str) -> None:
    import ssl  # noqa: PLC0415  # slow to load

    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        raise ConfigurationError(
            "config.value",
            setting="SSL_CERT_FILE",
            allowed="PEM",
        ) from None
