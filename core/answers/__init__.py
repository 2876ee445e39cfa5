"""What is answered at once: moving the head, looking, cancelling, voting, choosing a mask, settings."""
