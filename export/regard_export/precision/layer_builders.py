"""The layers that differ between precisions: linear layers and embeddings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder

LinearBuilder = Callable[[GraphBuilder, str, Linear], str]
"""Adds a linear layer to a graph: (graph, input's name, layer) -> output's name."""


class ListedHead(Protocol):
    """Adds the projection to a list of words, whose weights the step graph reads as inputs."""

    def select(self, graph: GraphBuilder, layer: Linear, ids: str) -> None:
        """Adds the outputs of the select graph: the weights of the words with these ids, int64 [words]."""

    def project(self, graph: GraphBuilder, x: str, layer: Linear) -> str:
        """Adds x W^T, float32 [slots, words], for x [slots, width] and the list's rows of W; without the bias.

        Args:
            layer: the projection to the whole vocabulary, whose weight W is.
        """


@dataclass(frozen=True)
class LayerBuilders:
    """Adds the layers of one graph in one precision. Every builder computes each row from that row alone.

    Attributes:
        linear: adds y = x W^T + b; y has x's rank.
        head: adds the projection to the vocabulary of x [slots, width]. If the layer's weight is an embedding's table,
            `head` and `embed` store the same bytes.
        embed: adds a lookup: (graph, table float32 [vocabulary, ..., width], ids) -> [ids, ..., width].
        is_ranking_grouped: whether candidates are ranked in groups, which is faster on CPUs. GPUs sort in parallel,
            and may lack operators that the groups need.
        listed: the projection to a list of words, with the same logits as `head`; None where there is none.
    """

    linear: LinearBuilder
    head: LinearBuilder
    embed: Callable[[GraphBuilder, Float32Array, str], str]
    is_ranking_grouped: bool = True
    listed: ListedHead | None = None

    @property
    def list_head(self) -> ListedHead:
        """The projection to a list of words. Raises ValueError: this precision has none."""
        if self.listed is None:
            raise ValueError("this precision has no projection to a list of words")
        return self.listed


@dataclass(frozen=True)
class PrecisionBuilders:
    """The builders of a precision's two graphs: encode has a row per source token, step only a row per slot."""

    encode: LayerBuilders
    step: LayerBuilders
