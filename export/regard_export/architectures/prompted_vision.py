"""A picture and a fixed text as one encoder: the text's states are made at export, the fusion is drawn."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from regard_models.nets.bert import BertEncoder
from regard_models.nets.prompted_vision import PromptedVisionConfig

from regard.arrays import Float32Array
from regard_export.architectures.transformer_stack import Stack
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.descriptions.encoders import BertDescription, FusionDescription, VisionDescription
from regard_export.errors import ExportError
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Encoded
from regard_export.precision.quantize import Form


@dataclass(frozen=True)
class PromptedVisionEncoder:
    """An encoder of pictures that always read the same text, drawn in front of any decoder.

    The source axis is the text's positions, then the vision transformer's.
    """

    config: PromptedVisionConfig
    vision: VisionDescription
    text: BertDescription
    fusion: FusionDescription

    @property
    def max_positions(self) -> int:
        return self.config.num_positions

    @property
    def nbytes(self) -> int:
        descriptions = (self.vision, self.text, self.fusion)
        return sum(weight.nbytes for description in descriptions for weight in description.weights.values())

    def draw(self, graph: GraphBuilder, form: Form) -> Encoded:
        regions = VisionEncoder(self.vision).draw(graph, form).states
        return Encoded(_FusionGraph(graph, self.fusion, form).draw(regions, self._words()))

    @property
    def traced_layers(self) -> int:
        """None: its two streams attend to each other, which no map from all positions to all positions tells."""
        return 0

    @property
    def traced_heads(self) -> int:
        return 0

    def draw_traced(self, graph: GraphBuilder, form: Form) -> str:
        raise ExportError("a picture that is fused with a text has no trace")

    @torch.inference_mode()
    def _words(self) -> Float32Array:
        """BERT's states of the prompt: float32 [text, text width]."""
        states, _ = self.text.fill(BertEncoder(self.text.bert))(torch.tensor([self.config.prompt]), None)
        words: Float32Array = states[0].numpy()
        return words


class _FusionGraph(Stack):
    """Two residual streams, [requests, regions, width] and [requests, text, width]."""

    description: FusionDescription

    def draw(self, regions: str, words: Float32Array) -> str:
        """[requests, text + regions, width]."""
        graph = self.graph
        v = self.linear(regions, self.description.linear("region_projection"))
        text = self.linear(graph.constant(words[None], "prompt"), self.description.linear("text_projection"))
        one_a_request = graph.node("Concat", graph.node("Shape", v, end=1), graph.constant(np.array([1, 1])), axis=0)
        w = graph.node("Expand", text, one_a_request)
        for layer in range(self.description.fusion.num_layers):
            v, w = self._side(f"regions.{layer}", v, w), self._side(f"text.{layer}", w, v)
        return graph.node("Concat", w, v, axis=1)

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
