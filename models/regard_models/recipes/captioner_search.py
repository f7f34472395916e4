"""Searches captions with a captioner in PyTorch: greedy search, sampling and beam search."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard_models.nets.captioner import Captioner, Tensors
from regard_models.recipes.captioner_data import CaptionVocabulary

MAX_NEW_TOKENS = 30
IMAGES_AT_A_TIME = 100


@torch.inference_mode()
def caption(
    model: Captioner,
    vocabulary: CaptionVocabulary,
    features: NDArray[np.float16],
    *,
    device: str,
    num_beams: int = 1,
    length_penalty: float = 1.0,
) -> list[str]:
    """Writes one caption per image.

    Args:
        features: float16 [images, channels, rows, columns].
        num_beams: number of kept hypotheses; 1 is greedy search.
        length_penalty: ranks hypotheses by log-probability / length ** length_penalty.
    """
    model.eval()
    captions = []
    for first in range(0, len(features), IMAGES_AT_A_TIME):
        group = torch.from_numpy(np.array(features[first : first + IMAGES_AT_A_TIME])).to(device).float()
        memory = model.memory(group)
        if num_beams == 1:
            ids = greedy(model, vocabulary, memory)
        else:
            ids = beam_search(model, vocabulary, memory, num_beams=num_beams, length_penalty=length_penalty)
        captions += [vocabulary.decode(row) for row in ids.tolist()]
    return captions


def greedy(model: Captioner, vocabulary: CaptionVocabulary, memory: Tensors) -> Tensor:
    """int64 [rows, target]: the most probable tokens, without the start token, padded after the end token."""
    return _write(model, vocabulary, memory, lambda logits: logits.argmax(-1))


def sample(model: Captioner, vocabulary: CaptionVocabulary, memory: Tensors) -> Tensor:
    """Like `greedy`, with tokens drawn from the model's distribution."""
    return _write(model, vocabulary, memory, draw)


def draw(logits: Tensor) -> Tensor:
    """Draws one token per row by inverting the distribution function, in a seventh of `torch.multinomial`'s time.

    Args:
        logits: float [rows, vocabulary].

    Returns:
        tokens: int64 [rows].
    """
    reached = logits.float().softmax(-1).cumsum(-1)
    thresholds = torch.rand(len(logits), 1, device=logits.device) * reached[:, -1:]
    return torch.searchsorted(reached, thresholds, right=True).squeeze(1).clamp_max(logits.shape[1] - 1)


def beam_search(
    model: Captioner, vocabulary: CaptionVocabulary, memory: Tensors, *, num_beams: int, length_penalty: float
) -> Tensor:
    """int64 [images, target]: the best hypothesis of each image, without the start token, padded after its end.

    An image ends when its best finished hypothesis ranks above all live hypotheses.
    """
    images, device = len(memory[0]), memory[0].device
    memory = repeat_rows(memory, num_beams)
    state, written = model.start(memory), torch.empty(images, num_beams, 0, dtype=torch.int64, device=device)
    tokens = torch.full((images, num_beams), vocabulary.start_id, device=device)
    scores = torch.full((images, num_beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # all hypotheses start equal, so only one counts
    best = torch.full((images, MAX_NEW_TOKENS), vocabulary.pad_id, device=device)
    best_scores = torch.full((images,), -torch.inf, device=device)
    every = torch.arange(images, device=device)
    for length in range(1, MAX_NEW_TOKENS + 1):
        step = model.step(tokens.flatten(), memory, state)
        totals = scores[..., None] + step.logits.log_softmax(-1).unflatten(0, (images, num_beams))
        is_last = length == MAX_NEW_TOKENS  # the last position ends all hypotheses
        ending = scores if is_last else totals[..., vocabulary.end_id]
        ended, beam = (ending / length**length_penalty).max(1)
        better = ended > best_scores
        best_scores = torch.where(better, ended, best_scores)
        best[better, : length - 1] = written[every, beam][better]
        best[better, length - 1] = vocabulary.end_id
        totals[..., vocabulary.end_id] = -torch.inf
        scores, flat = totals.flatten(1).topk(num_beams)
        parents, tokens = flat // totals.shape[-1], flat % totals.shape[-1]
        if is_last or (best_scores >= scores[:, 0] / length**length_penalty).all():
            break
        written = torch.cat([written[every[:, None], parents], tokens[..., None]], dim=2)
        rows = (every[:, None] * num_beams + parents).flatten()
        state = tuple(x[rows] for x in step.state)
    return best


def repeat_rows(tensors: Tensors, times: int) -> Tensors:
    """Repeats each row `times` times in consecutive places."""
    return tuple(x.repeat_interleave(times, dim=0) for x in tensors)


def _write(
    model: Captioner, vocabulary: CaptionVocabulary, memory: Tensors, choose: Callable[[Tensor], Tensor]
) -> Tensor:
    rows = len(memory[0])
    tokens = torch.full((rows,), vocabulary.start_id, device=memory[0].device)
    finished, state = torch.zeros_like(tokens, dtype=torch.bool), model.start(memory)
    written: list[Tensor] = []
    while len(written) < MAX_NEW_TOKENS and not finished.all():
        step = model.step(tokens, memory, state)
        tokens, state = choose(step.logits).masked_fill(finished, vocabulary.pad_id), step.state
        finished |= tokens == vocabulary.end_id
        written.append(tokens)
    return torch.stack(written, dim=1)
