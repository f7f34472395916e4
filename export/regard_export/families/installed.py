"""Families that other distributions bring, by entry points: a family needs no fork of this project.

    [project.entry-points."regard.families"]
    acme-transformer = "acme_regard:load"

The name is the "family" or "model_type" of config.json, the value a `Loader`. `docs/families.md` shows how to write
one.
"""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError

GROUP = "regard.families"


class Loader(Protocol):
    """Reads a checkpoint's folder."""

    def __call__(self, folder: Path, load_options: LoadOptions, /) -> SourceModel:
        """Returns the model; raises ExportError if the checkpoint is not what its config says."""


def names() -> list[str]:
    """The families that are installed, in order."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def is_installed(family: str) -> bool:
    """Whether another distribution brings this family."""
    return bool(entry_points(group=GROUP, name=family))


def load(family: str, folder: Path, load_options: LoadOptions) -> SourceModel:
    """Loads a checkpoint by the family's own loader.

    Raises:
        ExportError: two distributions bring the family, its loader cannot be imported, or it returns no `SourceModel`
            of this family.
    """
    found = sorted(entry_points(group=GROUP, name=family), key=_origin)
    if len(found) > 1:
        raise ExportError(
            f"several distributions bring family {family}: {', '.join(map(_origin, found))}; remove all but one"
        )
    [entry] = found
    model: object = _loader(entry)(folder, load_options)
    if not isinstance(model, SourceModel) or model.family != family:
        returned = f"family {model.family}" if isinstance(model, SourceModel) else type(model).__name__
        raise ExportError(
            f"{entry.value} of {_origin(entry)} must return a SourceModel of family {family}, not {returned}"
        )
    return model


def _loader(entry: EntryPoint) -> Loader:
    try:
        loader: Loader = entry.load()
    except (ImportError, AttributeError) as error:
        raise ExportError(
            f"family {entry.name} of {_origin(entry)} cannot be imported, {entry.value}: {error}"
        ) from error
    return loader


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
