"""A worker with CTranslate2 in int8 or float32."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2

from benchmarks.peers.inside.engine import MAX_NEW_TOKENS, Engine, Group, Outputs, serve


class CTranslate2Engine(Engine):
    """Translates ids to the text tokens that CTranslate2 reads, by its own vocabulary.

    Args:
        folder: output of its converter.
        inter_threads, intra_threads: number of workers, and of threads per worker.
        batch_size, batch_type: how to split a group into batches; 0 runs a whole group.
    """

    def __init__(
        self,
        folder: str,
        compute_type: str,
        inter_threads: int,
        intra_threads: int,
        batch_size: int = 0,
        batch_type: str = "examples",
        end_id: int | None = None,
    ) -> None:
        self._translator = ctranslate2.Translator(
            folder, compute_type=compute_type, inter_threads=inter_threads, intra_threads=intra_threads
        )
        self._pieces = vocabulary(Path(folder))
        self._numbers = {piece: number for number, piece in enumerate(self._pieces)}
        self._options = {"max_batch_size": batch_size, "batch_type": batch_type}
        backend = "MKL" if os.environ.get("CT2_USE_MKL") == "1" else "its own choice of backend"
        self.versions = {"ctranslate2": ctranslate2.__version__}
        self.setting = f"{compute_type}, {inter_threads} workers x {intra_threads} threads, {backend}"
        if batch_size:
            self.setting += f", batches of {batch_size} {batch_type}"

    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        made = []
        for group in groups:
            futures = self._submit(group, num_beams)
            made.append([future.result() for future in futures] if one_by_one else futures)
        if not one_by_one:
            made = [[future.result() for future in futures] for futures in made]
        return [[[self._numbers[piece] for piece in each.hypotheses[0]] for each in group] for group in made]

    def _submit(self, group: Group, num_beams: int) -> list[Any]:
        length = group["new_tokens"]
        futures: list[Any] = self._translator.translate_batch(
            [[self._pieces[number] for number in source] for source in group["sources"]],
            beam_size=num_beams,
            max_decoding_length=length or MAX_NEW_TOKENS,
            asynchronous=True,
            **self._options,
        )
        return futures


def vocabulary(folder: Path) -> list[str]:
    """The pieces of a converted model, indexed by id."""
    pieces: list[str] = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    return pieces


if __name__ == "__main__":
    serve(CTranslate2Engine)
