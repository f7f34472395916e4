"""A student as verification calls it: NumPy computes the net, SentencePiece the texts."""

from collections.abc import Sequence

import numpy as np
import sentencepiece

from regard.arrays import Float32Array
from regard_export.references.marian_numpy import DecoderState, MarianNet
from regard_export.references.numpy_search import search
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_service.bundle import Target
from regard_service.generation import Generation


class StudentReference:
    """A student, one source at a time.

    Args:
        decoder_layers: of the net.
        banned_ids: tokens that are never generated.
        pieces: the SentencePiece models of the source and of the target.
    """

    def __init__(
        self,
        net: MarianNet,
        decoder_layers: int,
        target: Target,
        banned_ids: Sequence[int],
        pieces: tuple[sentencepiece.SentencePieceProcessor, sentencepiece.SentencePieceProcessor],
    ) -> None:
        self.name = f"Marian's transformer in NumPy {np.__version__}"
        self.unknown_id: int | None = pieces[0].unk_id()
        self._net, self._decoder_layers = net, decoder_layers
        self._target, self._banned_ids = target, list(banned_ids)
        self._source_pieces, self._target_pieces = pieces

    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `TextReference`."""
        states = self._states(source)
        memory: dict[str, Float32Array] = {}
        for layer in range(self._decoder_layers):
            key, value = self._net.key_value(states, layer)
            memory |= {f"cross_key_{layer}": key.transpose(0, 2, 1), f"cross_value_{layer}": value}
        return memory

    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `TextReference`."""
        states, state = self._states(source), DecoderState()
        outputs, attention = [], []
        for previous in (None, *target[1:]):
            step = self._net.step(states, state, previous)
            state = step.state
            outputs.append(step.output)
            attention.append(step.attention)
        logits = self._logits(outputs)
        most = logits.max(-1)
        normalizer = most + np.log(np.exp(logits - most[:, None]).sum(-1))
        return TeacherForced(logits, normalizer, np.stack(attention, axis=2))

    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `TextReference`."""
        states = self._states(source)
        read: dict[tuple[int, ...], DecoderState] = {}  # by a hypothesis' tokens, the start token included

        def next_logits(hypotheses: Sequence[tuple[int, ...]]) -> Float32Array:
            outputs = []
            for hypothesis in hypotheses:
                is_first = len(hypothesis) == 1
                state = DecoderState() if is_first else read[hypothesis[:-1]]
                step = self._net.step(states, state, None if is_first else hypothesis[-1])
                read[hypothesis] = step.state
                outputs.append(step.output)
            return self._logits(outputs)

        return search(next_logits, self._target, generation)

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        return [*self._source_pieces.encode(text), self._source_pieces.eos_id()]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        return str(self._target_pieces.decode([i for i in ids if i not in self._target.silent_ids]))

    def _states(self, source: Source) -> Float32Array:
        return self._net.encode(np.asarray(source, np.int64))

    def _logits(self, outputs: Sequence[Float32Array]) -> Float32Array:
        logits = self._net.logits(np.stack(outputs))
        logits[:, self._banned_ids] = -np.inf
        return logits
