"""Adds to an encode graph the number that says how unlike the export's examples a source is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from regard_service.bundle import NOVELTY, TensorSpec

NOVELTY_SPEC = TensorSpec(name=NOVELTY, dtype="float32", shape=("requests",))
_PREFIX = "novelty/"
_FLOOR = 1e-12  # of the mean square, for a source that equals the mean


@dataclass(frozen=True)
class NoveltyModel:
    """A Gaussian of pooled memory.

    Attributes:
        pooled: the memory tensor whose mean over the source axis it describes; width is the product of its other axes.
        mean: float32 [width].
        whitening: float32 [width, width]; takes the difference from the mean to standard coordinates.
    """

    pooled: TensorSpec
    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]

    def novelty(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns ln(mean square of the standard coordinates), float32 [requests], for pooled memory [requests, width].

        The mean square is the squared Mahalanobis distance over the width: about 1 for the examples of the fit.
        """
        standard = (pooled - self.mean) @ self.whitening
        found: NDArray[np.float32] = np.log(np.maximum((standard**2).mean(axis=1), np.float32(_FLOOR)))
        return found


def pool(memory: NDArray[np.float32], axis: int, lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Returns the mean over each row's own source positions, float32 [requests, width].

    Args:
        memory: [requests, ...].
        axis: the source axis.
        lengths: int64 [requests].
    """
    rows = [
        np.moveaxis(row, axis - 1, 0)[:length].mean(axis=0, dtype=np.float32).ravel()
        for row, length in zip(memory, lengths, strict=True)
    ]
    return np.stack(rows)


def add_novelty(model: ModelProto, learned: NoveltyModel, *, has_lengths: bool) -> None:
    """Adds the output `novelty`, float32 [requests], to an encode graph.

    Args:
        has_lengths: whether the graph's sources differ in length; it then reads `source_lengths`.
    """
    graph, source_axis = model.graph, learned.pooled.shape.index("source")
    nodes = _Nodes(model)
    memory = nodes.add("Cast", [learned.pooled.name], to=TensorProto.FLOAT)
    axis = nodes.constant(np.array([source_axis], np.int64))
    if has_lengths:
        mask = _mask(nodes, memory, learned.pooled)
        kept = nodes.add("Where", [mask, memory, nodes.constant(np.zeros((), np.float32))])
        counts = nodes.add("ReduceSum", [nodes.add("Cast", [mask], to=TensorProto.FLOAT), axis], keepdims=0)
        pooled = nodes.add("Div", [nodes.add("ReduceSum", [kept, axis], keepdims=0), counts])
        if "source_lengths" not in {each.name for each in graph.input}:
            graph.input.append(helper.make_tensor_value_info("source_lengths", TensorProto.INT32, ["requests"]))
    else:
        pooled = nodes.add("ReduceMean", [memory, axis], keepdims=0)
    flat = nodes.add("Reshape", [pooled, nodes.constant(np.array([0, 1, -1], np.int64))])
    centred = nodes.add("Sub", [flat, nodes.constant(learned.mean)])
    # A MatMul of one row takes another kernel where weights are not packed, which rounds in another way.
    products = nodes.add("Mul", [centred, nodes.constant(learned.whitening.T)])
    standard = nodes.add("ReduceSum", [products, nodes.constant(np.array([2], np.int64))], keepdims=0)
    last = nodes.constant(np.array([1], np.int64))
    mean_square = nodes.add("ReduceMean", [nodes.add("Mul", [standard, standard]), last], keepdims=0)
    floored = nodes.add("Max", [mean_square, nodes.constant(np.array(_FLOOR, np.float32))])
    graph.node.append(helper.make_node("Log", [floored], [NOVELTY], name=_PREFIX + NOVELTY))
    graph.output.append(helper.make_tensor_value_info(NOVELTY, TensorProto.FLOAT, ["requests"]))


def _mask(nodes: "_Nodes", memory: str, spec: TensorSpec) -> str:
    """Which positions are a row's own: bool [requests, 1.., source, 1..]."""
    source_axis = spec.shape.index("source")
    sizes = nodes.add("Shape", [memory])
    size = nodes.add("Gather", [sizes, nodes.constant(np.array(source_axis, np.int64))], axis=0)
    ends = nodes.constant(np.array(0, np.int64)), nodes.constant(np.array(1, np.int64))
    positions = nodes.add("Range", [ends[0], size, ends[1]])
    lengths = nodes.add("Cast", ["source_lengths"], to=TensorProto.INT64)
    rows = nodes.add("Unsqueeze", [lengths, nodes.constant(np.array([1], np.int64))])
    mask = nodes.add("Less", [positions, rows])  # [requests, source]
    shape = [-1 if axis == source_axis else 0 if axis == 0 else 1 for axis in range(len(spec.shape))]
    return nodes.add("Reshape", [mask, nodes.constant(np.array(shape, np.int64))])


class _Nodes:
    """Appends nodes and constants under names of their own."""

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._count = 0

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        """Appends a node; returns its output."""
        name = self._name(op)
        self._graph.node.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        """Appends an initializer; returns its name."""
        name = self._name("constant")
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{_PREFIX}{kind}_{self._count}"
