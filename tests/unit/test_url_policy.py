"""Only listed hosts are fetched from, whatever the address is dressed up as."""

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
        ("userinfo", "https://files.slack.com@evil.tld/x"),
        ("userinfo before", "https://evil@files.slack.com/x"),
        ("backslash", "https://evil.tld\\@files.slack.com/x"),
        ("suffix", "https://files.slack.com.evil.tld/"),
        ("the bare parent", "https://aliyuncs.com/"),
        ("glued", "https://evilaliyuncs.com/"),
        ("encoded dot", "https://files.slack.com%2eevil.tld/"),
        ("tab", "https://files.slack.com\t.evil.tld/"),
        ("leading control", "\x0bhttps://files.slack.com/"),
        ("ligature", "https://ﬁles.slack.com/"),
        ("fullwidth dot", "https://files。slack。com/"),
        ("trailing dot", "https://files.slack.com./"),
        ("http", "http://files.slack.com/"),
        ("port", "https://files.slack.com:8443/"),
        ("file", "file:///etc/passwd"),
        ("gopher", "gopher://files.slack.com/"),
        ("data", "data:image/png;base64,AAAA"),
        ("no scheme", "files.slack.com/x"),
        ("bad port", "https://files.slack.com:99999/"),
        ("loopback", "http://127.0.0.1/x"),
        ("other port", "http://127.0.0.1:9001/x"),
        ("localhost", "https://localhost/"),
        ("v6", "https://[::1]/"),
        ("decimal", "https://2130706433/"),
        ("short", "https://127.1/"),
        ("octal", "https://017700000001/"),
        ("hex", "https://0x7f.0.0.1/"),
        ("mapped", "https://[::ffff:127.0.0.1]/"),
        ("nat64", "https://[64:ff9b::a9fe:a9fe]/"),
        ("6to4", "https://[2002:a9fe:a9fe::1]/"),
        ("multicast", "https://224.0.0.1/"),
        ("metadata", "http://169.254.169.254/latest"),
        ("aliyun metadata", "http://100.100.100.200/"),
        ("result host", "https://results.example.com/x.png"),
        ("inside only", "https://b.oss-cn-beijing-internal.aliyuncs.com/x"),
        ("endless", "https://a.aliyuncs.com/" + "x" * 10_000),
    ],
)
def test_everything_else_is_refused(name: str, url: str) -> None:
    assert not is_allowed(url, HOSTS), name
