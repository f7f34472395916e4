"""Loads the packages of other distributions of this project, which need not be installed."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regard.errors import MissingExtra

_ZOO = "regard_zoo"
_PROJECT_PACKAGES = frozenset({"regard", "regard_service", "regard_models", "regard_export", _ZOO})
_WITHOUT_ZOO = "or name folders of your own bundles: `regard serve --model-directories`, or REGARD_MODEL_DIRECTORIES"


def load(module: str, name: str, purpose: str, extra: str) -> Any:
    """Imports a module that needs an extra, and returns the object of that name in it.

    Raises:
        MissingExtra: the module, or one that it imports, is not installed.
    """
    with requires_extra(purpose, extra):
        return getattr(importlib.import_module(module), name)


@contextmanager
def requires_extra(purpose: str, extra: str) -> Iterator[None]:
    """Turns a ModuleNotFoundError raised inside into MissingExtra, unless this project itself lacks the module."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _PROJECT_PACKAGES and error.name != missing:
            raise  # the package is installed: a fault of this project, not of the installation
        if missing == _ZOO:
            raise MissingExtra("serving the shipped models", extra, missing, _WITHOUT_ZOO) from error
        raise MissingExtra(purpose, extra, missing) from error
