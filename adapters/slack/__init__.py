"""Slack: Socket Mode or HTTP, one workspace or many."""

from pathlib import Path

from core.languages import add_folder

add_folder(Path(__file__).parent / "locales")
