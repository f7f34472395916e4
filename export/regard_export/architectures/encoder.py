"""What an encoder must provide so that a transformer's decoder can attend to it."""

from typing import Protocol

from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders


class TracedEncoder(Protocol):
    """An encoder whose self-attention a trace graph outputs."""

    @property
    def traced_layers(self) -> int:
        """Layers whose self-attention is output; 0 if the encoder cannot be traced."""

    @property
    def traced_heads(self) -> int:
        """Heads of each of them."""

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one source, with its input and its attention as outputs.

        Returns:
            the states' name, [source, width].
        """


class Encoder(TracedEncoder, Protocol):
    """An encoder with its weights."""

    @property
    def max_positions(self) -> int:
        """Positions of the longest source."""

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder for a batch of sources, with its inputs."""
