"""The checks of every mechanism (masks, gradients, export), and references in plain NumPy."""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Array = npt.NDArray[Any]
Sizes = Mapping[str, int]
Module = TypeVar("Module", bound=nn.Module)

# The traced lengths, and further lengths at which the graph must agree. A decoder's step has one position.
TRACED: Sizes = {"batch": 2, "target": 3, "source": 5, "n": 7, "height": 4, "width": 5}
OTHERS: Sequence[Sizes] = (
    {"batch": 3, "target": 6, "source": 11, "n": 12, "height": 7, "width": 3},
    {"batch": 1, "target": 1, "source": 2, "n": 1, "height": 2, "width": 2},
)


@dataclass(frozen=True)
class Spec:
    """One input: its axes and its content.

    Attributes:
        axes: names of `TRACED` for dynamic axes, or fixed sizes.
        kind: "float" is normally distributed; "bool" is a mask, one of whose rows allows nothing; "int" is 0 to `high`.
    """

    axes: tuple[str | int, ...]
    kind: Literal["float", "bool", "int"] = "float"
    high: int = 0

    def draw(self, sizes: Sizes, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
        shape = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in self.axes)
        if self.kind == "float":
            return torch.randn(shape, generator=generator, dtype=dtype)
        if self.kind == "int":
            return torch.randint(self.high, shape, generator=generator)
        mask = torch.rand(shape, generator=generator) < 0.7
        rows = mask.view(-1, mask.shape[-1])
        rows[:, 0] = True
        if len(rows) > 1:
            rows[0] = False
        return mask


Specs = Mapping[str, Spec]

IMAGE: Specs = {
    "features": Spec(("batch", 4, "height", "width")),
    "mask": Spec(("batch", 1, "height", "width"), "bool"),
}


def sequence(query_width: int, memory_width: int) -> Specs:
    """The inputs of attention from one sequence to another."""
    return {
        "query": Spec(("batch", "target", query_width)),
        "memory": Spec(("batch", "source", memory_width)),
        "mask": Spec(("batch", "target", "source"), "bool"),
    }


def in_heads(width: int) -> Specs:
    """The same for attention in several heads."""
    return {**sequence(width, width), "mask": Spec(("batch", 1, "target", "source"), "bool")}


def draw(
    specs: Specs, sizes: Sizes = TRACED, *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Draws inputs by specifications."""
    generator = torch.Generator().manual_seed(seed)
    return {name: spec.draw(sizes, generator, dtype) for name, spec in specs.items()}


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    """The same as NumPy arrays; also of a module's `state_dict()`."""
    return {name: x.detach().numpy() for name, x in tensors.items()}


def seeded(module: Module, seed: int = 1) -> Module:
    """The module in float64 and inference mode, with random parameters: zeros and ones could hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return module.double().eval()


def softmax(scores: Array, mask: Array | None = None) -> Array:
    """The textbook softmax, row by row; 0 where not allowed."""
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    weights = np.zeros_like(scores)
    for row in np.ndindex(scores.shape[:-1]):
        allowed = [s for s in range(scores.shape[-1]) if mask[row][s]]
        total = sum(math.exp(scores[row][s]) for s in allowed)
        for s in allowed:
            weights[row][s] = math.exp(scores[row][s]) / total
    return weights


def multi_head(
    parameters: Mapping[str, Array], inputs: Mapping[str, Array], num_heads: int, *, bias: Array | None = None
) -> tuple[Array, Array]:
    """Vaswani et al. 2017, section 3.2.2, head by head.

    Args:
        parameters: of `HeadProjections`, as `arrays(module.state_dict())`.
        inputs: query [batch, target, width], memory [batch, source, width], mask [batch, 1, target, source] or none.
        bias: [heads, target, source], added to the scores.

    Returns:
        context: [batch, target, width].
        weights: [batch, heads, target, source].
    """
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (inputs[x] @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"] for name, x in names.items())
    head_width = q.shape[-1] // num_heads
    contexts, all_weights = [], []
    for head in range(num_heads):
        columns = slice(head * head_width, (head + 1) * head_width)
        scores = q[..., columns] @ k[..., columns].swapaxes(1, 2) / math.sqrt(head_width)
        mask = inputs["mask"][:, 0] if "mask" in inputs else None
        weights = softmax(scores if bias is None else scores + bias[head], mask)
        contexts.append(weights @ v[..., columns])
        all_weights.append(weights)
    context = np.concatenate(contexts, axis=-1) @ parameters["output.weight"].T + parameters["output.bias"]
    return context, np.stack(all_weights, axis=1)


def check_equal(results: Sequence[Tensor | None], expected: Sequence[Array], tolerance: float = 1e-10) -> None:
    """Compares float64 results of a module with those of its reference."""
    for result, reference in zip(results, expected, strict=True):
        assert result is not None
        np.testing.assert_allclose(result.detach().numpy(), reference, rtol=tolerance, atol=tolerance)


def check_gradients(module: nn.Module, inputs: Mapping[str, Tensor], **options: Any) -> None:
    """Compares the gradients of all float inputs and parameters with finite differences.

    Args:
        module: in float64.
        inputs: keyword arguments of its `forward`; at least one row of a mask should allow nothing.
        options: further arguments that are no tensors.
    """
    constants = {name: x for name, x in inputs.items() if not x.is_floating_point()}
    variables = {name: x.clone().requires_grad_() for name, x in inputs.items() if x.is_floating_point()}
    parameters = {name: x.detach().clone().requires_grad_() for name, x in module.named_parameters()}

    def call(*values: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip([*variables, *parameters], values, strict=True))
        kwargs = {**constants, **{name: named[name] for name in variables}, **options}
        outputs = torch.func.functional_call(module, {name: named[name] for name in parameters}, (), kwargs)
        return tuple(x for x in outputs if x is not None)

    assert torch.autograd.gradcheck(call, (*variables.values(), *parameters.values()))


def check_nothing_allowed(module: nn.Module, inputs: Mapping[str, Tensor], mask: str = "mask", **options: Any) -> None:
    """Checks that a mask that allows nothing gives finite contexts, zero weights and finite gradients."""
    inputs = {name: x.clone().requires_grad_(x.is_floating_point()) for name, x in inputs.items()}
    inputs[mask] = torch.zeros_like(inputs[mask])
    context, weights = module(**inputs, **options)
    assert context.isfinite().all()
    if weights is not None:
        assert (weights == 0).all()
    context.sum().backward()
    for x in [*inputs.values(), *module.parameters()]:
        assert x.grad is None or x.grad.isfinite().all()


def check_masked_is_ignored(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    *,
    source: str = "memory",
    axis: int = 1,
    mask: str = "mask",
    **options: Any,
) -> None:
    """Checks that the content of masked positions changes no context elsewhere.

    Args:
        source: name of the input that gets attention.
        axis: its axis that matches the mask's last axis.
        mask: name of the mask.
    """
    inputs = {**inputs, mask: inputs[mask].clone()}
    inputs[mask][..., -2:] = False
    others = {**inputs, source: inputs[source].clone()}
    others[source].narrow(axis, -2, 2).mul_(-3).add_(1)
    context, other = module(**inputs, **options)[0], module(**others, **options)[0]
    if source != "memory":  # masked positions are queries too
        kept = context.shape[axis] - 2
        context, other = context.narrow(axis, 0, kept), other.narrow(axis, 0, kept)
    torch.testing.assert_close(context, other, rtol=1e-12, atol=1e-12)


def largest_tensor(module: nn.Module, **inputs: Any) -> int:
    """Number of elements of the largest intermediate tensor of a call, without inputs and views."""
    with torch.no_grad(), _Sizes() as sizes:
        module(**inputs)
    return int(sizes.largest)


class _Sizes(TorchDispatchMode):
    largest: int

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.largest = max(self.largest, result.untyped_storage().nbytes() // result.element_size())
        return result


class Call(nn.Module):
    """A module with positional tensors that returns the results of several calls with different options."""

    def __init__(self, module: nn.Module, names: Sequence[str], calls: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.module, self.names, self.calls = module, names, calls

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tensors = dict(zip(self.names, inputs, strict=True))
        outputs = [self.module(**tensors, **options) for options in self.calls]
        return tuple(x for output in outputs for x in output if x is not None)


def check_export(
    module: nn.Module, specs: Specs, calls: Sequence[Mapping[str, Any]] = ({},), *, tolerance: float = 2e-5
) -> None:
    """Exports with dynamic axes and compares with ONNX Runtime at other lengths than the traced ones, in float32.

    Args:
        module: any module; converted to float32.
        specs: the tensors among the keyword arguments of its `forward`.
        calls: the other keyword arguments of each call; one graph has all calls, since exports are slow.
        tolerance: absolute tolerance, for numbers around 1.
    """
    call = Call(module.float().eval(), list(specs), calls)
    session = _session(call, specs)
    names = [x.name for x in session.get_inputs()]
    for seed, sizes in enumerate(OTHERS):
        inputs = list(draw(specs, sizes, seed=seed, dtype=torch.float32).values())
        results = session.run(None, dict(zip(names, [x.numpy() for x in inputs], strict=True)))
        with torch.inference_mode():
            for result, expected in zip(results, call(*inputs), strict=True):
                np.testing.assert_allclose(result, expected.numpy(), rtol=1e-4, atol=tolerance)


def _session(call: Call, specs: Specs) -> onnxruntime.InferenceSession:
    inputs = tuple(draw(specs, dtype=torch.float32).values())
    dynamic = tuple(
        {i: torch.export.Dim.DYNAMIC for i, axis in enumerate(spec.axes) if isinstance(axis, str)}
        for spec in specs.values()
    )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # logs missing packages at every export
    # The cache costs a third of the time and helps a single export little. The exporter causes the warnings.
    with torch._dynamo.config.patch(fake_tensor_cache_enabled=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(call, inputs, dynamo=True, dynamic_shapes={"inputs": dynamic}, verbose=False)
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
