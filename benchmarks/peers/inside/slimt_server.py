"""A worker that serves slimt through the thin servicer."""

from collections.abc import Sequence

from benchmarks.peers.inside.slimt import VERSION, Slimt
from benchmarks.peers.inside.text_engine import Pieces
from benchmarks.peers.inside.thin_server import serve
from benchmarks.peers.inside.translator import Message, Translator


class SlimtTranslator(Translator):
    """Greedy translations, whose ends slimt chooses: `new_tokens` must be 0."""

    def __init__(self, folder: str, num_workers: int) -> None:
        self._slimt, self._pieces = Slimt(folder, num_workers), Pieces(folder)
        self.versions = {"slimt": VERSION}
        self.setting = f"int8, {num_workers} workers"

    def translate(self, batch: Sequence[Message]) -> list[Message]:
        texts = self._slimt.translate([request["text"] for request in batch])
        return [{"text": text, "num_tokens": len(self._pieces.ids(text)) + 1} for text in texts]  # and the end token


if __name__ == "__main__":
    serve(SlimtTranslator)
