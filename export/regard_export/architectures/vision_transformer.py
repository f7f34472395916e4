"""The vision transformer as an encoder: pixels in, states of class tokens and patches out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from regard_models.nets.patch_distances import distance_index
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import TensorSpec

from regard.arrays import Float32Array
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import Stack
from regard_export.descriptions.encoders import VisionDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Encoded
from regard_export.precision.quantize import Form


@dataclass(frozen=True)
class VisionEncoder:
    """An encoder of pictures, drawn in front of any decoder."""

    description: VisionDescription

    @property
    def config(self) -> VisionTransformerConfig:
        return self.description.vision

    @property
    def max_positions(self) -> int:
        return self.config.num_positions

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.description.weights.values())

    def draw(self, graph: GraphBuilder, form: Form) -> Encoded:
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width)
        return Encoded(_VisionGraph(graph, self.description, form).draw(pixels))

    @property
    def traced_layers(self) -> int:
        return self.config.num_layers

    @property
    def traced_heads(self) -> int:
        return self.config.num_heads

    def draw_traced(self, graph: GraphBuilder, form: Form) -> str:
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width, requests=1)
        drawn = _VisionGraph(graph, self.description, form)
        embedded = only_one(graph, drawn.embed_pixels(pixels))

        def score_bias(name: str) -> str:
            bias = drawn.score_bias(name)
            return only_one(graph, bias) if bias else ""

        return TracedLayers(graph, self.description, form, "encoder").encode(embedded, score_bias)


def pixels_input(graph: GraphBuilder, height: int, width: int, *, requests: int | str = "requests") -> str:
    return graph.input(TensorSpec(name="pixels", dtype="float32", shape=(requests, 3, height, width)))


def only_one(graph: GraphBuilder, x: str) -> str:
    """[1, ...] -> [...]."""
    return graph.node("Squeeze", x, graph.constant(np.array([0])))


def patches(graph: GraphBuilder, weights: Mapping[str, Float32Array], pixels: str, size: int) -> str:
    """Patches of `size` x `size` pixels, projected: [requests, rows * columns, width], row by row.

    The projection stays float32 in every form: it is small, and pixels are what later layers start from.
    """
    features = graph.node(
        "Conv",
        pixels,
        graph.constant(weights["patches.weight"], "patches"),
        graph.constant(weights["patches.bias"], "patches.bias"),
        strides=[size, size],
    )
    flat = graph.node("Reshape", features, graph.constant(np.array([0, 0, -1])))
    return graph.node("Transpose", flat, perm=[0, 2, 1])


class _VisionGraph(Stack):
    """All pictures are of one size, so that nothing is padded: the residual stream is [requests, positions, width]."""

    description: VisionDescription

    def draw(self, pixels: str) -> str:
        return self.run(self.embed_pixels(pixels), *self.encoder_layers(self._attend))

    def _attend(self, name: str, x: str) -> str:
        return self.attend_unpadded(name, x, self.score_bias(name))

    def score_bias(self, name: str) -> str:
        """What distances add to an attention's scores, [1, heads, positions, positions]; "" if nothing.

        Args:
            name: "encoder.LAYER.self_attention".
        """
        vision = self.description.vision
        if not vision.relative_positions:
            return ""
        table = self.description.weights[f"distances.{name.split('.')[1]}.table"]  # [distances, heads]
        index = distance_index(vision.grid, vision.class_tokens).numpy().astype(np.int32)
        return self.graph.node(
            "Gather", self.graph.constant(table.T[None], "distances"), self.graph.constant(index, "index"), axis=2
        )

    def embed_pixels(self, pixels: str) -> str:
        """Patches behind room for the class tokens, plus a table that holds these and all positions."""
        graph, config, weights = self.graph, self.description.vision, self.description.weights
        x = patches(graph, weights, pixels, config.patch_size)
        if config.class_tokens:
            x = graph.node("Pad", x, graph.constant(np.array([0, config.class_tokens, 0, 0, 0, 0])))
        table = np.zeros((config.num_positions, config.width), np.float32)
        table[: config.class_tokens] = weights["class_tokens"]
        if config.absolute_positions:
            table += weights["positions"]
        return graph.node("Add", x, graph.constant(table, "positions")) if table.any() else x
