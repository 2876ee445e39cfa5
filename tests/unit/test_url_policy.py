"""Only listed hosts are fetched from, whatever the address is dressed up as (reliability.md URL-01 … URL-24)."""

import pytest

from core.url_policy import is_allowed

HOSTS = ("*.aliyuncs.com", "files.slack.com", "127.0.0.1:9000")


@pytest.mark.parametrize(
    "url",
    [
        "https://dashscope-result-sz.oss-cn-shenzhen.aliyuncs.com/7d/x.png?Expires=1&Signature=a",
        "https://dashscope-7c2c.oss-accelerate.aliyuncs.com:443/x.png",
        "https://files.slack.com/files-pri/T1/x.png",
        "HTTPS://FILES.SLACK.COM/x",
        "http://127.0.0.1:9000/results/1/0.png",
    ],
)
def test_listed_hosts_are_allowed(url: str) -> None:
    assert is_allowed(url, HOSTS)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("URL-01 userinfo", "https://files.slack.com@evil.tld/x"),
        ("URL-01 userinfo before", "https://evil@files.slack.com/x"),
        ("URL-02 backslash", "https://evil.tld\\@files.slack.com/x"),
        ("URL-03 suffix", "https://files.slack.com.evil.tld/"),
        ("URL-03 the bare parent", "https://aliyuncs.com/"),
        ("URL-03 glued", "https://evilaliyuncs.com/"),
        ("URL-04 encoded dot", "https://files.slack.com%2eevil.tld/"),
        ("URL-05 tab", "https://files.slack.com\t.evil.tld/"),
        ("URL-06 leading control", "\x0bhttps://files.slack.com/"),
        ("URL-07 ligature", "https://ﬁles.slack.com/"),
        ("URL-07 fullwidth dot", "https://files。slack。com/"),
        ("URL-08 trailing dot", "https://files.slack.com./"),
        ("URL-09 http", "http://files.slack.com/"),
        ("URL-09 port", "https://files.slack.com:8443/"),
        ("URL-09 file", "file:///etc/passwd"),
        ("URL-09 gopher", "gopher://files.slack.com/"),
        ("URL-09 data", "data:image/png;base64,AAAA"),
        ("URL-09 no scheme", "files.slack.com/x"),
        ("URL-09 bad port", "https://files.slack.com:99999/"),
        ("URL-10 loopback", "http://127.0.0.1/x"),
        ("URL-10 other port", "http://127.0.0.1:9001/x"),
        ("URL-10 localhost", "https://localhost/"),
        ("URL-10 v6", "https://[::1]/"),
        ("URL-11 decimal", "https://2130706433/"),
        ("URL-11 short", "https://127.1/"),
        ("URL-11 octal", "https://017700000001/"),
        ("URL-12 hex", "https://0x7f.0.0.1/"),
        ("URL-13 mapped", "https://[::ffff:127.0.0.1]/"),
        ("URL-14 nat64", "https://[64:ff9b::a9fe:a9fe]/"),
        ("URL-15 6to4", "https://[2002:a9fe:a9fe::1]/"),
        ("URL-16 multicast", "https://224.0.0.1/"),
        ("URL-17 metadata", "http://169.254.169.254/latest"),
        ("URL-17 aliyun metadata", "http://100.100.100.200/"),
        ("URL-24 result host", "https://results.example.com/x.png"),
        ("endless", "https://a.aliyuncs.com/" + "x" * 10_000),
    ],
)
def test_everything_else_is_refused(name: str, url: str) -> None:
    assert not is_allowed(url, HOSTS), name
