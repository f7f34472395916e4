"""Errors that end an export or a verification."""

from collections.abc import Sequence

MAX_NAMED_FAULTS = 12  # a config of another model misfits hundreds of weights


class ExportError(Exception):
    """A checkpoint cannot be exported; the message names every cause that was found."""


def listed(faults: Sequence[str]) -> str:
    """The faults in one sentence: the first ones, and how many more there are."""
    more = len(faults) - MAX_NAMED_FAULTS
    return "; ".join(faults[:MAX_NAMED_FAULTS]) + (f"; and {more} more" if more > 0 else "")


class WeightsDoNotFit(ExportError):
    """Weights are missing, unexpected, of a wrong shape or not finite."""
