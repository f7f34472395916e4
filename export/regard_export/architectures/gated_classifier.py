"""The graphs of our gated classifier, `models/regard_models/nets/gated_classifier.py` node by node.

All layers stay float32 in every precision: the convolutions as elsewhere, the others because they are small.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from regard_export.architectures.gates import Gates
from regard_export.architectures.vision_transformer import pixels_input
from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.gated_classifier import GatedClassifierConfig
from regard_service.bundle import LOGITS, TensorSpec


@dataclass(frozen=True)
class GatedClassifierArchitecture:
    """A `GatedClassifier` without normalizations, see `EncodingArchitecture` and `GatedArchitecture`.

    Attributes:
        weights: float32, by the net's parameter names.
    """

    config: GatedClassifierConfig
    weights: Weights
    encoder_layers = 0
    encoder_heads = 0
    query_layers = 0
    query_heads = 0

    @property
    def channel_layers(self) -> int:
        """See `GatedArchitecture`."""
        return self.config.depth if self.config.has_channel_gates else 0

    @property
    def channels(self) -> int:
        """See `GatedArchitecture`."""
        return self.config.widths[-1]

    @property
    def spatial_layers(self) -> int:
        """See `GatedArchitecture`."""
        return self.config.depth if self.config.has_spatial_gates else 0

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The logits."""
        return (TensorSpec(name=LOGITS, dtype="float32", shape=("requests", len(self.config.labels))),)

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self.weights.values())

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        graph = GraphBuilder("encode")
        nodes = _Nodes(graph, self.config, self.weights, requests="requests")
        list(nodes.gates())
        (spec,) = self.memory
        graph.node("Identity", nodes.logits(), output=spec.name)
        graph.output(spec)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx: the gates."""
        graph = GraphBuilder("trace")
        nodes = _Nodes(graph, self.config, self.weights, requests=1)
        sizes = {"channel": self.channels, "spatial": self.config.grid[0] * self.config.grid[1]}
        for layer, kind, gates in nodes.gates():
            name = f"{kind}_attention_{layer}"
            graph.node("Reshape", gates, graph.constant(np.array([sizes[kind]])), output=name)
            graph.output(TensorSpec(name=name, dtype="float32", shape=(sizes[kind],)))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


class _Nodes:
    """Adds the layers; feature maps are [requests, channels, rows, columns]."""

    def __init__(
        self, graph: GraphBuilder, config: GatedClassifierConfig, weights: Weights, *, requests: int | str
    ) -> None:
        self._graph, self._config, self._weights = graph, config, weights
        self._gates = Gates(graph, weights)
        self._features = pixels_input(graph, config.image_size, config.image_size, requests=requests)
        self._convolve("stem", stride=2)

    def gates(self) -> Iterator[tuple[int, str, str]]:
        """Adds the gated layers, and yields the gates: layer, "channel" or "spatial", name."""
        for layer in range(self._config.depth):
            self._convolve(f"layers.{layer}", stride=2 if layer == 0 else 1)
            yield from ((layer, kind, gates) for kind, gates in self._gated(f"gates.{layer}"))

    def logits(self) -> str:
        """Adds what follows the last gate."""
        graph = self._graph
        pooled = graph.node("ReduceMean", self._features, graph.constant(np.array([2, 3])), keepdims=0)
        return self._linear("labels", graph.node("Relu", self._linear("hidden", pooled)))

    def _gated(self, name: str) -> Iterator[tuple[str, str]]:
        if self._config.gate == "squeeze_excitation":
            gates = self._gates.squeeze_excitation(name, self._features)
            self._features = self._gates.of_channels(self._features, gates)
            yield "channel", gates
        if self._config.gate == "cbam":
            gates = self._gates.channel(f"{name}.channel", self._features)
            self._features = self._gates.of_channels(self._features, gates)
            yield "channel", gates
            gates = self._gates.spatial(f"{name}.spatial", self._features)
            self._features = self._gates.of_positions(self._features, gates)
            yield "spatial", gates

    def _convolve(self, name: str, *, stride: int) -> None:
        graph, name = self._graph, f"{name}.conv"
        weight, bias = (
            graph.constant(self._weights[f"{name}.{part}"], f"{name}.{part}") for part in ("weight", "bias")
        )
        convolved = graph.node("Conv", self._features, weight, bias, strides=[stride, stride], pads=[1, 1, 1, 1])
        self._features = graph.node("Relu", convolved)

    def _linear(self, name: str, x: str) -> str:
        weight, bias = (self._graph.constant(self._weights[f"{name}.{part}"], name) for part in ("weight", "bias"))
        return self._graph.node("Gemm", x, weight, bias, transB=1)
