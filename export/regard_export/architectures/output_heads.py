"""What follows the encoder of a model without a decoder: vectors, labels, or pieces in place of masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regard_export.architectures.candidate_ranking import rank_candidates
from regard_export.architectures.transformer_stack import activate
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.descriptions.layers import Linear, Norm
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.float_layers import float_linear
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.transformer_config import Activation
from regard_service.bundle import LOGITS, POOLED, Pooling, TensorSpec

MAX_CANDIDATES = 100  # pieces for each mask
POOLINGS: tuple[Pooling, ...] = ("mean", "class", "max")


@dataclass(frozen=True)
class HeadLayer:
    """A linear layer and what follows it.

    Attributes:
        operator: of ONNX, such as "Tanh"; "" for none.
        norm: before the operator; None: nothing.
    """

    linear: Linear
    operator: str = ""
    norm: Norm | None = None

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.linear.weight.nbytes + (0 if self.linear.bias is None else self.linear.bias.nbytes)


class Head(ABC):
    """What follows an encoder; its outputs are the model's answer."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that the encode graph outputs."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    @abstractmethod
    def add_to(self, graph: GraphBuilder, builders: LayerBuilders, encoded: EncoderOutput) -> None:
        """Adds the head, with the graph's outputs."""


@dataclass(frozen=True)
class VectorHead(Head):
    """The states of all positions pooled to one vector, in each way; needs no weights."""

    width: int

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """A vector for each pooling."""
        return tuple(
            TensorSpec(name=POOLED.format(pooling), dtype="float32", shape=("requests", self.width))
            for pooling in POOLINGS
        )

    @property
    def nbytes(self) -> int:
        """0."""
        return 0

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders, encoded: EncoderOutput) -> None:
        """Adds all poolings."""
        pooler = Pooler(graph, encoded)
        for pooling, spec in zip(POOLINGS, self.outputs, strict=True):
            graph.node("Identity", pooler.pooled(pooling), output=spec.name)
            graph.output(spec)


@dataclass(frozen=True)
class LabelsHead(Head):
    """Layers over the pooled states, or over those of each token. They stay float32 in every precision: they are small,
    and labels depend on nothing else.

    Attributes:
        layers: the last one's outputs are the labels' logits.
        pooling: None labels each token.
        norm: of the pooled states; None: nothing.
        num_skipped: first positions of a picture that the mean leaves out.
    """

    layers: Sequence[HeadLayer]
    pooling: Pooling | None = "class"
    norm: Norm | None = None
    num_skipped: int = 0

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The logits."""
        rows = "tokens" if self.pooling is None else "requests"
        return (TensorSpec(name=LOGITS, dtype="float32", shape=(rows, len(self.layers[-1].linear.weight))),)

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(layer.nbytes for layer in self.layers)

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders, encoded: EncoderOutput) -> None:
        """Adds pooling and layers."""
        x = encoded.states if self.pooling is None else Pooler(graph, encoded, self.num_skipped).pooled(self.pooling)
        if self.norm is not None:
            x = _normalized(graph, x, self.norm)
        for layer in self.layers:
            x = float_linear(graph, x, layer.linear)
            x = x if layer.norm is None else _normalized(graph, x, layer.norm)
            x = graph.node(layer.operator, x) if layer.operator else x
        (spec,) = self.outputs
        graph.node("Identity", x, output=spec.name)
        graph.output(spec)


@dataclass(frozen=True)
class PiecesHead(Head):
    """The head of masked language models (Devlin et al. 2019, section 3.1), over the states of masks only.

    Attributes:
        transform: the layer before the projection, followed by `activation` and `norm`.
        projection: to the vocabulary; its weight may be the embedding's.
    """

    transform: Linear
    activation: Activation
    norm: Norm
    projection: Linear
    is_tied: bool

    @property
    def candidates(self) -> int:
        """How many pieces there are for each mask."""
        return min(MAX_CANDIDATES, len(self.projection.weight))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The best pieces of each mask, and the normalizer of their logits."""
        return (
            TensorSpec(name="candidate_logits", dtype="float32", shape=("masked", "candidates")),
            TensorSpec(name="candidate_ids", dtype="int64", shape=("masked", "candidates")),
            TensorSpec(name="log_normalizer", dtype="float32", shape=("masked",)),
        )

    @property
    def nbytes(self) -> int:
        """Size in float32 of the weights that the head adds to the encoder."""
        own = self.transform.weight.nbytes + self.norm.gain.nbytes
        return own if self.is_tied else own + self.projection.weight.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders, encoded: EncoderOutput) -> None:
        """Adds the head, with the masks' positions as a further input of the graph."""
        masked = graph.input(TensorSpec(name="masked", dtype="int64", shape=("masked",)))
        x = builders.linear(graph, graph.node("Gather", encoded.states, masked), self.transform)
        x = _normalized(graph, activate(graph, x, self.activation), self.norm)
        logits = builders.head(graph, x, self.projection)
        rank_candidates(
            graph,
            logits,
            graph.constant(np.array([self.candidates])),
            len(self.projection.weight),
            is_grouped=builders.is_ranking_grouped,
            rows="masked",
        )


class Pooler:
    """Pools the states of an encoder: [requests, width].

    Args:
        encoded: packed states, [tokens, width], of texts; or [requests, positions, width] of pictures.
        num_skipped: first positions of pictures that are left out.
    """

    def __init__(self, graph: GraphBuilder, encoded: EncoderOutput, num_skipped: int = 0) -> None:
        self._graph = graph
        to_packed = encoded.padded_to_packed
        self._states = encoded.states if to_packed is None else graph.node("Gather", encoded.states, to_packed)
        if num_skipped:
            bounds = (graph.constant(np.array([bound])) for bound in (num_skipped, np.iinfo(np.int64).max, 1))
            self._states = graph.node("Slice", self._states, *bounds)
        self._is_padded = to_packed is not None
        self._padding: str | None = None  # bool [requests, source], whether a position is none of the request's

    def pooled(self, pooling: Pooling) -> str:
        """Adds a pooling."""
        graph, axis = self._graph, self._graph.constant(np.array([1]))
        if pooling == "class":
            return graph.node("Gather", self._states, graph.constant(np.array(0)), axis=1)
        if not self._is_padded:
            return graph.node("ReduceMean" if pooling == "mean" else "ReduceMax", self._states, axis, keepdims=0)
        is_present = graph.node("Unsqueeze", self._present(), graph.constant(np.array([-1])))
        if pooling == "max":
            lowest = graph.constant(np.float32(np.finfo(np.float16).min))
            return graph.node("ReduceMax", graph.node("Where", is_present, self._states, lowest), axis, keepdims=0)
        zero = graph.constant(np.float32(0))
        total = graph.node("ReduceSum", graph.node("Where", is_present, self._states, zero), axis, keepdims=0)
        lengths = graph.node("Cast", "source_lengths", to=1)
        return graph.node("Div", total, graph.node("Unsqueeze", lengths, axis))

    def _present(self) -> str:
        """bool [requests, source]: whether a position is one of the request's."""
        if self._padding is None:
            graph, last = self._graph, self._graph.constant(np.array([1]))
            size = graph.node("Shape", self._states, start=1, end=2)
            zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
            positions = graph.node("Range", zero, graph.node("Squeeze", size), one)
            lengths = graph.node("Unsqueeze", graph.node("Cast", "source_lengths", to=7), last)
            self._padding = graph.node("Less", positions, lengths)
        return self._padding


def _normalized(graph: GraphBuilder, x: str, norm: Norm) -> str:
    """Layer normalization over the last axis."""
    bias = [] if norm.bias is None else [graph.constant(norm.bias, f"{norm.name}.bias")]
    return graph.node(
        "LayerNormalization", x, graph.constant(norm.gain, norm.name), *bias, axis=-1, epsilon=norm.epsilon
    )
