"""The web as a platform: the room (chat in a browser), the mask painter, picture pages, health."""

from pathlib import Path

from core.languages import add_folder

add_folder(Path(__file__).parent / "locales")
