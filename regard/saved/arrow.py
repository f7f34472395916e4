"""PyArrow, which the base install lacks."""

from typing import Any

from regard.errors import MissingExtra


def import_arrow(purpose: str) -> Any:
    """The module `pyarrow`, with its part for Parquet.

    Args:
        purpose: what needs it, such as "reading Parquet".

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtra(purpose, "data", error.name) from None
    return pyarrow
