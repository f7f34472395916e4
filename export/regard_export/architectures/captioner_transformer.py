"""The captioner with a transformer decoder: an encode graph of its own, and the transformer's step graph."""

import numpy as np
from regard_models.nets.captioner_transformer import TransformerCaptionerConfig
from regard_service.bundle import StateSpec, TensorSpec

from regard_export.architectures.convolutional_encoder import ImageGraph, Weights, pixels_spec
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import Stack
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_trace import build_trace
from regard_export.descriptions.transformer import Description
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Graph, memory_specs, state_specs
from regard_export.precision.quantize import Form, Forms, Linear

PREFIX = "transformer."


class TransformerCaptionerArchitecture:
    """A `TransformerCaptioner` as it is served.

    Args:
        weights: float32, by the parameter names of the net, the tied "transformer.head.weight" left out.
    """

    def __init__(self, config: TransformerCaptionerConfig, weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._description = Description(
            config.transformer,
            {name.removeprefix(PREFIX): weight for name, weight in weights.items() if name.startswith(PREFIX)},
        )

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        return memory_specs(self._config.transformer)

    @property
    def state(self) -> tuple[StateSpec, ...]:
        return state_specs(self._config.transformer)

    @property
    def attention_layers(self) -> int:
        return self._config.transformer.decoder_layers

    @property
    def attention_heads(self) -> int:
        return self._config.transformer.num_heads

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self._weights.values())

    def encode(self, form: Form) -> Graph:
        return _EncodeGraph(GraphBuilder("encode"), self._config, self._weights, self._description, form).draw()

    def step(self, form: Form) -> Graph:
        return build_step(self._description, form)

    @property
    def encoder_layers(self) -> int:
        return self.traced_layers

    @property
    def encoder_heads(self) -> int:
        return self.traced_heads

    @property
    def traced_layers(self) -> int:
        return self._config.transformer.encoder_layers

    @property
    def traced_heads(self) -> int:
        return self._config.transformer.of_encoder.num_heads

    def trace(self, forms: Forms) -> Graph:
        return build_trace(self, self._description, forms)

    def draw_traced(self, graph: GraphBuilder, form: Form) -> str:
        pixels = pixels_spec(self._config.encoder)
        pixels = pixels.model_copy(update={"shape": (1, *pixels.shape[1:])})
        drawn = _EncodeGraph(graph, self._config, self._weights, self._description, form)
        embedded = graph.node("Squeeze", drawn.embed_grid(graph.input(pixels)), graph.constant(np.array([0])))
        return TracedLayers(graph, self._description, form, "encoder").encode(embedded, lambda _: "")


class _EncodeGraph(Stack):
    """Pixels to cross-attention's keys and values; convolutions are float32 in every form."""

    def __init__(
        self,
        graph: GraphBuilder,
        config: TransformerCaptionerConfig,
        weights: Weights,
        description: Description,
        form: Form,
    ) -> None:
        super().__init__(graph, description, form)
        self._captioner = config
        self._weights = weights

    def draw(self) -> Graph:
        graph = self.graph
        embedded = self.embed_grid(graph.input(pixels_spec(self._captioner.encoder)))
        states = self.run(embedded, *self.encoder_layers(self.attend_unpadded))
        self.memory_outputs(self.project_memory(states))
        return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def embed_grid(self, pixels: str) -> str:
        """What the encoder's layers read: [requests, positions, width]."""
        graph, image = self.graph, ImageGraph(self.graph, self._weights)
        features = image.blocks(self._captioner.blocks, image.encoder(self._captioner.encoder, pixels))
        bridge = Linear("bridge", self._weights["bridge.weight"], self._weights["bridge.bias"])
        embedded = self.linear(image.positions(features), bridge)
        return graph.node("Add", embedded, graph.constant(self._weights["grid_positions"], "grid_positions"))
