"""What is answered at once.

Moving the head, looking, cancelling, voting, choosing a mask, settings.
"""
