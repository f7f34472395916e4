"""The pointer-generator's output (See et al. 2017, section 2.2, equations 8 and 9).

    p_gen = sigmoid(w_c^T c_t + w_q^T q_t + w_x^T x_t + b)
    P(w) = p_gen P_vocabulary(w) + (1 - p_gen) sum_{s: w_s = w} a_ts

Attention weights are probabilities of copying, so that the model can output source words that the vocabulary lacks.
"""

import torch
from torch import Tensor, nn


class PointerGenerator(nn.Module):
    """The gate between generating a word of the vocabulary and copying a word of the source.

    Args:
        context_width, query_width, input_width: widths of the attention's context, of the decoder's state and of its
            input embedding.
    """

    def __init__(self, context_width: int, query_width: int, input_width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(context_width + query_width + input_width, 1)

    def p_generate(self, context: Tensor, query: Tensor, inputs: Tensor) -> Tensor:
        """Equation 8; arguments as in `forward`: float [batch, target, 1], the probability of not copying."""
        return torch.sigmoid(self.gate(torch.cat([context, query, inputs], dim=-1)))

    def forward(
        self,
        context: Tensor,
        query: Tensor,
        inputs: Tensor,
        vocabulary: Tensor,
        weights: Tensor,
        source_ids: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Mixes the vocabulary's distribution with that of copying.

        Args:
            context: float [batch, target, context_width]; of the attention for each query.
            query: float [batch, target, query_width]; the decoder's states.
            inputs: float [batch, target, input_width]; the embedded inputs of the decoder.
            vocabulary: float [batch, target, vocabulary]; probabilities, from a softmax.
            weights: float [batch, target, source]; of the attention; 0 on padding.
            source_ids: int64 [batch, source]; the word of each position: a vocabulary id, or `vocabulary + i` for the
                i-th distinct source word that the vocabulary lacks, of which there are at most `source`.

        Returns:
            probabilities: float [batch, target, vocabulary + source]; sums to 1 if the weights do.
            copied: float [batch, target, source]; (1 - p_gen) a, the probability of copying each position.
        """
        p_generate = self.p_generate(context, query, inputs)
        copied = (1 - p_generate) * weights
        extended = torch.cat([p_generate * vocabulary, torch.zeros_like(weights)], dim=-1)
        index = source_ids[:, None, :].expand_as(copied)
        return extended.scatter_add(-1, index, copied), copied
