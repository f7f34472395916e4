"""ViLT (Kim et al. 2021): one transformer reads the words of a question and the patches of a picture together."""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.questions import embed_question, embed_questions, longer
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.architectures.vision_transformer import VisionStack, pixels_input, squeeze_requests
from regard_export.descriptions.encoders import BertDescription, VisionDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders


@dataclass(frozen=True)
class JointEncoder:
    """An encoder of pictures with questions, see `Encoder`. Its output are the states of the question's words.

    Attributes:
        text: the embeddings of words; it has no layers.
        vision: the embeddings of patches, and the layers that read both.
    """

    text: BertDescription
    vision: VisionDescription

    @property
    def max_positions(self) -> int:
        """Positions of the longest question and of the picture."""
        return self.text.bert.max_positions + self.vision.vision.num_positions

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.text.nbytes + self.vision.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its inputs. Inside, the picture comes first, so that padding comes last."""
        config = self.vision.vision
        pixels = pixels_input(graph, config.image_height, config.image_width)
        words, lengths = embed_questions(graph, self.text, builders)
        stack = _JointStack(graph, self.vision, builders)
        stack.lengths = longer(graph, lengths, config.num_positions)
        together = graph.node("Concat", stack.embed_pixels(pixels), words, axis=1)
        bounds = (graph.constant(np.array([bound])) for bound in (config.num_positions, np.iinfo(np.int64).max, 1))
        return EncoderOutput(graph.node("Slice", stack.run_layers(together), *bounds))

    @property
    def traced_layers(self) -> int:
        """All layers."""
        return self.vision.vision.num_layers

    @property
    def traced_heads(self) -> int:
        """Heads of each layer."""
        return self.vision.vision.num_heads

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one picture with its question, with its attention as outputs; returns its states."""
        config = self.vision.vision
        pixels = pixels_input(graph, config.image_height, config.image_width, requests=1)
        patches = squeeze_requests(graph, VisionStack(graph, self.vision, builders).embed_pixels(pixels))
        together = graph.node("Concat", embed_question(graph, self.text, builders), patches, axis=0)
        return TracedLayers(graph, self.vision, builders, "encoder").encode(together, lambda _: "")


class _JointStack(VisionStack):
    """The residual stream is [requests, positions, width], padded at its end."""

    lengths: str

    def run_layers(self, embedded: str) -> str:
        """Adds the layers; returns their states."""
        return self.run(embedded, *self.encoder_layers(self._attend))

    def _attend(self, name: str, x: str) -> str:
        return self.attend_unpadded(name, x, lengths=self.lengths)
