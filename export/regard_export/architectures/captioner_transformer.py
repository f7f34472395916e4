"""The captioner with a transformer: an encode graph of its own, and the transformer's step graph."""

import numpy as np

from regard_export.architectures.convolutional_encoder import ConvolutionalEncoder, pixels_spec
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_tensors import TransformerDecoderTensors
from regard_export.architectures.transformer_trace import build_trace
from regard_export.descriptions.layers import Linear, Weights
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.captioner_transformer import TransformerCaptionerConfig
from regard_models.nets.transformer_config import TransformerConfig

TRANSFORMER_PREFIX = "transformer."


class TransformerCaptionerArchitecture(TransformerDecoderTensors):
    """A `TransformerCaptioner`.

    Args:
        weights: float32, by the parameter names of the net; the tied "transformer.head.weight" is left out.
    """

    def __init__(self, config: TransformerCaptionerConfig, weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._description = TransformerDescription(
            config.transformer,
            {
                name.removeprefix(TRANSFORMER_PREFIX): weight
                for name, weight in weights.items()
                if name.startswith(TRANSFORMER_PREFIX)
            },
        )

    @property
    def decoder_config(self) -> TransformerConfig:
        """The config of the transformer."""
        return self._config.transformer

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self._weights.values())

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        return _EncodeGraph(GraphBuilder("encode"), self._config, self._weights, self._description, builders).build()

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return build_step(self._description, builders)

    @property
    def encoder_layers(self) -> int:
        """Layers that the trace graph outputs."""
        return self.traced_layers

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""
        return self.traced_heads

    @property
    def traced_layers(self) -> int:
        """All encoder layers, see `TracedEncoder`."""
        return self._config.transformer.encoder_layers

    @property
    def traced_heads(self) -> int:
        """Heads of each of them."""
        return self._config.transformer.of_encoder.num_heads

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx."""
        return build_trace(self, self._description, builders)

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one picture, with its attention as outputs; returns its states."""
        pixels = pixels_spec(self._config.encoder)
        pixels = pixels.model_copy(update={"shape": (1, *pixels.shape[1:])})
        encode = _EncodeGraph(graph, self._config, self._weights, self._description, builders)
        embedded = graph.node("Squeeze", encode.embed_grid(graph.input(pixels)), graph.constant(np.array([0])))
        return TracedLayers(graph, self._description, builders, "encoder").encode(embedded, lambda _: "")


class _EncodeGraph(TransformerStack):
    """Pixels in; cross-attention's keys and values out. Convolutions are float32 in every precision."""

    def __init__(
        self,
        graph: GraphBuilder,
        config: TransformerCaptionerConfig,
        weights: Weights,
        description: TransformerDescription,
        builders: LayerBuilders,
    ) -> None:
        super().__init__(graph, description, builders)
        self._captioner = config
        self._weights = weights

    def build(self) -> BuiltGraph:
        graph = self.graph
        embedded = self.embed_grid(graph.input(pixels_spec(self._captioner.encoder)))
        states = self.run(embedded, *self.encoder_layers(self.attend_unpadded))
        self.output_memory(self.project_memory(states))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def embed_grid(self, pixels: str) -> str:
        """The input of the encoder's layers: [requests, positions, width]."""
        graph, encoder = self.graph, ConvolutionalEncoder(self.graph, self._weights)
        features = encoder.blocks(self._captioner.blocks, encoder.features(self._captioner.encoder, pixels))
        embedded = self.linear(encoder.positions(features), Linear.of(self._weights, "bridge"))
        return graph.node("Add", embedded, graph.constant(self._weights["grid_positions"], "grid_positions"))
