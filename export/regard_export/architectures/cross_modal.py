"""Cross-modal fusion (Tan & Bansal 2019, section 2.2): the regions of a picture and the words of a text attend to each
other, `regard_models/nets/cross_modal.py` node by node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from regard_export.architectures.traced_layers import squared_norms
from regard_export.architectures.transformer_stack import TransformerStack, present_inputs
from regard_export.descriptions.encoders import FusionDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec

REGIONS, TEXT = "regions", "text"


class FusionStack(TransformerStack):
    """Two residual streams, [requests, regions, width] and [requests, text, width].

    Args:
        text_lengths: int32 [requests], of padded texts; "" for texts of the same length.
    """

    description: FusionDescription

    def __init__(
        self, graph: GraphBuilder, description: FusionDescription, builders: LayerBuilders, text_lengths: str = ""
    ) -> None:
        super().__init__(graph, description, builders)
        self._text_lengths = text_lengths

    def project(self, regions: str, text: str) -> tuple[str, str]:
        """Adds the projections to one width, of regions and of text."""
        projections = ((REGIONS, "region_projection", regions), (TEXT, "text_projection", text))
        region_stream, text_stream = (self.linear(x, self.description.linear(name)) for _, name, x in projections)
        return region_stream, text_stream

    def fuse(self, regions: str, text: str) -> tuple[str, str]:
        """Adds all layers; returns the streams of regions and of text."""
        for layer in range(self.description.fusion.num_layers):
            regions, text = (
                self._side(f"{REGIONS}.{layer}", regions, text),
                self._side(f"{TEXT}.{layer}", text, regions),
            )
        return regions, text

    def _side(self, name: str, x: str, other: str) -> str:
        """One side's half of a layer: cross-attention, self-attention, feed-forward."""
        names = (f"{name}.cross_attention", f"{name}.layer.self_attention", f"{name}.layer.feed_forward")
        sublayers = [
            partial(self.attend_to_other, names[0], other),
            partial(self.attend_to_own, names[1]),
            partial(self.feed_forward, names[2]),
        ]
        return self.run(x, sublayers, [self.norm(sublayer) for sublayer in names])

    def attend_to_own(self, name: str, x: str) -> str:
        """Adds self-attention."""
        return self.attend_unpadded(name, x, lengths=self._text_lengths if _is_of_text(name) else "")

    def attend_to_other(self, name: str, other: str, x: str) -> str:
        """Adds attention to the other side."""
        query = self.linear(x, self.projections(name, "query"))
        both = self.linear(other, self.projections(name, "key", "value"))
        key, value = self.graph.nodes("Split", [both], 2, axis=-1, num_outputs=2)
        context = self.graph.node(
            "com.microsoft.MultiHeadAttention",
            *present_inputs(query, key, value, "", "" if _is_of_text(name) else self._text_lengths),
            num_heads=self.config.num_heads,
            scale=self.score_scale(self.config.width_of_head),
        )
        return self.output(context, name)


@dataclass(frozen=True)
class _Attention:
    """An attention of one side.

    Attributes:
        weights: [heads, queries, keys].
        norms: of the transformed values, [heads, keys].
    """

    weights: str
    norms: str


class TracedFusion(FusionStack):
    """The fusion of one picture with one text, [regions, width] and [text, width]. The weights of all attentions are
    outputs, each layer as two maps among all positions, the text's first: attention to the other side, then to the own.
    """

    def __init__(self, graph: GraphBuilder, description: FusionDescription, builders: LayerBuilders) -> None:
        super().__init__(graph, description, builders)
        self._found: dict[str, _Attention] = {}

    def fuse(self, regions: str, text: str) -> tuple[str, str]:
        """Adds all layers and the outputs."""
        streams = super().fuse(regions, text)
        sizes = [self.graph.node("Shape", x, end=1) for x in (text, regions)]
        for layer in range(self.description.fusion.num_layers):
            text_other, regions_other = self._of_layer(layer, "cross_attention")
            zeros = [self._zeros(size, size) for size in sizes]
            norms = [regions_other.norms, text_other.norms]  # the text's values are read by the regions
            rows = [[zeros[0], text_other.weights], [regions_other.weights, zeros[1]]]
            self._output(2 * layer, rows, norms)
            text_own, regions_own = self._of_layer(layer, "layer.self_attention")
            rows = [[text_own.weights, self._zeros(*sizes)], [self._zeros(*sizes[::-1]), regions_own.weights]]
            self._output(2 * layer + 1, rows, [text_own.norms, regions_own.norms])
        return streams

    def _of_layer(self, layer: int, kind: str) -> tuple[_Attention, _Attention]:
        return self._found[f"{TEXT}.{layer}.{kind}"], self._found[f"{REGIONS}.{layer}.{kind}"]

    def _zeros(self, rows: str, columns: str) -> str:
        """[heads, rows, columns]; the arguments are sizes, int64 [1]."""
        heads = self.graph.constant(np.array([self.config.num_heads]))
        return self.graph.node("ConstantOfShape", self.graph.node("Concat", heads, rows, columns, axis=0))

    def _output(self, number: int, blocks: Sequence[Sequence[str]], norms: Sequence[str]) -> None:
        graph, heads = self.graph, self.config.num_heads
        weights = TensorSpec(name=f"encoder_attention_{number}", dtype="float32", shape=(heads, "source", "source"))
        rows = [graph.node("Concat", *row, axis=2) for row in blocks]
        graph.node("Concat", *rows, axis=1, output=weights.name)
        graph.output(weights)
        sizes = TensorSpec(name=f"encoder_value_norm_{number}", dtype="float32", shape=(heads, "source"))
        graph.node("Concat", *norms, axis=1, output=sizes.name)
        graph.output(sizes)

    def attend_to_own(self, name: str, x: str) -> str:
        """Adds self-attention."""
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        return self._attend(name, *self.graph.nodes("Split", [projected], 3, axis=-1, num_outputs=3))

    def attend_to_other(self, name: str, other: str, x: str) -> str:
        """Adds attention to the other side."""
        both = self.linear(other, self.projections(name, "key", "value"))
        query = self.linear(x, self.projections(name, "query"))
        return self._attend(name, query, *self.graph.nodes("Split", [both], 2, axis=-1, num_outputs=2))

    def _attend(self, name: str, query: str, key: str, value: str) -> str:
        """softmax(q K^T) V; keeps the weights and the norms of the transformed values."""
        graph, config = self.graph, self.config
        scale = graph.constant(np.float32(self.score_scale(config.width_of_head)))
        query, key, value = (self._heads(part) for part in (graph.node("Mul", query, scale), key, value))
        weights = graph.node(
            "Softmax", graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 2, 1])), axis=-1
        )
        squares = squared_norms(graph, self.description.linear(f"{name}.output"), value, config.num_heads)
        self._found[name] = _Attention(weights, graph.node("Sqrt", squares))
        context = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[1, 0, 2])
        return self.output(graph.node("Reshape", context, graph.constant(np.array([-1, config.width]))), name)

    def _heads(self, x: str) -> str:
        """[length, width] -> [heads, length, head width]."""
        shape = self.graph.constant(np.array([-1, self.config.num_heads, self.config.width_of_head]))
        return self.graph.node("Transpose", self.graph.node("Reshape", x, shape), perm=[1, 0, 2])


def _is_of_text(name: str) -> bool:
    """Whether an attention's queries, by its name, are the text's."""
    return name.startswith(f"{TEXT}.")
