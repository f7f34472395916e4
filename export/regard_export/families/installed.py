"""Families of other distributions, which name them as entry points of the group `regard.families`.

An installed family is asked before our own, so it may also take over a format that we read. docs/families.md is a
walkthrough.
"""

import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError

GROUP = "regard.families"


@runtime_checkable
class Family(Protocol):
    """What an entry point names: an object, or a module, with these attributes."""

    name: str
    """The family, as manifests state it. Unique among all families."""

    takes_languages: bool
    """Whether checkpoints leave the languages to `--languages`."""

    def recognizes(self, path: Path) -> bool:
        """Whether a folder, or a file, is a checkpoint of this family; reads little and raises nothing."""

    def load(self, path: Path, load_options: LoadOptions) -> SourceModel:
        """Reads a checkpoint.

        Raises:
            ExportError: the checkpoint is damaged, or has an option that the family does not support.
        """


def installed_families() -> Iterator[Family]:
    """Yields the families of all installed distributions, by name; warns of each that cannot be used."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        family = _loaded(entry)
        if family is not None:
            yield family


def family_of_checkpoint(path: Path) -> Family | None:
    """The installed family that recognizes a checkpoint; None if none does.

    Raises:
        ExportError: several do.
    """
    found = [family for family in installed_families() if family.recognizes(path)]
    if len(found) > 1:
        names = ", ".join(family.name for family in found)
        raise ExportError(f"several installed families recognize {path}: {names}; uninstall all but one")
    return found[0] if found else None


def load(family: Family, path: Path, load_options: LoadOptions) -> SourceModel:
    """Loads a checkpoint of an installed family.

    Raises:
        ExportError: as its `load` does; or it returns something else than a model of its name.
    """
    model: object = family.load(path, load_options)  # of others' code
    if not isinstance(model, SourceModel) or model.family != family.name:
        found = f"of family {model.family!r}" if isinstance(model, SourceModel) else f"a {type(model).__name__}"
        raise ExportError(f"the installed family {family.name!r} must return a SourceModel of its name; it is {found}")
    return model


def family_named(name: str) -> Family | None:
    """The installed family of a manifest's name."""
    return next((family for family in installed_families() if family.name == name), None)


def _loaded(entry: EntryPoint) -> Family | None:
    origin = f"the family {entry.name!r} of {entry.dist.name if entry.dist else 'an unknown distribution'}"
    try:
        family = entry.load()
    except Exception as error:  # the code of others; our own families must stay usable
        warnings.warn(f"{origin} cannot be imported: {type(error).__name__}: {error}", stacklevel=2)
        return None
    if isinstance(family, Family):
        return family
    lacking = [each for each in ("name", "takes_languages", "recognizes", "load") if not hasattr(family, each)]
    warnings.warn(f"{origin} is no family: {entry.value} has no {', '.join(lacking)}", stacklevel=2)
    return None
