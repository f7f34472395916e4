"""What each position adds to the output of an attention sublayer, for trace.onnx.

The output of a sublayer is a sum of vectors: y_t = r_t + sum_j T_t(x_j) + b, with r_t the residual and T_t(x_j) =
sum_h a_h(t, j) v_h(x_j) W_O^h what position j adds (Kobayashi et al. 2020, eq. 3). The contribution of a vector T is
how much of y it explains: max(0, ||y|| - ||y - T||) (Ferrando et al. 2022, "Measuring the Mixing of Contextual
Information in the Transformer", eqs. 9 and 10; there with the 1-norm, here with the 2-norm, which needs no vector for
each pair of positions). With normalization after the sublayer, all vectors are those behind its linear part (section
3.1).
"""

import numpy as np

from regard_export.descriptions.layers import Norm
from regard_export.onnx_graph.builder import GraphBuilder


class ContributionNodes:
    """Adds the contributions to one sublayer.

    Args:
        norm: normalizes the sum of update and residual; None: nothing does.
        is_centered: whether that normalization subtracts the mean.
    """

    def __init__(self, graph: GraphBuilder, norm: Norm | None, *, is_centered: bool) -> None:
        self._graph = graph
        self._norm = norm
        self._is_centered = is_centered

    def of_positions(self, weights: str, vectors: str, total: str) -> tuple[str, str]:
        """Returns the contributions of positions to y: by head, [heads, queries, keys], and of all heads together.

        Args:
            weights: of the attention, float32 [heads, queries, keys].
            vectors: the transformed values v W_O, float32 [heads, keys, width].
            total: y before normalization, float32 [queries, width].
        """
        graph, vectors, y = self._graph, self._linear_part(vectors), self._linear_part(total)
        shares = graph.node("MatMul", y, graph.node("Transpose", vectors, perm=[0, 2, 1]))  # y . v W_O
        products = graph.node("Mul", weights, shares)  # y . T_h: [heads, queries, keys]
        lengths = graph.node("Unsqueeze", self._squares(vectors), self._axis(1))
        squares = graph.node("Mul", graph.node("Mul", weights, weights), lengths)
        by_head = self._explained(y, products, squares)
        together = graph.node("ReduceSum", products, self._axis(0), keepdims=0)
        return by_head, self._explained(y, together, self._squares_of_sums(weights, vectors))

    def of_residual(self, residual: str, total: str) -> str:
        """Returns the residual's contribution: float32 [queries]; both are [queries, width]."""
        graph, r, y = self._graph, self._linear_part(residual), self._linear_part(total)
        products = graph.node("ReduceSum", graph.node("Mul", r, y), self._axis(-1), keepdims=1)
        squares = graph.node("Unsqueeze", self._squares(r), self._axis(-1))
        return graph.node("Squeeze", self._explained(y, products, squares), self._axis(-1))

    def _linear_part(self, x: str) -> str:
        """The normalization without its division, which is the same for all vectors of a sum, and its bias."""
        if self._norm is None:
            return x
        graph = self._graph
        if self._is_centered:
            x = graph.node("Sub", x, graph.node("ReduceMean", x, self._axis(-1), keepdims=1))
        return graph.node("Mul", x, graph.constant(self._norm.gain, self._norm.name))

    def _squares_of_sums(self, weights: str, vectors: str) -> str:
        """||sum_h a_h v_h W_O||^2 by the products of the heads' vectors: float32 [queries, keys]."""
        graph = self._graph
        by_key = graph.node("Transpose", vectors, perm=[1, 0, 2])  # [keys, heads, width]
        gram = graph.node("MatMul", by_key, graph.node("Transpose", by_key, perm=[0, 2, 1]))
        shares = graph.node("Transpose", weights, perm=[2, 1, 0])  # [keys, queries, heads]
        squares = graph.node("Mul", graph.node("MatMul", shares, gram), shares)
        return graph.node("Transpose", graph.node("ReduceSum", squares, self._axis(-1), keepdims=0), perm=[1, 0])

    def _explained(self, y: str, products: str, squares: str) -> str:
        """max(0, ||y|| - ||y - T||). Args: products: y . T; squares: ||T||^2; both [..., queries, keys]."""
        graph = self._graph
        of_y = graph.node("Unsqueeze", self._squares(y), self._axis(-1))  # [queries, 1]
        rest = graph.node("Sub", graph.node("Add", of_y, squares), graph.node("Add", products, products))
        distance = graph.node("Sqrt", graph.node("Relu", rest))  # rounding may yield a tiny negative number
        return graph.node("Relu", graph.node("Sub", graph.node("Sqrt", of_y), distance))

    def _squares(self, x: str) -> str:
        """||x||^2 along the last axis."""
        return self._graph.node("ReduceSumSquare", x, self._axis(-1), keepdims=0)

    def _axis(self, number: int) -> str:
        return self._graph.constant(np.array([number]))
