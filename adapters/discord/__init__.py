"""Discord: one gateway, every server; commands, mentions, replies, buttons and reactions."""

import warnings
from pathlib import Path

from core.languages import add_folder

with warnings.catch_warnings():
    # It asks for audioop, which newer Pythons drop, for the sake of voices; we have none.
    warnings.filterwarnings(
        "ignore",
        "'audioop' is deprecated",
        DeprecationWarning,
    )
    import discord

# Nor is it worth a warning at every start that what only voices need is not installed.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

add_folder(Path(__file__).parent / "locales")
