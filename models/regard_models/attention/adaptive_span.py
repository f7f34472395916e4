"""Adaptive attention span (Sukhbaatar et al. 2019, "Adaptive Attention Span in Transformers", section 2.2).

    a_ts = m_z(|t - s|) exp(e_ts) / sum_s' m_z(|t - s'|) exp(e_ts'),   m_z(x) = min(max((R + z - x) / R, 0), 1)

Each head learns the span z of its attention; the mask m falls from 1 to 0 over R positions behind it. A penalty on z,
`mean_span()`, is added to the training's loss. The paper's model is causal; |t - s| extends it to both directions.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.heads import HeadProjections
from regard_models.attention.soft import attend


class AdaptiveSpanAttention(HeadProjections):
    """Multi-head attention whose heads learn how far they look.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        max_span: S, the largest span, in positions.
        ramp: R, in positions.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).

    Raises:
        ValueError: `max_span` or `ramp` is not positive.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        max_span: int,
        ramp: int = 32,
        bias: bool = True,
        scale: float | None = None,
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        for name, number in {"max_span": max_span, "ramp": ramp}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1; it is {number}")
        self.max_span = max_span
        self.ramp = ramp
        # As a share of the largest span, so that a step of the optimizer moves it like other parameters.
        self.span_share = nn.Parameter(torch.zeros(num_heads))

    def spans(self) -> Tensor:
        """z of each head, in positions: float [heads]."""
        return self.span_share.clamp(0, 1) * self.max_span

    def mean_span(self) -> Tensor:
        """The average span of the heads, in positions: the penalty, before its factor."""
        return self.spans().mean()

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        query_positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Lets every query position attend to the memory within the span of each head.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            query_positions: int64 [target]; positions of the queries along the memory; None means 0, 1, 2, ...

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed positions within the
                span, or is 0 if there are none.
        """
        if query_positions is None:
            query_positions = torch.arange(query.shape[1], device=query.device)
        q, k, v = self.project(query, memory)
        distances = (torch.arange(memory.shape[1], device=memory.device) - query_positions[:, None]).abs()
        soft_mask = ((self.ramp + self.spans()[:, None, None] - distances) / self.ramp).clamp(0, 1)
        within = soft_mask > 0  # [heads, target, source]
        # The softmax of e + log m is the equation above, safe for any scores; where m is 0 the mask excludes the pair.
        scores = q @ k.transpose(-1, -2) * self.scale + soft_mask.masked_fill(~within, 1.0).log()
        context, weights = attend(scores, v, within if mask is None else within & mask)
        return self.finish(context), weights
