"""select.onnx: from the ids of a list's words to the weights that a listed step reads."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.descriptions.layers import Linear
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_export.precision.listed_heads import LIST_IDS


def build_transformer_select(description: TransformerWeights, builders: LayerBuilders) -> BuiltGraph:
    """Builds select.onnx of a transformer."""
    stack = TransformerStack(GraphBuilder("select"), description, builders)
    return build_select(stack.graph, stack.projection, builders, description.banned_ids)


def build_select(
    graph: GraphBuilder, projection: Linear, builders: LayerBuilders, banned_ids: Sequence[int] = ()
) -> BuiltGraph:
    """Builds select.onnx.

    Args:
        graph: empty.
        projection: to the whole vocabulary.
        builders: with a projection to a list.
        banned_ids: tokens that are never candidates: their bias is minus infinity.
    """
    chosen = Linear(projection.name, projection.weight, _bias(projection, banned_ids), projection.int8)
    builders.list_head.select(graph, chosen, graph.input(LIST_IDS))
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _bias(projection: Linear, banned_ids: Sequence[int]) -> Float32Array | None:
    """The projection's bias, float32 [vocabulary], with minus infinity for banned tokens."""
    if not banned_ids:
        return projection.bias
    bias = np.zeros(len(projection.weight), np.float32) if projection.bias is None else projection.bias.copy()
    bias[list(banned_ids)] = -np.inf
    return bias
