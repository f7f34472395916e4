"""What lies in the model directories: every bundle's name, version and folder, without reading more than manifests.

Each folder in a model directory that has a manifest is a bundle; the manifest says its name and version, so that
several versions of a model lie beside each other in folders of any names ("everyday", "everyday@2"). No name that a
caller gives becomes part of a path: it is only compared with these.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from regard_service.bundle import MANIFEST, NAME, Manifest
from regard_service.repository.versions import version_key


@dataclass(frozen=True)
class Entry:
    """A bundle on disk, or what looks like one.

    Attributes:
        name, version: as the manifest says, even where it is wrong otherwise; else as the folder is called.
        manifest: None where it cannot be read.
        links: what is reached over a link; such a bundle is refused, since it may lie anywhere.
    """

    folder: Path
    name: str
    version: str
    manifest: Manifest | None
    links: tuple[str, ...] = ()


def scan(folders: Sequence[Path], names: Iterable[str] | None = None) -> list[Entry]:
    """The bundles in model directories, the newest of each name first; of these names only, unless None."""
    wanted = None if names is None else set(names)
    entries = [_entry(folder) for directory in folders for folder in _bundle_folders(directory)]
    entries = [entry for entry in entries if wanted is None or entry.name in wanted]
    newest_first = sorted(entries, key=lambda entry: version_key(entry.version), reverse=True)
    return sorted(newest_first, key=lambda entry: entry.name)


def _bundle_folders(directory: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(Path(directory).glob(f"*/{MANIFEST}")))


def _entry(folder: Path) -> Entry:
    links = [f"{path.name}: is a link" for path in (folder, folder / MANIFEST) if path.is_symlink()]
    name, _, version = folder.name.partition("@")
    if links:
        return Entry(folder, name, version, None, tuple(links))
    try:
        content = (folder / MANIFEST).read_bytes()
        stated = json.loads(content)
        if isinstance(stated["name"], str) and NAME.fullmatch(stated["name"]):
            name = stated["name"]
        version = str(stated["version"])
        return Entry(folder, name, version, Manifest.model_validate_json(content))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # loading it tells what is wrong
        return Entry(folder, name, version, None)
