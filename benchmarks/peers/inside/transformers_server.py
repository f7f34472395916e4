"""A worker that serves transformers, with its own tokenizer, through the thin servicer."""

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from benchmarks.peers.inside.thin_server import serve
from benchmarks.peers.inside.translator import Message, Translator


class RowLengths(transformers.StoppingCriteria):
    """Ends each row of a batch at its own length."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = torch.tensor(lengths)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return input_ids.shape[1] - 1 >= self._lengths


class TransformersTranslator(Translator):
    """`generate` in float32 on all threads, one batch at a time."""

    def __init__(self, folder: str, num_workers: int, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._net = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.versions = {"transformers": transformers.__version__, "torch": torch.__version__}
        self.setting = f"float32, {num_workers} workers x {num_threads} threads"

    @torch.inference_mode()
    def translate(self, batch: Sequence[Message]) -> list[Message]:
        lengths = [request["new_tokens"] for request in batch]
        inputs = self._tokenizer([request["text"] for request in batch], padding=True, return_tensors="pt")
        outputs = self._net.generate(
            **inputs,
            num_beams=1,
            do_sample=False,
            max_new_tokens=max(lengths),
            stopping_criteria=transformers.StoppingCriteriaList([RowLengths(lengths)]),
        )
        rows = [output[1 : length + 1] for output, length in zip(outputs, lengths, strict=True)]
        texts = self._tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [{"text": text, "num_tokens": len(row)} for text, row in zip(texts, rows, strict=True)]


if __name__ == "__main__":
    serve(TransformersTranslator)
