"""Discord: acknowledge, decode, render, send. All rules are the core's."""
