"""The captioners' convolutional encoder, with optional attention blocks behind it."""

from collections.abc import Sequence

import numpy as np

from regard_export.architectures.gates import Gates
from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_models.nets.captioner import Block
from regard_models.nets.efficientnet import EfficientNetConfig, same_padding
from regard_service.bundle import TensorSpec


def pixels_spec(config: EfficientNetConfig) -> TensorSpec:
    """The encoder's input."""
    return TensorSpec(name="pixels", dtype="float32", shape=("requests", 3, config.image_size, config.image_size))


class ConvolutionalEncoder:
    """Adds nodes that compute feature maps, float32 [requests, channels, rows, columns].

    Args:
        graph: receives the nodes.
        weights: float32, by the parameter names of `Captioner`.
    """

    def __init__(self, graph: GraphBuilder, weights: Weights) -> None:
        self._graph = graph
        self._weights = weights
        self._gates = Gates(graph, weights)

    def features(self, config: EfficientNetConfig, pixels: str) -> str:
        """EfficientNet-Lite, `nets/efficientnet.py` node by node; normalizations are folded into the convolutions."""
        x = self._conv("encoder.stem", pixels, stride=2, is_clipped=True)
        widths = [config.stem_channels]
        for stage in config.stages:
            for repeat in range(stage.repeats):
                name, stride = f"encoder.blocks.{len(widths) - 1}", stage.stride if repeat == 0 else 1
                y = self._conv(f"{name}.expand", x, is_clipped=True) if stage.expansion > 1 else x
                y = self._conv(f"{name}.depthwise", y, stride=stride, is_clipped=True, is_depthwise=True)
                y = self._conv(f"{name}.project", y)
                x = self._graph.node("Add", x, y) if (stride, widths[-1]) == (1, stage.channels) else y
                widths.append(stage.channels)
        return self._conv("encoder.head", x, is_clipped=True)

    def blocks(self, names: Sequence[Block], features: str) -> str:
        """Attention within the feature map, see `FeatureBlocks`."""
        blocks = {
            "squeeze_excitation": self._squeeze_excitation,
            "spatial": self._spatial,
            "non_local": self._non_local,
        }
        for index, name in enumerate(names):
            features = blocks[name](f"blocks.blocks.{index}", features)
        return features

    def positions(self, features: str) -> str:
        """[requests, channels, rows, columns] -> [requests, positions, channels], row by row."""
        return self._graph.node("Transpose", self._flat(features), perm=[0, 2, 1])

    def _flat(self, features: str) -> str:
        """[requests, channels, rows, columns] -> [requests, channels, positions]."""
        return self._graph.node("Reshape", features, self._graph.constant(np.array([0, 0, -1])))

    def _conv(self, name: str, x: str, *, stride: int = 1, is_clipped: bool = False, is_depthwise: bool = False) -> str:
        """A convolution with its bias, padded as by `SameConv`; with `is_clipped`, followed by ReLU6."""
        graph, weight = self._graph, self._weights[f"{name}.weight"]
        before, after = same_padding(weight.shape[-1], stride)
        y = graph.node(
            "Conv",
            x,
            graph.constant(weight, name),
            graph.constant(self._weights[f"{name}.bias"], f"{name}.bias"),
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if is_depthwise else 1,
        )
        return graph.node("Clip", y, graph.constant(np.float32(0)), graph.constant(np.float32(6))) if is_clipped else y

    def _squeeze_excitation(self, name: str, features: str) -> str:
        return self._gates.of_channels(features, self._gates.squeeze_excitation(name, features))

    def _spatial(self, name: str, features: str) -> str:
        return self._gates.of_positions(features, self._gates.spatial(name, features))

    def _non_local(self, name: str, features: str) -> str:
        """Every position attends to every position (Wang et al. 2018, equations 1 and 3)."""
        graph = self._graph
        query, key, value = (
            self._flat(self._conv(f"{name}.{kind}", features)) for kind in ("query", "key", "value")
        )  # [requests, inner, positions]
        scores = graph.node("MatMul", graph.node("Transpose", query, perm=[0, 2, 1]), key)
        weights = graph.node("Softmax", scores, axis=-1)
        context = graph.node("MatMul", value, graph.node("Transpose", weights, perm=[0, 2, 1]))
        inner = self._weights[f"{name}.value.weight"].shape[0]
        shape = graph.node("Shape", features, start=2)
        shape = graph.node("Concat", graph.constant(np.array([0, inner])), shape, axis=0)
        return graph.node("Add", features, self._conv(f"{name}.output", graph.node("Reshape", context, shape)))
