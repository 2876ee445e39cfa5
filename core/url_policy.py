"""Which addresses we may fetch from: an allow-list of hosts, and no tricks around it. Pure.

A listed ``host:port`` may be http and private (tests). A listed name or ``*.name`` is https on port
443 only.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*")
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
HOST = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
MAX_LENGTH = 8192
PRIVATE = ("internal", "vpc")


def is_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Whether the address may be fetched. No for anything unusual."""
    if not _is_plain(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    has_credentials = parts.username is not None or parts.password is not None
    if has_credentials or "%" in parts.netloc:
        return False
    host = (parts.hostname or "").lower()
    if f"{host}:{port}" in hosts:
        return parts.scheme in {"http", "https"}
    if not _is_public(parts, host, port):
        return False
    return any(_matches(host, pattern) for pattern in hosts)


def host_of(url: str) -> str:
    """The host an address names, "" where it cannot be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_plain(url: str) -> bool:
    if len(url) > MAX_LENGTH or not url.isascii():
        return False
    return UNSAFE.search(url) is None


def _is_public(parts: SplitResult, host: str, port: int | None) -> bool:
    if parts.scheme != "https" or port not in {None, 443}:
        return False
    if HOST.fullmatch(host) is None or _is_number(host):
        return False
    # Clouds name so what they answer inside alone, as oss-cn-beijing-internal.aliyuncs.com.
    labels = host.split(".")
    return not any(label.endswith(PRIVATE) for label in labels)


def _is_number(host: str) -> bool:
    """Is it an address in numbers, in any notation: 127.0.0.1, 127.1, 2130706433, 0x7f.0.0.1?"""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return NUMBERS.fullmatch(host) is not None
    return True


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    if pattern.startswith("*."):
        # Something has to stand before the dot.
        suffix = pattern.removeprefix("*")
        return host != suffix and host.endswith(suffix)
    return host == pattern
