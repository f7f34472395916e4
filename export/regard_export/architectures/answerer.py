"""The encoder of `regard_models/nets/answerer.py`: convolutions, word embeddings, their fusion, and its summary."""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.cross_modal import FusionStack, TracedFusion
from regard_export.architectures.questions import embed_question, embed_questions
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.architectures.vision_transformer import pixels_input, squeeze_requests
from regard_export.descriptions.encoders import BertDescription, FusionDescription
from regard_export.descriptions.layers import Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.answerer import AnswererConfig


@dataclass(frozen=True)
class AnswererEncoder:
    """An encoder of pictures with questions, see `Encoder`. Its output is one state a request, [requests, 1, width].

    Attributes:
        weights: of the convolutions and of the cells' positions, by the parameter names of `Answerer`.
        text: the embeddings of words; it has no layers.
    """

    config: AnswererConfig
    weights: Weights
    text: BertDescription
    fusion: FusionDescription

    @property
    def max_positions(self) -> int:
        """Positions of the longest question and of the picture."""
        return self.config.text.max_positions + self.config.num_cells

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        own = sum(weight.nbytes for weight in self.weights.values())
        return own + self.text.nbytes + self.fusion.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its inputs."""
        pixels = pixels_input(graph, self.config.image_size, self.config.image_size)
        words, lengths = embed_questions(graph, self.text, builders)
        stack = FusionStack(graph, self.fusion, builders, lengths)
        cells, text = stack.fuse(*stack.project(self._cells(graph, pixels), words))
        axis = graph.constant(np.array([1]))
        first = graph.node("Gather", text, graph.constant(np.array([0])), axis=1)
        return EncoderOutput(graph.node("Mul", first, graph.node("ReduceMean", cells, axis, keepdims=1)))

    @property
    def traced_layers(self) -> int:
        """Two of each layer: attention to the other side, and to the own."""
        return 2 * self.config.fusion.num_layers

    @property
    def traced_heads(self) -> int:
        """Heads of each layer."""
        return self.config.fusion.num_heads

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one picture with its question, with its attention as outputs; returns its states."""
        pixels = pixels_input(graph, self.config.image_size, self.config.image_size, requests=1)
        words = embed_question(graph, self.text, builders)
        stack = TracedFusion(graph, self.fusion, builders)
        cells = squeeze_requests(graph, self._cells(graph, pixels))
        return graph.node("Concat", *reversed(stack.fuse(*stack.project(cells, words))), axis=0)

    def _cells(self, graph: GraphBuilder, pixels: str) -> str:
        """The feature map with its positions, [requests, cells, channels]; float32 in every precision."""
        x = pixels
        for number, stride in enumerate(self.config.strides):
            weight, bias = (
                graph.constant(self.weights[f"convolutions.{number}.{kind}"], f"convolutions.{number}")
                for kind in ("weight", "bias")
            )
            x = graph.node("Relu", graph.node("Conv", x, weight, bias, strides=[stride, stride], pads=[1, 1, 1, 1]))
        flat = graph.node("Reshape", x, graph.constant(np.array([0, 0, -1])))
        cells = graph.node("Transpose", flat, perm=[0, 2, 1])
        return graph.node("Add", cells, graph.constant(self.weights["positions"], "positions"))
