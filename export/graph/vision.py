"""The vision transformer as an encoder: pixels in, states of class tokens and patches out."""

from dataclasses import dataclass

import numpy as np
import torch

from export.encoders import VisionDescription
from export.graph.builder import GraphBuilder
from export.graph.contract import Encoded
from export.graph.stack import Stack
from export.quantize import Form
from models.bundle import TensorSpec
from models.nets.patch_distances import distance_index


@dataclass(frozen=True)
class VisionEncoder:
    """An encoder of pictures, drawn in front of any decoder."""

    description: VisionDescription

    @property
    def max_positions(self) -> int:
        return self.description.vision.num_positions

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.description.weights.values())

    def draw(self, graph: GraphBuilder, form: Form) -> Encoded:
        config = self.description.vision
        shape = ("requests", 3, config.image_height, config.image_width)
        pixels = graph.input(TensorSpec(name="pixels", dtype="float32", shape=shape))
        return Encoded(_VisionGraph(graph, self.description, form).draw(pixels))


class _VisionGraph(Stack):
    """All pictures are of one size, so that nothing is padded: the residual stream is [requests, positions, width].

    The projection of patches stays float32 in every form: it is small, and pixels are what later layers start from.
    """

    description: VisionDescription

    def draw(self, pixels: str) -> str:
        return self.run(self._embed(pixels), *self.encoder_layers(self._attend))

    def _attend(self, name: str, x: str) -> str:
        """Self-attention with what distances add to its scores; its name is "encoder.LAYER.self_attention"."""
        vision = self.description.vision
        if not vision.relative_positions:
            return self.attend_unpadded(name, x)
        table = self.description.weights[f"distances.{name.split('.')[1]}.table"]  # [distances, heads]
        index = distance_index(vision.grid, vision.class_tokens).to(torch.int32).numpy()
        bias = self.graph.node(
            "Gather", self.graph.constant(table.T[None], "distances"), self.graph.constant(index, "index"), axis=2
        )
        return self.attend_unpadded(name, x, bias)

    def _embed(self, pixels: str) -> str:
        """Patches behind room for the class tokens, plus a table that holds these and all positions."""
        graph, config, weights = self.graph, self.description.vision, self.description.weights
        features = graph.node(
            "Conv",
            pixels,
            graph.constant(weights["patches.weight"], "patches"),
            graph.constant(weights["patches.bias"], "patches.bias"),
            strides=[config.patch_size] * 2,
        )
        flat = graph.node("Reshape", features, graph.constant(np.array([0, 0, -1])))
        x = graph.node("Transpose", flat, perm=[0, 2, 1])  # [requests, rows * columns, width]
        if config.class_tokens:
            x = graph.node("Pad", x, graph.constant(np.array([0, config.class_tokens, 0, 0, 0, 0])))
        table = np.zeros((config.num_positions, config.width), np.float32)
        table[: config.class_tokens] = weights["class_tokens"]
        if config.absolute_positions:
            table += weights["positions"]
        return graph.node("Add", x, graph.constant(table, "positions")) if table.any() else x
