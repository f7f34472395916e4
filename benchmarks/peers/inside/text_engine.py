"""Engines that read texts and write texts, so that a job's time includes their tokenizers.

A job's sources are texts, as in inside/engine.py otherwise. Outputs are ids of the checkpoint's own pieces, made of the
texts after the time is taken, so that engines that end their outputs early or late compare by the tokens made.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sentencepiece

from benchmarks.peers.inside.engine import Engine, Group, Outputs

Translate = Callable[[Sequence[str]], list[str]]
"""Translates texts; runs in a thread, without the interpreter's lock."""


class Pieces:
    """Counts an output by the checkpoint's own pieces."""

    def __init__(self, checkpoint: str) -> None:
        (file,) = Path(checkpoint).glob("vocab*.spm")
        self._pieces = sentencepiece.SentencePieceProcessor(str(file))

    def ids(self, text: str) -> list[int]:
        """The ids of a text, without special tokens."""
        found: list[int] = self._pieces.encode(text)
        return found


class TextEngine(Engine):
    """An engine without an event loop, whose groups run in threads."""

    def __init__(self, checkpoint: str, num_callers: int) -> None:
        self._pieces = Pieces(checkpoint)
        self._callers = ThreadPoolExecutor(num_callers)

    @abstractmethod
    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translates a group."""

    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        if num_beams != 1:
            raise ValueError("greedy search only")
        sources = [group["sources"] for group in groups]
        return list(map(self.translate, sources) if one_by_one else self._callers.map(self.translate, sources))

    def ids(self, output: str) -> list[int]:
        return self._pieces.ids(output)
