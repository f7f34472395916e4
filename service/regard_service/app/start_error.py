"""The error of a server that cannot start."""


class StartError(Exception):
    """The server cannot start; the message names the setting and the reason."""
