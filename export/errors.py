"""Why an export ends without a bundle."""


class ExportError(Exception):
    """A checkpoint that cannot be exported; the message names the cause, every one that was found."""
