"""The terminal as a platform: commands in, pictures to files, progress to standard error."""

from pathlib import Path

from core.languages import add_folder

add_folder(Path(__file__).parent / "locales")
