"""Folders of results, as `regard translate corpus.jsonl -o out/` writes them: their files' names, and their rows.

manifest.json         what ran: models, options, inputs
part-000000.parquet   the results of the first rows of the corpus, or .jsonl
failed-000000.jsonl   those of the same rows that have no result, each with its error; only if there are any
"""

import heapq
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from regard.calls.mapping import Outcome

MANIFEST = "manifest.json"
_PART = re.compile(r"part-(?P<number>\d{6,})\.(?:parquet|jsonl)")


def part_name(number: int, ending: str) -> str:
    """The name of a shard's file of results; `ending` has its point."""
    return f"part-{number:06d}{ending}"


def failed_name(number: int) -> str:
    """The name of the file that a shard's failed rows are in."""
    return f"failed-{number:06d}.jsonl"


def parts_of(folder: Path) -> dict[int, Path]:
    """The files of results, in the order of their numbers."""
    found = {int(match["number"]): path for path in folder.iterdir() if (match := _PART.fullmatch(path.name))}
    return dict(sorted(found.items()))


def read_folder(folder: Path, read_file: Callable[[Path], Iterator[Outcome]]) -> Iterator[Outcome]:
    """Yields the outcomes of all rows whose shard is finished, in the order of the corpus.

    Args:
        read_file: reads one file of results.

    Raises:
        ValueError: the folder has no manifest, so that no run wrote it.
    """
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"{folder} is no folder of results: it has no {MANIFEST}")
    return (outcome for number, part in parts_of(folder).items() for outcome in _shard(folder, number, part, read_file))


def _shard(folder: Path, number: int, part: Path, read_file: Callable[[Path], Iterator[Outcome]]) -> Iterator[Outcome]:
    """Yields the results of a shard and its failed rows, both of which are in the order of the corpus, as one."""
    failed = folder / failed_name(number)
    files = [part, failed] if failed.exists() else [part]
    return heapq.merge(*map(read_file, files), key=lambda outcome: outcome.index)
