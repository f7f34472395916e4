"""The bundles in the model directories, known by their manifests alone.

Each folder in a model directory that has a manifest is a bundle. The manifest states its name and version: the folders
of several versions may have any names ("everyday", "everyday@2"). A name that a caller sends is only compared with
these, and never becomes part of a path.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from regard_service.bundle import MANIFEST, NAME, Manifest, is_version, read_manifest, version_key


@dataclass(frozen=True)
class CatalogueEntry:
    """A folder with a manifest.

    Attributes:
        name, version: as the manifest states them, even if other fields of it are invalid; else by the folder's name.
        manifest: None where it cannot be read.
        links: why the folder is refused unread: paths that are links, as its files may lie anywhere, or a name that
            cannot be shown.
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


def _shown(name: str) -> str:
    """Returns a folder's name as it may be shown: bytes that are not UTF-8, and characters that are not printable, are
    escaped.
    """
    raw = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in raw)


def _entry(folder: Path) -> CatalogueEntry:
    name, _, version = _shown(folder.name).partition("@")
    faults = [f"{path.name}: is a link" for path in (folder, folder / MANIFEST) if path.is_symlink()]
    if _shown(folder.name) != folder.name:
        faults = [f"the folder's name, {_shown(folder.name)}, is not printable UTF-8"]
    if faults:
        return CatalogueEntry(folder, name, version, None, tuple(faults))
    try:
        content = read_manifest(folder)
        stated = json.loads(content)
        if isinstance(stated["name"], str) and NAME.fullmatch(stated["name"]):
            name = stated["name"]
        if is_version(str(stated["version"])):
            version = str(stated["version"])
        return CatalogueEntry(folder, name, version, Manifest.model_validate_json(content))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # loading the bundle reports the fault
        return CatalogueEntry(folder, name, version, None)
