"""What ran, in the folder of its results: only the same run goes on there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regard.bulk.rows import CorpusError, Source
from regard.saved.durable import write_whole
from regard.saved.folders import MANIFEST

_FORMAT = 1
_MAX_SHOWN = 60  # characters of a value in an error


@dataclass
class Manifest:
    """The description of a run.

    Attributes:
        identity: what must be the same for a run to go on: task, options, columns, shards; values of JSON.
        sources: the files of the corpus. Their paths may change, but not their bytes nor their order.
        models: version and precision of each model that has answered, by its name.
        counts: of the rows, once all are done.
    """

    identity: Mapping[str, Any]
    sources: Sequence[Source]
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: Mapping[str, Any] | None = None

    def write(self, folder: Path) -> None:
        """Writes the file; it has either its old content or the new one, whenever the process ends."""
        content = {
            "format": _FORMAT,
            "run": self.identity,
            "inputs": [_described(source) for source in self.sources],
            "models": self.models,
            "counts": self.counts,
        }
        write_whole(folder / MANIFEST, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    def go_on(self, folder: Path) -> None:
        """Takes over the models of the folder's manifest, if it has one.

        Raises:
            CorpusError: the folder is of another run; the message names every difference.
        """
        path = folder / MANIFEST
        if not path.exists():
            return
        try:
            found = json.loads(path.read_bytes())
            earlier = {"format": found["format"], **found["run"], "inputs": list(map(_content, found["inputs"]))}
            models = {
                name: {key: str(each[key]) for key in ("version", "precision")}
                for name, each in found["models"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorpusError(f"{path} is no manifest of a run; -o takes an empty folder") from None
        inputs = [_content(_described(source)) for source in self.sources]
        now = {"format": _FORMAT, **json.loads(json.dumps(self.identity)), "inputs": inputs}
        differences = list(_differences("", earlier, now))
        if differences:
            raise CorpusError(f"{folder} has the results of another run; name another folder: {'; '.join(differences)}")
        self.models = models

    def check_model(self, name: str, version: str) -> bool:
        """Whether a model has not answered before.

        Raises:
            CorpusError: it answered in another version before.
        """
        known = self.models.get(name)
        if known is None:
            return True
        if known["version"] != version:
            raise CorpusError(
                f"the server now has version {version} of {name}, and the results so far are of version "
                f"{known['version']}; --model {name}@{known['version']} goes on with it where the server has both"
            )
        return False


def _described(source: Source) -> dict[str, Any]:
    return {
        "path": str(source.path),
        "size_bytes": source.size_bytes,
        "sha256": source.sha256,
        "num_rows": source.num_rows,
    }


def _content(described: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if name != "path"}


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            yield from _differences(f"{name}.{key}" if name else key, before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(f"{name}[{number}]", old, new)
    elif before != now:
        yield f"{name} was {_shown(before)} and is {_shown(now)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
