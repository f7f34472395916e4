"""Why an export ends without a bundle."""


class ExportError(Exception):
    """A checkpoint that cannot be exported; the message names the cause, every one that was found."""


class WeightsDoNotFit(ExportError):
    """Weights are missing, unexpected, of another shape or not finite."""
