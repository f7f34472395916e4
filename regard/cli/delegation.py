"""How the command line reaches the packages that a client need not have installed."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regard.errors import MissingExtra

_OWN = frozenset({"regard", "regard_service", "regard_models", "regard_export", "regard_zoo"})


def load(module: str, name: str, purpose: str, extra: str) -> Any:
    """An object of a package of this project that needs an extra.

    Raises:
        MissingExtra: something that the extra brings is not installed.
    """
    with needing(purpose, extra):
        return getattr(importlib.import_module(module), name)


@contextmanager
def needing(purpose: str, extra: str) -> Iterator[None]:
    """Turns a module that is missing inside into an error that names the extra; one of this project's own stays."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OWN and error.name != missing:
            raise  # a fault of this project, and not of the installation
        raise MissingExtra(purpose, extra, missing) from error
