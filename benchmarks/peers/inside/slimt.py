"""slimt: the C++ engine of students, with its own tokenizer, shortlist and batches."""

import importlib.util
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

VERSION = "0.1.0"


class Slimt:
    """A model and a service with worker threads.

    Args:
        folder: the student's folder.
    """

    def __init__(self, folder: str, num_workers: int) -> None:
        slimt = _extension()
        kinds = {"model": "model.*.bin", "vocabulary": "vocab.*.spm", "shortlist": "lex.*.bin"}
        files = {kind: str(next(Path(folder).glob(pattern))) for kind, pattern in kinds.items()}
        self._model = slimt.Model(slimt.preset.tiny(), slimt.Package(**files))
        self._service = slimt.Service(workers=num_workers)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translates texts."""
        return [response.target.text for response in self._service.translate(self._model, list(texts))]


def _extension() -> Any:
    """The extension module, without the package around it, which calls a server when it is imported."""
    package = importlib.util.find_spec("slimt")
    folders = None if package is None else package.submodule_search_locations
    spec: ModuleSpec | None = PathFinder.find_spec("_slimt", folders and list(folders))
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("slimt has no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
