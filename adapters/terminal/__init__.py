"""The terminal as a platform.

Requests from the command line, pictures to files, progress to standard error.
"""
