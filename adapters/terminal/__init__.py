"""The terminal as a platform: requests from the command line, pictures to files, progress to standard error."""
