"""The two ways in which a command can fail: the user's words, or the world."""


class UsageError(Exception):
    """What was asked cannot be done as asked: one line, exit status 2."""


class RunError(Exception):
    """What was asked is right, but it failed at run time: one line, exit status 1."""
