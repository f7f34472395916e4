"""Finds the shipped bundles, which a distribution of their own installs."""

import functools
import importlib.util
from pathlib import Path

ZOO_PACKAGE = "regard_zoo"


def zoo_folder() -> Path:
    """Returns the folder of the shipped bundles.

    Raises:
        ModuleNotFoundError: the distribution `regard-zoo`, which holds them, is not installed.
    """
    found = importlib.util.find_spec(ZOO_PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {ZOO_PACKAGE!r}", name=ZOO_PACKAGE)
    return Path(found.origin).parent


@functools.lru_cache(maxsize=1024)
def is_shipped(folder: Path) -> bool:
    """Whether a bundle's folder is one of the shipped ones; looks at the disk once per folder: calls list models."""
    return folder.resolve().parent == _resolved_zoo()


@functools.cache
def _resolved_zoo() -> Path | None:
    try:
        return zoo_folder().resolve()
    except ModuleNotFoundError:
        return None
