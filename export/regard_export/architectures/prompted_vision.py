"""A picture and a fixed prompt as one encoder, which fuses the picture with the prompt's constant states."""

from dataclasses import dataclass

import numpy as np
import torch

from regard.arrays import Float32Array
from regard_export.architectures.cross_modal import FusionStack
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.descriptions.encoders import BertDescription, FusionDescription, VisionDescription
from regard_export.errors import ExportError
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.bert import BertEncoder
from regard_models.nets.prompted_vision import PromptedVisionConfig


@dataclass(frozen=True)
class PromptedVisionEncoder:
    """An encoder of pictures with a fixed prompt, see `Encoder`.

    The source axis holds the prompt's positions, then the vision transformer's.
    """

    config: PromptedVisionConfig
    vision: VisionDescription
    text: BertDescription
    fusion: FusionDescription

    @property
    def max_positions(self) -> int:
        """Positions of the prompt and of a picture."""
        return self.config.num_positions

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.vision.nbytes + self.text.nbytes + self.fusion.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its input."""
        regions = VisionEncoder(self.vision).add_to(graph, builders).states
        stack = FusionStack(graph, self.fusion, builders)
        region_stream, text = stack.project(regions, graph.constant(self._prompt_states()[None], "prompt"))
        shape = graph.node(
            "Concat", graph.node("Shape", region_stream, end=1), graph.constant(np.array([1, 1])), axis=0
        )
        fused = stack.fuse(region_stream, graph.node("Expand", text, shape))
        return EncoderOutput(graph.node("Concat", *reversed(fused), axis=1))

    @property
    def traced_layers(self) -> int:
        """0: the prompt's states are constants of the graph, which a caller cannot relate to a text of his own."""
        return 0

    @property
    def traced_heads(self) -> int:
        """0, since no layer is traced."""
        return 0

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Raises ExportError."""
        raise ExportError("a picture that is fused with a text has no trace")

    @torch.inference_mode()
    def _prompt_states(self) -> Float32Array:
        """BERT's states of the prompt: float32 [text, text width]."""
        states, _ = self.text.fill(BertEncoder(self.text.bert))(torch.tensor([self.config.prompt]), None)
        prompt_states: Float32Array = states[0].numpy()
        return prompt_states
