"""A worker that serves sentence-transformers through the thin servicer: texts in, vectors out."""

from collections.abc import Sequence

import sentence_transformers
import torch

from benchmarks.peers.inside.thin_server import serve
from benchmarks.peers.inside.translator import Message, Translator


class SentenceTransformersEncoder(Translator):
    """`encode` in float32 on all threads, one batch at a time, sorted by length as the library does."""

    def __init__(self, folder: str, num_workers: int, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._net = sentence_transformers.SentenceTransformer(folder, device="cpu")
        self.versions = {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}
        self.setting = f"float32, {num_workers} workers x {num_threads} threads"

    def translate(self, batch: Sequence[Message]) -> list[Message]:
        """Answers with vectors, and with how many tokens they are of."""
        texts = [request["text"] for request in batch]
        sizes = [len(ids) for ids in self._net.tokenizer(texts)["input_ids"]]
        vectors = self._net.encode(texts, batch_size=len(texts), show_progress_bar=False)
        return [{"vector": v.tolist(), "num_tokens": size} for v, size in zip(vectors, sizes, strict=True)]


if __name__ == "__main__":
    serve(SentenceTransformersEncoder)
