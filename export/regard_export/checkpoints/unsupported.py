"""Refusal of models with options that the export does not support."""

from collections.abc import Iterable

from regard_export.errors import ExportError


def refuse_unsupported(toolkit: str, faults: Iterable[str]) -> None:
    """Raises ExportError with every unsupported option of a toolkit's model, if there are any."""
    found = list(faults)
    if found:
        raise ExportError(f"this {toolkit} model has unsupported options: {'; '.join(found)}")
