"""Nodes of the gates of feature maps: of channels, and of positions."""

import numpy as np

from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder


class Gates:
    """Adds gates and what they let pass; feature maps are float32 [requests, channels, rows, columns].

    Args:
        graph: receives the nodes.
        weights: float32, by the parameter names of the modules in `regard_models.attention`.
    """

    def __init__(self, graph: GraphBuilder, weights: Weights) -> None:
        self._graph, self._weights = graph, weights

    def squeeze_excitation(self, name: str, features: str) -> str:
        """Gates of channels, [requests, channels] (Hu et al. 2018, equations 2 and 3)."""
        return self._graph.node(
            "Sigmoid", self._two_layers(name, ("squeeze", "excite"), self._pooled("Mean", features))
        )

    def channel(self, name: str, features: str) -> str:
        """CBAM's gates of channels, [requests, channels] (Woo et al. 2018, equation 2)."""
        sums = [self._two_layers(name, ("mlp.0", "mlp.2"), self._pooled(kind, features)) for kind in ("Mean", "Max")]
        return self._graph.node("Sigmoid", self._graph.node("Add", *sums))

    def spatial(self, name: str, features: str) -> str:
        """Gates of positions, [requests, 1, rows, columns] (Woo et al. 2018, equation 3)."""
        graph, channels = self._graph, self._graph.constant(np.array([1]))
        pooled = [graph.node(op, features, channels, keepdims=1) for op in ("ReduceMean", "ReduceMax")]
        kernel, bias = (self._weights[f"{name}.conv.{part}"] for part in ("weight", "bias"))
        kernel_name = f"{name}.conv"
        convolved = graph.node(
            "Conv",
            graph.node("Concat", *pooled, axis=1),
            graph.constant(kernel, kernel_name),
            graph.constant(bias, f"{kernel_name}.bias"),
            pads=[kernel.shape[-1] // 2] * 4,
        )
        return graph.node("Sigmoid", convolved)

    def of_channels(self, features: str, gates: str) -> str:
        """The feature map, each channel times its gate."""
        graph = self._graph
        return graph.node("Mul", features, graph.node("Unsqueeze", gates, graph.constant(np.array([2, 3]))))

    def of_positions(self, features: str, gates: str) -> str:
        """The feature map, each position times its gate."""
        return self._graph.node("Mul", features, gates)

    def _pooled(self, kind: str, features: str) -> str:
        return self._graph.node(f"Reduce{kind}", features, self._graph.constant(np.array([2, 3])), keepdims=0)

    def _two_layers(self, name: str, layers: tuple[str, str], x: str) -> str:
        first, last = layers
        return self._linear(f"{name}.{last}", self._graph.node("Relu", self._linear(f"{name}.{first}", x)))

    def _linear(self, name: str, x: str) -> str:
        weight, bias = (self._graph.constant(self._weights[f"{name}.{part}"], name) for part in ("weight", "bias"))
        return self._graph.node("Gemm", x, weight, bias, transB=1)
