"""CTranslate2 with SentencePiece, for servers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import sentencepiece

from benchmarks.peers.inside.translator import Message, Translator


class CTranslate2Translator(Translator):
    """Ends each row of a batch at its own length by CTranslate2's callback, as an end token would.

    Args:
        folder: output of CTranslate2's converter.
        checkpoint: folder of the SentencePiece model.
    """

    def __init__(self, folder: str, checkpoint: str, compute_type: str, num_workers: int, num_threads: int) -> None:
        self._translator = ctranslate2.Translator(
            folder, compute_type=compute_type, inter_threads=num_workers, intra_threads=num_threads
        )
        self._pieces = sentencepiece.SentencePieceProcessor(str(Path(checkpoint) / "source.spm"))
        self.versions = {"ctranslate2": ctranslate2.__version__}
        self.setting = f"{compute_type}, {num_workers} workers x {num_threads} threads"

    def translate(self, batch: Sequence[Message]) -> list[Message]:
        lengths = [request["new_tokens"] for request in batch]
        texts = self._pieces.encode([request["text"] for request in batch], out_type=str)
        results = self._translator.translate_batch(
            [[*pieces, "</s>"] for pieces in texts],
            beam_size=1,
            max_decoding_length=max(lengths),
            callback=_stop_at(lengths),
        )
        outputs = [result.hypotheses[0] for result in results]
        texts = self._pieces.decode(outputs)
        return [{"text": text, "num_tokens": len(output)} for text, output in zip(texts, outputs, strict=True)]


def _stop_at(lengths: Sequence[int]) -> Any:
    return lambda step: step.step + 1 >= lengths[step.batch_id]
