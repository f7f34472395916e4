"""The vision transformer (Dosovitskiy et al. 2021) as an encoder: pixels in, states of class tokens and patches out."""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.descriptions.encoders import VisionDescription
from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.patch_distances import distance_index
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import TensorSpec


@dataclass(frozen=True)
class VisionEncoder:
    """An encoder of pictures, see `Encoder`."""

    description: VisionDescription

    @property
    def config(self) -> VisionTransformerConfig:
        """The encoder's config."""
        return self.description.vision

    @property
    def max_positions(self) -> int:
        """Positions of every picture."""
        return self.config.num_positions

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.description.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its input."""
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width)
        return EncoderOutput(VisionStack(graph, self.description, builders).states(pixels))

    @property
    def traced_layers(self) -> int:
        """All layers."""
        return self.config.num_layers

    @property
    def traced_heads(self) -> int:
        """Heads of each layer."""
        return self.config.num_heads

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one picture, with its attention as outputs; returns its states."""
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width, requests=1)
        stack = VisionStack(graph, self.description, builders)
        embedded = squeeze_requests(graph, stack.embed_pixels(pixels))

        def score_bias(name: str) -> str:
            bias = stack.score_bias(name)
            return squeeze_requests(graph, bias) if bias else ""

        return _TracedStack(graph, self.description, builders, "encoder").encode(embedded, score_bias)


def pixels_input(graph: GraphBuilder, height: int, width: int, *, requests: int | str = "requests") -> str:
    """Declares the input of pictures, float32 [requests, 3, height, width]."""
    return graph.input(TensorSpec(name="pixels", dtype="float32", shape=(requests, 3, height, width)))


def squeeze_requests(graph: GraphBuilder, x: str) -> str:
    """[1, ...] -> [...]."""
    return graph.node("Squeeze", x, graph.constant(np.array([0])))


def project_patches(graph: GraphBuilder, weights: Weights, pixels: str, size: int) -> str:
    """Projects patches of `size` x `size` pixels: [requests, rows * columns, width], row by row.

    The projection stays float32 in every precision: it is small, and every later layer depends on it.
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


class _PlacedStack(TransformerStack):
    """Adds the positions between two layers to the last update of the first."""

    description: VisionDescription

    def feed_forward(self, name: str, x: str) -> str:
        """The update, with the positions behind its layer, "encoder.LAYER.feed_forward"."""
        update, vision, layer = super().feed_forward(name, x), self.description.vision, int(name.split(".")[1])
        if not vision.positions_between or layer == vision.num_layers - 1:
            return update
        positions = self.description.weights["positions_between"][layer]
        return self.graph.node("Add", update, self.graph.constant(positions, "positions_between"))


class _TracedStack(_PlacedStack, TracedLayers):
    """The layers of one picture, with their attention as outputs."""

    description: VisionDescription


class VisionStack(_PlacedStack):
    """All pictures have the same size, without padding: the residual stream is [requests, positions, width]."""

    description: VisionDescription

    def states(self, pixels: str) -> str:
        """Adds the encoder; returns its states."""
        return self.run(self.embed_pixels(pixels), *self.encoder_layers(self._attend))

    def _attend(self, name: str, x: str) -> str:
        return self.attend_unpadded(name, x, self.score_bias(name))

    def score_bias(self, name: str) -> str:
        """The bias of relative positions, [1, heads, positions, positions]; "" without them.

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
        """Pads projected patches for the class tokens in front; adds a table of class tokens and positions."""
        graph, config, weights = self.graph, self.description.vision, self.description.weights
        x = project_patches(graph, weights, pixels, config.patch_size)
        if config.class_tokens:
            x = graph.node("Pad", x, graph.constant(np.array([0, config.class_tokens, 0, 0, 0, 0])))
        table = np.zeros((config.num_positions, config.width), np.float32)
        table[: config.class_tokens] = weights["class_tokens"]
        if config.absolute_positions:
            table += weights["positions"]
        return graph.node("Add", x, graph.constant(table, "positions")) if table.any() else x
