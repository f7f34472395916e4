"""The bundles in the model directories, known by their manifests alone.

Each folder in a model directory that has a manifest is a bundle. The manifest states its name and version: the folders
of several versions may have any names ("everyday", "everyday@2"). A name that a caller sends is only compared with
these, and never becomes part of a path.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from regard_service.bundle import MANIFEST, NAME, Manifest, version_key


@dataclass(frozen=True)
class CatalogueEntry:
    """A folder with a manifest.

    Attributes:
        name, version: as the manifest states them, even if other fields of it are invalid; else by the folder's name.
        manifest: None where it cannot be read.
        links: the paths that are links. Such a bundle is refused, since its files may lie anywhere.
    """

    folder: Path
    name: str
    version: str
    manifest: Manifest | None
    links: tuple[str, ...] = ()


def scan(folders: Sequence[Path], names: Iterable[str] | None = None) -> list[CatalogueEntry]:
    """Lists the bundles in model directories, by name and then newest first.

    Args:
        names: lists these only; None lists all.
    """
    chosen = None if names is None else set(names)
    entries = [_entry(folder) for directory in folders for folder in _bundle_folders(directory)]
    entries = [entry for entry in entries if chosen is None or entry.name in chosen]
    newest_first = sorted(entries, key=lambda entry: version_key(entry.version), reverse=True)
    return sorted(newest_first, key=lambda entry: entry.name)


def _bundle_folders(directory: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(Path(directory).glob(f"*/{MANIFEST}")))


def _entry(folder: Path) -> CatalogueEntry:
    links = [f"{path.name}: is a link" for path in (folder, folder / MANIFEST) if path.is_symlink()]
    name, _, version = folder.name.partition("@")
    if links:
        return CatalogueEntry(folder, name, version, None, tuple(links))
    try:
        content = (folder / MANIFEST).read_bytes()
        stated = json.loads(content)
        if isinstance(stated["name"], str) and NAME.fullmatch(stated["name"]):
            name = stated["name"]
        version = str(stated["version"])
        return CatalogueEntry(folder, name, version, Manifest.model_validate_json(content))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # loading the bundle reports the fault
        return CatalogueEntry(folder, name, version, None)
