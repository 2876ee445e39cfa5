"""The program: command line, settings, wiring, logs and the DashScope simulator."""

from pathlib import Path

from core.languages import add_folder

add_folder(Path(__file__).parent / "locales")
