"""Alibaba Cloud Model Studio (DashScope): Qwen-Image, Qwen-Image-Edit, Wanx."""

from importlib.resources import files


def catalog_text() -> str:
    """Return the models as data (TOML)."""
    return (files("core.providers.dashscope") / "models.toml").read_text(
        encoding="utf-8"
    )
