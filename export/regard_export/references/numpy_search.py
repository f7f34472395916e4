"""Greedy and beam search in plain NumPy, for originals that run without PyTorch; equal to `transformers`' generate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from regard.arrays import Float32Array
from regard_export.references.protocols import Generated
from regard_service.bundle import Target
from regard_service.generation import Generation

Ids = tuple[int, ...]
NextLogits = Callable[[Sequence[Ids]], Float32Array]
"""The logits after each hypothesis, [hypotheses, vocabulary]; a hypothesis begins with the start token."""


def search(next_logits: NextLogits, target: Target, generation: Generation) -> Generated:
    """Generates from one source.

    Raises:
        ValueError: the settings have a constraint, which this search does not know.
    """
    plain = Generation(
        generation.max_new_tokens,
        num_beams=generation.num_beams,
        length_penalty=generation.length_penalty,
        early_stopping=generation.early_stopping,
    )
    if generation != plain:
        raise ValueError(f"this search knows no constraints: {generation}")
    if generation.num_beams == 1:
        return _greedy(next_logits, target, generation.max_new_tokens)
    return _BeamSearch(next_logits, target, generation).run()


def _greedy(next_logits: NextLogits, target: Target, max_new_tokens: int) -> Generated:
    tokens: list[int] = []
    while len(tokens) < max_new_tokens and tokens[-1:] not in ([end] for end in target.end_ids):
        tokens.append(int(next_logits([(target.start_id, *tokens)])[0].argmax()))
    return Generated(tokens, None)


@dataclass(order=True)
class _Hypothesis:
    """A hypothesis with the sum of its log-probabilities, or with its final score; ids begin with the start token."""

    score: float
    ids: Ids = field(compare=False)


class _BeamSearch:
    """Beam search over one source.

    A step ranks all continuations of the running hypotheses. Those among the best `num_beams` that end become finished
    ones; the best that do not end run on. A finished hypothesis' score is its log-probability divided by its length to
    the power of `length_penalty` (Wu et al. 2016, equation 14, simplified).
    """

    def __init__(self, next_logits: NextLogits, target: Target, generation: Generation) -> None:
        self._next_logits, self._target, self._generation = next_logits, target, generation
        self._running = [_Hypothesis(0.0, (target.start_id,))]
        self._finished: list[_Hypothesis] = []  # the best first, at most as many as beams

    def run(self) -> Generated:
        """The best hypothesis."""
        for length in range(1, self._generation.max_new_tokens + 1):
            self._advance(length)
            if self._is_done(length):
                break
        best = self._finished[0]
        return Generated(list(best.ids[1:]), best.score)

    def _advance(self, length: int) -> None:
        num_beams, is_last = self._generation.num_beams, length == self._generation.max_new_tokens
        candidates, running = self._candidates(), list[_Hypothesis]()
        for rank, candidate in enumerate(candidates):
            if is_last or candidate.ids[-1] in self._target.end_ids:
                if rank < num_beams:
                    self._finish(candidate, length)
            elif len(running) < num_beams:
                running.append(candidate)
        self._running = running

    def _candidates(self) -> list[_Hypothesis]:
        """The best continuations, enough for each beam to run on whichever of them end."""
        logits = self._next_logits([hypothesis.ids for hypothesis in self._running]).astype(np.float64)
        largest = logits.max(-1, keepdims=True)
        logprobs = logits - largest - np.log(np.exp(logits - largest).sum(-1, keepdims=True))
        scores = (logprobs + np.array([[hypothesis.score] for hypothesis in self._running])).ravel()
        number = min(max(2, 1 + len(self._target.end_ids)) * self._generation.num_beams, int(np.isfinite(scores).sum()))
        best = np.argsort(-scores, kind="stable")[:number]
        rows, tokens = np.divmod(best, logits.shape[-1])
        return [
            _Hypothesis(float(scores[i]), (*self._running[row].ids, int(token)))
            for i, row, token in zip(best, rows, tokens, strict=True)
        ]

    def _finish(self, candidate: _Hypothesis, length: int) -> None:
        """Keeps a finished hypothesis if it is among the best."""
        is_full = len(self._finished) == self._generation.num_beams
        if is_full and self._generation.early_stopping == "first":
            return
        scored = _Hypothesis(candidate.score / length**self._generation.length_penalty, candidate.ids)
        self._finished = sorted([*self._finished, scored], reverse=True)[: self._generation.num_beams]

    def _is_done(self, length: int) -> bool:
        """Whether no running hypothesis may become better than all finished ones."""
        settings = self._generation
        if not self._running:
            return True
        if len(self._finished) < settings.num_beams:
            return False
        if settings.early_stopping == "first":
            return True
        is_optimistic = settings.early_stopping == "never" and settings.length_penalty > 0
        longest = settings.max_new_tokens if is_optimistic else length
        best_possible: float = self._running[0].score / longest**settings.length_penalty
        return best_possible <= self._finished[-1].score
