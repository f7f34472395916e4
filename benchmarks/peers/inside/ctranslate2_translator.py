"""CTranslate2 with a tokenizer, for servers."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import sentencepiece

from benchmarks.peers.inside.engine import MAX_NEW_TOKENS
from benchmarks.peers.inside.translator import Message, Translator


class _Pieces(ABC):
    """Texts to the pieces that a converted model reads, and back."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[list[str]]:
        """The pieces of texts, special ones included."""

    @abstractmethod
    def decode(self, outputs: Sequence[Sequence[str]]) -> list[str]:
        """The texts of outputs."""


class _SentencePieces(_Pieces):
    def __init__(self, checkpoint: Path) -> None:
        self._pieces = sentencepiece.SentencePieceProcessor(str(checkpoint / "source.spm"))

    def encode(self, texts: Sequence[str]) -> list[list[str]]:
        return [[*pieces, "</s>"] for pieces in self._pieces.encode(list(texts), out_type=str)]

    def decode(self, outputs: Sequence[Sequence[str]]) -> list[str]:
        found: list[str] = self._pieces.decode([list(output) for output in outputs])
        return found


class _TokenizerPieces(_Pieces):
    """A tokenizer of `tokenizers`, whose ids are those of the converted vocabulary.

    Args:
        before, after: special ids around each source.
    """

    def __init__(self, file: str, folder: Path, before: Sequence[int], after: Sequence[int]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(file)
        self._names: list[str] = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._before, self._after = tuple(before), tuple(after)

    def encode(self, texts: Sequence[str]) -> list[list[str]]:
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[self._names[number] for number in (*self._before, *each.ids, *self._after)] for each in encoded]

    def decode(self, outputs: Sequence[Sequence[str]]) -> list[str]:
        found: list[str] = self._tokenizer.decode_batch([[self._numbers[name] for name in each] for each in outputs])
        return found


class CTranslate2Translator(Translator):
    """Ends each row of a batch at its own length by CTranslate2's callback, as an end token would; at 0 where the model
    ends it.

    Args:
        folder: output of CTranslate2's converter.
        checkpoint: folder of the SentencePiece model.
        tokenizer: the arguments of `_TokenizerPieces`, for models whose tokenizer is another.
    """

    def __init__(
        self,
        folder: str,
        checkpoint: str,
        compute_type: str,
        num_workers: int,
        num_threads: int,
        tokenizer: Message | None = None,
    ) -> None:
        self._translator = ctranslate2.Translator(
            folder, compute_type=compute_type, inter_threads=num_workers, intra_threads=num_threads
        )
        self._pieces: _Pieces = (
            _SentencePieces(Path(checkpoint))
            if tokenizer is None
            else _TokenizerPieces(folder=Path(folder), **tokenizer)
        )
        self.versions = {"ctranslate2": ctranslate2.__version__}
        self.setting = f"{compute_type}, {num_workers} workers x {num_threads} threads"

    def translate(self, batch: Sequence[Message]) -> list[Message]:
        lengths = [request["new_tokens"] for request in batch]
        are_free = not any(lengths)
        results = self._translator.translate_batch(
            self._pieces.encode([request["text"] for request in batch]),
            beam_size=1,
            max_decoding_length=MAX_NEW_TOKENS if are_free else max(lengths),
            callback=None if are_free else _stop_at(lengths),
        )
        outputs = [result.hypotheses[0] for result in results]
        texts = self._pieces.decode(outputs)
        end = int(are_free)  # the end token is not in the output
        return [{"text": text, "num_tokens": len(output) + end} for text, output in zip(texts, outputs, strict=True)]


def _stop_at(lengths: Sequence[int]) -> Any:
    return lambda step: step.step + 1 >= lengths[step.batch_id]
