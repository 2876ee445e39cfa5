"""Answers given at once: moving the head, looking, cancelling, voting, masks, settings."""
