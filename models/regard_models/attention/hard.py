"""Hard attention (Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention",
section 4.1).

    s_t ~ Categorical(a_t),   a_t = softmax(score(q_t, m_s)),   c_t = m_{s_t}

Attention selects one position, so no gradient passes through the choice; REINFORCE (Williams 1992) trains it, by
maximizing the lower bound sum_s p(s) log p(y | s) of log p(y). For a sampled s, the gradient of a sentence is

    d log p(y | s) + r (log p(y | s) - b) d log p(s) + e d H[s]

with b a moving average of log p(y | s) and H[s] the entropy of the choices, both of which reduce the variance.
`hard_attention_loss` is the loss with this gradient. `straight_through.py` trains without REINFORCE.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regard_models.attention.masking import masked_log_softmax
from regard_models.attention.score import Score


@dataclass(frozen=True)
class HardSample:
    """The result of one draw.

    Attributes:
        context: float [batch, target, memory_width].
        weights: float [batch, target, source]; one-hot, 0 in rows that allow nothing; without gradient, except in
            rows that took the expectation.
        log_prob: float [batch, target]; of the chosen position; 0 in rows without a choice.
        entropy: float [batch, target]; of the drawn distribution, in nats.
    """

    context: Tensor
    weights: Tensor
    log_prob: Tensor
    entropy: Tensor


class HardAttention(nn.Module):
    """Selects one position of the memory: a drawn one in training, the most probable one in inference.

    Args:
        score: the score of a query and a memory position.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Selects the most probable position, for inference. Arguments as in `SoftAttention.forward`.

        Returns:
            context: float [batch, target, memory_width]: the memory at one position; 0 in rows that allow nothing.
            weights: float [batch, target, source]; one-hot (the first of equals); 0 in rows that allow nothing.
                They carry no gradient.
        """
        _, probabilities = self._distribution(query, memory, mask, keys)
        weights = one_hot_of_highest(probabilities.detach())
        return weights @ memory, weights

    def sample(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        keys: Tensor | None = None,
        expected_share: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> HardSample:
        """Draws one position per query, for training.

        Args:
            query, memory, mask, keys: as in `SoftAttention.forward`.
            expected_share: probability that an entry of the batch takes the expectation, that is soft attention,
                instead of a draw. Xu et al. use 0.5 against the variance of the gradient.
            generator: source of randomness; None means torch's default.
        """
        log_probabilities, probabilities = self._distribution(query, memory, mask, keys)
        drawn = one_hot_of_highest(_race(probabilities.detach(), generator))
        takes_expectation = _coins(memory, generator) < expected_share  # [batch, 1, 1]
        weights = torch.where(takes_expectation, probabilities, drawn)
        log_prob = (drawn * log_probabilities).sum(-1).masked_fill(takes_expectation.squeeze(-1), 0.0)
        entropy = -(probabilities * log_probabilities).sum(-1)
        return HardSample(weights @ memory, weights, log_prob, entropy)

    def _distribution(
        self, query: Tensor, memory: Tensor, mask: Tensor | None, keys: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Returns log a and a, both float [batch, target, source] and 0 where not allowed."""
        scores = self.score(query, self.score.prepare(memory) if keys is None else keys)
        logs = masked_log_softmax(scores, mask)
        return logs, logs.exp() if mask is None else logs.exp().masked_fill(~mask, 0.0)


class MovingBaseline(nn.Module):
    """b <- momentum b + (1 - momentum) log p(y | s), averaged over a batch; part of a checkpoint.

    Attributes:
        value: float []; b. Subtract it before the batch updates it, so that b does not depend on the batch's draws.
    """

    value: Tensor

    def __init__(self, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(()))

    def update(self, log_likelihood: Tensor) -> None:
        """log_likelihood: float [batch]; log p(y | s) of each sentence."""
        self.value.lerp_(log_likelihood.detach().mean().to(self.value.dtype), 1 - self.momentum)


def hard_attention_loss(
    log_likelihood: Tensor,
    log_prob: Tensor,
    entropy: Tensor,
    baseline: Tensor,
    *,
    target_mask: Tensor | None = None,
    reward_weight: float = 1.0,
    entropy_weight: float = 0.002,
) -> Tensor:
    """The loss whose negative gradient is that of Xu et al. 2015, section 4.1.

    Args:
        log_likelihood: float [batch]; log p(y | s) of each sentence, the sum over its tokens.
        log_prob: float [batch, target]; of the draws, from `HardAttention.sample`.
        entropy: float [batch, target]; likewise.
        baseline: float [], b.
        target_mask: bool [batch, target]; False on padding, whose draws do not count.
        reward_weight: r above.
        entropy_weight: e above; larger values keep the distribution flat for longer.

    Returns:
        loss: float []. Only its gradient is meaningful; `log_likelihood` shows the progress of training.
    """
    if target_mask is not None:
        log_prob, entropy = log_prob.masked_fill(~target_mask, 0.0), entropy.masked_fill(~target_mask, 0.0)
    advantage = (log_likelihood - baseline).detach()
    reinforce = reward_weight * advantage * log_prob.sum(-1)
    return -(log_likelihood + reinforce + entropy_weight * entropy.sum(-1)).mean()


def one_hot_of_highest(probabilities: Tensor) -> Tensor:
    """float [..., source] -> float [..., source]: 1 at the highest, the first of equals; 0 where all are 0."""
    positions = torch.arange(probabilities.shape[-1], device=probabilities.device)
    chosen = (positions == probabilities.argmax(-1, keepdim=True)) & (probabilities > 0)
    return chosen.to(probabilities.dtype)


def _race(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """Computes a_s / E_s with E_s ~ Exponential(1): the largest is s with probability a_s, and zeros never win."""
    return probabilities / torch.empty_like(probabilities).exponential_(generator=generator)


def _coins(memory: Tensor, generator: torch.Generator | None) -> Tensor:
    """One uniform number in [0, 1) per entry of the batch: float [batch, 1, 1]."""
    return torch.rand(len(memory), 1, 1, dtype=memory.dtype, device=memory.device, generator=generator)
