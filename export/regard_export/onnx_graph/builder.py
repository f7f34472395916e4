"""A thin layer over `onnx.helper`: nodes, constants, named inputs and outputs."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from regard_service.bundle import TensorSpec

OPSET = 21
IR_VERSION = 10
CONTRIB = "com.microsoft"


class ConstantStore(Protocol):
    """Where constants go that are too large for a graph's file."""

    def take(self, tensor: onnx.TensorProto, array: NDArray[Any], digest: bytes) -> bool:
        """Stores an array, in C order, and says in the tensor where it is; False if the graph may keep it.

        Args:
            digest: SHA-256 of its bytes.
        """


class GraphBuilder:
    """Collects a graph node by node; values are known by their names.

    Equal constants are stored once.

    Attributes:
        store: takes large constants as soon as they are added; None keeps all of them in the model.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[TensorSpec] = []
        self.outputs: list[TensorSpec] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._model = onnx.ModelProto()  # holds the constants from the start: every copy of them is one too many
        self._named = 0
        self.store: ConstantStore | None = None

    def input(self, spec: TensorSpec) -> str:
        """Declares an input; returns its name."""
        self.inputs.append(spec)
        return spec.name

    def output(self, spec: TensorSpec) -> None:
        """Declares that the value of this name is an output."""
        self.outputs.append(spec)

    def constant(self, value: NDArray[Any] | np.generic, name: str = "constant") -> str:
        """Adds an initializer, or finds the equal one; `name` helps who reads the graph."""
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
            op: such as "MatMul", or "com.microsoft.MatMulNBits".
            inputs: names of values; "" leaves an optional input out.
            outputs: how many, or their names; "" leaves an optional output out.
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
        """Adds a node with one output; returns its name."""
        return self.nodes(op, inputs, 1 if output is None else [output], **attributes)[0]

    def name_value(self, hint: str) -> str:
        """A name that no other value has."""
        self._named += 1
        return f"{hint}:{self._named}"

    def build(self) -> onnx.ModelProto:
        """The finished model; the builder is done."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [_value_info(s) for s in self.inputs],
            [_value_info(s) for s in self.outputs],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        rest = helper.make_model(graph, producer_name="regard", opset_imports=opsets, ir_version=IR_VERSION)
        self._model.MergeFrom(rest)
        return self._model


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)
