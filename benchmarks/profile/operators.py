"""Reads ONNX Runtime's profile of a graph: time by group of operators, and the work of matrix products."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

GROUPS: Mapping[str, tuple[str, ...]] = {
    "products": (
        "MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulNBits", "Gemm", "FusedMatMul",
        "QLinearMatMul", "Conv",
    ),
    "self-attention": ("GroupQueryAttention", "MultiHeadAttention", "Attention"),
    "cross-attention": ("MatMul", "Softmax"),
    "quantizing": ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Abs", "ReduceMax", "Max", "Div"),
    "normalization, sums, activations": (
        "LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization", "Add", "QuickGelu", "Gelu",
        "FastGelu", "BiasGelu", "Relu", "Mul", "Sigmoid",
    ),
    "choice of candidates": ("TopK", "LogSoftmax", "ReduceLogSumExp", "ReduceSum", "Exp", "Log"),
}  # fmt: skip
HEAD, OTHER, BETWEEN = "product with the vocabulary", "other operators", "between operators"
PRODUCTS = frozenset(GROUPS["products"])

Event = dict[str, Any]


@dataclass(frozen=True)
class GraphProfile:
    """Means per run of a graph.

    Attributes:
        us: microseconds, including the profiler's overhead.
        us_by_group, us_by_operator: microseconds by group and by type of operator.
        num_nodes: number of nodes that ran.
        num_macs: multiply-accumulates of products with weights.
        weight_bytes: bytes of weights that these products read.
    """

    num_runs: int
    us: float
    us_by_group: dict[str, float]
    us_by_operator: dict[str, float]
    num_nodes: float
    num_macs: float
    weight_bytes: float


def read(file: Path, vocab_size: int) -> GraphProfile:
    """Reads the profile of a session.

    Args:
        vocab_size: output width that identifies the product with the vocabulary.
    """
    events: list[Event] = json.loads(file.read_text(encoding="utf-8"))
    runs = [event for event in events if event["name"] == "model_run"]
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    num, total = len(runs), sum(event["dur"] for event in runs)
    groups: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    for node in nodes:
        operators[node["args"]["op_name"]] += node["dur"]
        groups[_group(node, vocab_size)] += node["dur"]
    groups[BETWEEN] = total - sum(groups.values())
    work = [_work(node) for node in nodes]
    return GraphProfile(
        num_runs=num,
        us=total / num,
        us_by_group={name: spent / num for name, spent in groups.most_common()},
        us_by_operator={name: spent / num for name, spent in operators.most_common()},
        num_nodes=len(nodes) / num,
        num_macs=sum(macs for macs, _ in work) / num,
        weight_bytes=sum(read for _, read in work) / num,
    )


def _group(node: Event, vocab_size: int) -> str:
    name = node["args"]["op_name"]
    if name in PRODUCTS and _shapes(node, "output")[0][1][-1:] == [vocab_size]:
        return HEAD
    return next((group for group, names in GROUPS.items() if name in names), OTHER)


def _work(node: Event) -> tuple[float, float]:
    """Multiply-accumulates of a product with weights, and the bytes of these weights (1 or 4 per weight)."""
    if node["args"]["op_name"] not in PRODUCTS:
        return 0, 0
    (kind, given), (_, made) = _shapes(node, "input")[0], _shapes(node, "output")[0]
    size = 4 if kind == "float" and "Integer" not in node["args"]["op_name"] else 1
    return prod(made) * given[-1], given[-1] * made[-1] * size


def _shapes(node: Event, side: str) -> Sequence[tuple[str, list[int]]]:
    return [next(iter(each.items())) for each in node["args"][f"{side}_type_shape"]]
