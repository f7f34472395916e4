"""A worker with slimt."""

from collections.abc import Sequence

from benchmarks.peers.inside.engine import serve
from benchmarks.peers.inside.slimt import VERSION, Slimt
from benchmarks.peers.inside.text_engine import TextEngine


class SlimtEngine(TextEngine):
    """Gives a group to slimt's service, which cuts it into batches for its workers."""

    def __init__(self, folder: str, num_workers: int, num_callers: int) -> None:
        super().__init__(folder, num_callers)
        self._slimt = Slimt(folder, num_workers)
        self.versions = {"slimt": VERSION}
        self.setting = f"int8, {num_workers} workers, {num_callers} groups at once"

    def translate(self, texts: Sequence[str]) -> list[str]:
        return self._slimt.translate(texts)


if __name__ == "__main__":
    serve(SlimtEngine)
