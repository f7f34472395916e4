"""The graphs of a bundle: tensors that go in and out, and the variants of each precision."""

from collections.abc import Iterator

from pydantic import Field, model_validator

from regard_service.bundle.schema import Dtype, Precision, Provider, Schema

# A memory tensor that no step reads: how unlike the export's examples a source is.
NOVELTY = "novelty"


class TensorSpec(Schema):
    """A graph's input or output.

    Attributes:
        shape: sizes; a string names an axis whose size differs between runs: `requests`, `slots` (requests x beams),
            `source` (padded source length), `tokens` (source tokens of all requests), `capacity` (the longest target
            that the caches hold), `candidates`, `words` (of a shortlist), `masked` (masks in all sources).
    """

    name: str
    dtype: Dtype
    shape: tuple[int | str, ...]


class StateSpec(Schema):
    """State that one step passes to the next.

    Attributes:
        input: the input tensor; its first axis is `slots`.
        output: the name of the output tensor, which has the same shape.
        in_place: input and output are bound to one buffer (a KV cache), which the step writes at `lengths`;
            otherwise the output replaces the input (an LSTM's h and c).
    """

    input: TensorSpec
    output: str
    in_place: bool


class GraphSpec(Schema):
    """One ONNX file. `external_data` names the weight files beside it, if there are any."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external_data: tuple[str, ...] = ()


class Variant(Schema):
    """The graphs of one precision, and the execution providers that run them, best first.

    Attributes:
        step: None for models without a decoder, whose encode graph outputs the answer.
        select, listed_step: with a shortlist, the graph that looks up the weights of a list of words, and the step that
            chooses among them. Both or neither.
        narrow_weights: no 8-bit weight exceeds 63. The sum of two products with 8-bit activations then fits in 16
            bits, in which CPUs without VNNI instructions add.
    """

    precision: Precision
    providers: tuple[Provider, ...] = Field(min_length=1)
    encode: GraphSpec
    step: GraphSpec | None = None
    trace: GraphSpec | None = None
    select: GraphSpec | None = None
    listed_step: GraphSpec | None = None
    narrow_weights: bool = False

    def graphs(self) -> Iterator[GraphSpec]:
        """Yields every graph."""
        graphs = (self.encode, self.step, self.trace, self.select, self.listed_step)
        yield from (graph for graph in graphs if graph is not None)

    @model_validator(mode="after")
    def _lists_are_whole(self) -> "Variant":
        if (self.select is None) != (self.listed_step is None):
            raise ValueError("select and listed_step belong together: one of them is missing")
        return self
