"""A thin layer over `onnx.helper`: nodes, constants, and named inputs and outputs."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import helper

from regard_service.bundle import TensorSpec

OPSET = 21
IR_VERSION = 10
ONNX_RUNTIME_DOMAIN = "com.microsoft"


class ConstantStore(Protocol):
    """Stores constants that are too large for a graph's file."""

    def take(self, tensor: onnx.TensorProto, array: NDArray[Any], digest: bytes) -> bool:
        """Stores a C-ordered array and records its place in `tensor`; False if the graph should keep the array.

        Args:
            digest: SHA-256 of the array's bytes.
        """


class GraphBuilder:
    """Collects a graph node by node. Values are referred to by name, and equal constants are stored once.

    Attributes:
        store: receives large constants as soon as they are added; None keeps all of them in the model.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[TensorSpec] = []
        self.outputs: list[TensorSpec] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._model = onnx.ModelProto()  # holds the constants from the start, since each copy costs their whole size
        self._num_names = 0
        self.store: ConstantStore | None = None

    def input(self, spec: TensorSpec) -> str:
        """Declares an input; returns its name."""
        self.inputs.append(spec)
        return spec.name

    def output(self, spec: TensorSpec) -> None:
        """Declares the value named `spec.name` as an output."""
        self.outputs.append(spec)

    def constant(self, value: NDArray[Any] | np.generic, name: str = "constant") -> str:
        """Adds an initializer, or finds an equal one; returns its name, which begins with `name` for readability."""
        array = np.asarray(value, order="C")
        digest = hashlib.sha256(array.reshape(-1).view(np.uint8).data).digest()
        key = (array.dtype.str, array.shape, digest)
        if key not in self._constants:
            self._constants[key] = self.name_value(name)
            tensor = self._model.graph.initializer.add(
                name=self._constants[key], dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype)
            )
            if self.store is None or not self.store.take(tensor, array, digest):
                tensor.raw_data = array.tobytes()
        return self._constants[key]

    def nodes(self, op: str, inputs: Sequence[str], outputs: int | Sequence[str], **attributes: Any) -> list[str]:
        """Adds a node with several outputs.

        Args:
            op: an operator such as "MatMul" or "com.microsoft.MatMulNBits".
            inputs: names of values; "" omits an optional input.
            outputs: the number of outputs, or their names; "" omits an optional output.
            attributes: the operator's, by name.

        Returns:
            the outputs' names.
        """
        domain, _, op_type = op.rpartition(".")
        if isinstance(outputs, int):
            outputs = [self.name_value(op_type) for _ in range(outputs)]
        node = helper.make_node(
            op_type, inputs, outputs, name=f"{op_type}_{len(self._nodes)}", domain=domain, **attributes
        )
        self._nodes.append(node)
        return list(outputs)

    def node(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        return self.nodes(op, inputs, 1 if output is None else [output], **attributes)[0]

    def output_if(self, condition: str, build: Callable[[], Sequence[str]], specs: Sequence[TensorSpec]) -> None:
        """Declares outputs whose nodes run only if a condition holds; otherwise they have no elements.

        Args:
            condition: a bool scalar.
            build: adds the nodes, and returns their values in the order of `specs`.
            specs: of the outputs.
        """
        around, self._nodes = self._nodes, []
        values = [self.node("Identity", value) for value in build()]
        nodes, self._nodes = self._nodes, around
        given = helper.make_graph(nodes, "given", [], [_untyped(v, s) for v, s in zip(values, specs, strict=True)])
        names = [self.name_value("nothing") for _ in specs]
        empty = [_nothing(name, spec) for name, spec in zip(names, specs, strict=True)]
        left_out = helper.make_graph(empty, "left_out", [], [_untyped(n, s) for n, s in zip(names, specs, strict=True)])
        self.nodes("If", [condition], [spec.name for spec in specs], then_branch=given, else_branch=left_out)
        for spec in specs:
            self.output(spec)

    def name_value(self, hint: str) -> str:
        """Returns a name that no other value has."""
        self._num_names += 1
        return f"{hint}:{self._num_names}"

    def build(self) -> onnx.ModelProto:
        """Returns the finished model; the builder must not be used afterwards."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [_value_info(s) for s in self.inputs],
            [_value_info(s) for s in self.outputs],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ONNX_RUNTIME_DOMAIN, 1)]
        rest = helper.make_model(graph, producer_name="regard", opset_imports=opsets, ir_version=IR_VERSION)
        self._model.MergeFrom(rest)
        return self._model


def _untyped(name: str, spec: TensorSpec) -> onnx.ValueInfoProto:
    """An output of a branch: its shape differs between branches."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), None)


def _nothing(name: str, spec: TensorSpec) -> onnx.NodeProto:
    """A constant without elements; sizes that the spec fixes are as there."""
    empty = np.zeros([0 if isinstance(size, str) else size for size in spec.shape], spec.dtype)
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(empty))


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)
