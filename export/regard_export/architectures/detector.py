"""The graphs of our detector, `models/regard_models/nets/detector.py` node by node. Every cell is a query.

All layers are convolutions, which stay float32 in every precision.
"""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.traced_layers import squared_norms
from regard_export.architectures.vision_transformer import pixels_input
from regard_export.descriptions.layers import Linear, Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.detector import NO_OBJECT, SUPPRESSION, DetectorConfig
from regard_service.bundle import BOX_LOGITS, BOXES, TensorSpec


@dataclass(frozen=True)
class DetectorArchitecture:
    """A `Detector` without normalizations, see `EncodingArchitecture`.

    Attributes:
        weights: float32, by the net's parameter names.
    """

    config: DetectorConfig
    weights: Weights
    encoder_layers = 0
    encoder_heads = 0
    query_heads = 1

    @property
    def num_cells(self) -> int:
        """Queries, and positions of the source axis."""
        return self.config.grid[0] * self.config.grid[1]

    @property
    def query_layers(self) -> int:
        """The non-local block, if there is one."""
        return int(self.config.is_non_local)

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The candidates."""
        return (
            TensorSpec(name=BOX_LOGITS, dtype="float32", shape=("requests", self.num_cells, len(self.config.labels))),
            TensorSpec(name=BOXES, dtype="float32", shape=("requests", self.num_cells, 4)),
        )

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self.weights.values())

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        graph = GraphBuilder("encode")
        nodes = _DetectorNodes(graph, self.config, self.weights)
        logits, geometry = nodes.heads(nodes.features(requests="requests"))
        for value, spec in zip((nodes.suppressed(logits), nodes.boxes(geometry)), self.memory, strict=True):
            graph.node("Transpose", nodes.flat(value), perm=[0, 2, 1], output=spec.name)
            graph.output(spec)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx: the weights of the non-local block, and the norms of what each cell gives to others."""
        graph = GraphBuilder("trace")
        nodes = _DetectorNodes(graph, self.config, self.weights)
        weights, value = nodes.attention(nodes.convolutions(requests=1))
        out = self.weights["non_local.output.weight"]
        norms = squared_norms(graph, Linear("non_local.output", out[:, :, 0, 0]), value, num_heads=1)
        cells = self.num_cells
        for op, x, name, shape in (
            ("Identity", weights, "cross_attention_0", (1, cells, cells)),  # one picture, one head
            ("Sqrt", norms, "cross_value_norm_0", (1, cells)),
        ):
            graph.node(op, x, output=name)
            graph.output(TensorSpec(name=name, dtype="float32", shape=shape))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


class _DetectorNodes:
    """Adds the layers; feature maps are [requests, channels, rows, columns]."""

    def __init__(self, graph: GraphBuilder, config: DetectorConfig, weights: Weights) -> None:
        self._graph, self._config, self._weights = graph, config, weights

    def features(self, *, requests: int | str) -> str:
        """All layers before the heads."""
        x = self.convolutions(requests=requests)
        if self._config.is_non_local:
            weights, value = self.attention(x)
            graph, width = self._graph, self._config.inner_channels
            context = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[0, 2, 1])
            shape = graph.constant(np.array([0, width, *self._config.grid]))
            x = graph.node("Add", x, self._conv("non_local.output", graph.node("Reshape", context, shape)))
        return self._relu("mixing", x)

    def convolutions(self, *, requests: int | str) -> str:
        """The layers before the non-local block, with the graph's input."""
        size = self._config.image_size
        x = pixels_input(self._graph, size, size, requests=requests)
        for layer in range(self._config.depth + 2):
            x = self._relu(f"layers.{layer}", x, stride=2 if layer < 2 else 1)
        return x

    def attention(self, features: str) -> tuple[str, str]:
        """Weights [requests, cells, cells] and values [requests, cells, inner] (Wang et al. 2018, eq. 3)."""
        graph = self._graph
        query, key, value = (self.flat(self._conv(f"non_local.{kind}", features)) for kind in ("query", "key", "value"))
        scores = graph.node("MatMul", graph.node("Transpose", query, perm=[0, 2, 1]), key)
        return graph.node("Softmax", scores, axis=-1), graph.node("Transpose", value, perm=[0, 2, 1])

    def heads(self, features: str) -> tuple[str, str]:
        """Logits of labels, and geometry before the logistic function."""
        return self._conv("labels", features), self._conv("geometry", features)

    def suppressed(self, logits: str) -> str:
        """Logits lowered where a neighbour is surer, see `DetectorOutput.decoded`."""
        graph = self._graph
        best = graph.node("MaxPool", logits, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
        behind = graph.node("Mul", graph.node("Sub", best, logits), graph.constant(np.float32(SUPPRESSION)))
        return graph.node("Max", graph.node("Sub", logits, behind), graph.constant(np.float32(NO_OBJECT)))

    def boxes(self, geometry: str) -> str:
        """Centres and sizes as parts of the picture: [requests, 4, rows, columns]."""
        graph, (rows, columns) = self._graph, self._config.grid
        scale = np.array([1 / columns, 1 / rows, 1, 1], np.float32)[:, None, None]
        first = np.zeros((4, rows, columns), np.float32)
        first[0], first[1] = np.arange(columns) / columns, np.arange(rows)[:, None] / rows
        parts = graph.node("Mul", graph.node("Sigmoid", geometry), graph.constant(scale))
        return graph.node("Add", parts, graph.constant(first))

    def flat(self, x: str) -> str:
        """[requests, channels, rows, columns] -> [requests, channels, cells]."""
        return self._graph.node("Reshape", x, self._graph.constant(np.array([0, 0, -1])))

    def _relu(self, name: str, x: str, *, stride: int = 1) -> str:
        return self._graph.node("Relu", self._conv(f"{name}.conv", x, stride=stride))

    def _conv(self, name: str, x: str, *, stride: int = 1) -> str:
        graph, weight = self._graph, self._weights[f"{name}.weight"]
        return graph.node(
            "Conv",
            x,
            graph.constant(weight, name),
            graph.constant(self._weights[f"{name}.bias"], f"{name}.bias"),
            strides=[stride, stride],
            pads=[weight.shape[-1] // 2] * 4,
        )
