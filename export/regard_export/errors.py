"""Errors that end an export or a verification."""


class ExportError(Exception):
    """A checkpoint cannot be exported; the message names every cause that was found."""


class WeightsDoNotFit(ExportError):
    """Weights are missing, unexpected, of a wrong shape or not finite."""
