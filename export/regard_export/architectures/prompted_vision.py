"""A picture and a fixed prompt as one encoder, which fuses the picture with the prompt's constant states."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from regard.arrays import Float32Array
from regard_export.architectures.transformer_stack import TransformerStack
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
        return EncoderOutput(_FusionStack(graph, self.fusion, builders).states(regions, self._prompt_states()))

    @property
    def traced_layers(self) -> int:
        """0: its two streams attend to each other in turns, which one map between all positions cannot represent."""
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


class _FusionStack(TransformerStack):
    """Two residual streams, [requests, regions, width] and [requests, text, width]."""

    description: FusionDescription

    def states(self, regions: str, prompt: Float32Array) -> str:
        """Adds the fusion; returns its states, [requests, text + regions, width].

        Args:
            regions: [requests, regions, region width].
            prompt: float32 [text, text width].
        """
        graph = self.graph
        region_stream = self.linear(regions, self.description.linear("region_projection"))
        text = self.linear(graph.constant(prompt[None], "prompt"), self.description.linear("text_projection"))
        shape = graph.node(
            "Concat", graph.node("Shape", region_stream, end=1), graph.constant(np.array([1, 1])), axis=0
        )
        text_stream = graph.node("Expand", text, shape)
        for layer in range(self.description.fusion.num_layers):
            region_stream, text_stream = (
                self._side(f"regions.{layer}", region_stream, text_stream),
                self._side(f"text.{layer}", text_stream, region_stream),
            )
        return graph.node("Concat", text_stream, region_stream, axis=1)

    def _side(self, name: str, x: str, other: str) -> str:
        """One side's half of a layer: cross-attention, self-attention, feed-forward."""
        names = (f"{name}.cross_attention", f"{name}.layer.self_attention", f"{name}.layer.feed_forward")
        sublayers = [
            partial(self._cross_attention, names[0], other),
            partial(self.attend_unpadded, names[1]),
            partial(self.feed_forward, names[2]),
        ]
        return self.run(x, sublayers, [self.norm(sublayer) for sublayer in names])

    def _cross_attention(self, name: str, other: str, x: str) -> str:
        query = self.linear(x, self.projections(name, "query"))
        both = self.linear(other, self.projections(name, "key", "value"))
        key, value = self.graph.nodes("Split", [both], 2, axis=-1, num_outputs=2)
        context = self.graph.node(
            "com.microsoft.MultiHeadAttention",
            *(query, key, value),
            num_heads=self.config.num_heads,
            scale=self.score_scale(self.config.width_of_head),
        )
        return self.output(context, name)
