"""Hard attention (Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention",
section 4.1).

    s_t ~ Categorical(a_t),   a_t = softmax(score(q_t, m_s)),   c_t = m_{s_t}

One position is looked at, so nothing flows back through the choice; it is trained with REINFORCE (Williams 1992), which
climbs the lower bound sum_s p(s) log p(y | s) of log p(y). For a sampled s, the gradient of a sentence is

    d log p(y | s) + r (log p(y | s) - b) d log p(s) + e d H[s]

with b a moving average of log p(y | s) and H[s] the entropy of the choices, both there to lower the variance.
`hard_attention_loss` is the loss whose gradient that is. A way to train without it: `straight_through.py`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regard_models.attention.masking import masked_log_softmax
from regard_models.attention.score import Score


@dataclass(frozen=True)
class HardSample:
    """What one draw gives.

    Attributes:
        context: float [batch, target, memory_width].
        weights: float [batch, target, source]; one-hot, 0 in rows that allow nothing; without gradient, but for the
            rows that took the expectation.
        log_prob: float [batch, target]; of the chosen position; 0 where there was no choice.
        entropy: float [batch, target]; of the distribution drawn from, in nats.
    """

    context: Tensor
    weights: Tensor
    log_prob: Tensor
    entropy: Tensor


class HardAttention(nn.Module):
    """One position of the memory, drawn in training, the most probable one in inference.

    Args:
        score: how a query and a memory position are compared.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Looks at the most probable position: what inference does. Arguments as in `SoftAttention.forward`.

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
        """Draws a position a query: what training does.

        Args:
            query, memory, mask, keys: as in `SoftAttention.forward`.
            expected_share: the probability with which an entry of the batch takes the expectation, that is soft
                attention, instead of a draw. Xu et al. use 0.5 against the variance of the gradient.
            generator: where randomness comes from; None means torch's own.
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
        """log a and a, both float [batch, target, source] and 0 where not allowed."""
        scores = self.score(query, self.score.prepare(memory) if keys is None else keys)
        logs = masked_log_softmax(scores, mask)
        return logs, logs.exp() if mask is None else logs.exp().masked_fill(~mask, 0.0)


class MovingBaseline(nn.Module):
    """b <- momentum b + (1 - momentum) log p(y | s), averaged over a batch; part of a checkpoint.

    Attributes:
        value: float []; b. Subtract it before the batch updates it, so that b does not depend on the draws it judges.
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
    """The loss whose gradient is that of Xu et al. 2015, section 4.1, with the sign of something to be minimized.

    Args:
        log_likelihood: float [batch]; log p(y | s) of each sentence, its tokens summed.
        log_prob: float [batch, target]; of the draws, from `HardAttention.sample`.
        entropy: float [batch, target]; likewise.
        baseline: float [], b.
        target_mask: bool [batch, target]; False on padding, whose draws do not count.
        reward_weight: r above.
        entropy_weight: e above; more keeps the choice open for longer.

    Returns:
        loss: float []. Only its gradient means something; to watch a training, watch `log_likelihood`.
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
    """Times a_s / E_s with E_s ~ Exponential(1): the highest is s with probability a_s, and zeros never win."""
    return probabilities / torch.empty_like(probabilities).exponential_(generator=generator)


def _coins(memory: Tensor, generator: torch.Generator | None) -> Tensor:
    """One uniform number in [0, 1) an entry of the batch: float [batch, 1, 1]."""
    return torch.rand(len(memory), 1, 1, dtype=memory.dtype, device=memory.device, generator=generator)
