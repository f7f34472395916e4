"""Nodes of a ResNet (He et al. 2016, "Deep Residual Learning for Image Recognition"), normalizations folded in.

Convolutions stay float32 in every precision.
"""

from regard_export.descriptions.detection_transformer import ResidualLayer
from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder


class ResidualNetwork:
    """Adds the layers; feature maps are [requests, channels, rows, columns].

    Args:
        weights: convolutions by name, `backbone.NAME.weight` and `.bias`.
    """

    def __init__(self, graph: GraphBuilder, weights: Weights) -> None:
        self._graph, self._weights = graph, weights

    def features(self, pixels: str, stem: str, layers: tuple[ResidualLayer, ...]) -> str:
        """The stem, a pooling, and the layers."""
        graph = self._graph
        x = graph.node("Relu", self._conv(stem, pixels, 2))
        x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for layer in layers:
            x = self._layer(layer, x)
        return x

    def _layer(self, layer: ResidualLayer, x: str) -> str:
        graph, y = self._graph, x
        for index, (name, stride) in enumerate(zip(layer.convolutions, layer.strides, strict=True)):
            y = self._conv(name, y, stride)
            if index + 1 < len(layer.convolutions):
                y = graph.node("Relu", y)
        skip = self._conv(layer.shortcut, x, layer.stride) if layer.shortcut else x
        return graph.node("Relu", graph.node("Add", y, skip))

    def _conv(self, name: str, x: str, stride: int) -> str:
        graph, weight = self._graph, self._weights[f"backbone.{name}.weight"]
        return graph.node(
            "Conv",
            x,
            graph.constant(weight, name),
            graph.constant(self._weights[f"backbone.{name}.bias"], f"{name}.bias"),
            strides=[stride, stride],
            pads=[weight.shape[-1] // 2] * 4,
        )
