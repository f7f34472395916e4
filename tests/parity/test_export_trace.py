"""The trace graph against the project's transformer in PyTorch, and against the step graph."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import transformer
from regard_export.resources.threads import half_of_torch_threads
from regard_models.nets.transformer import Transformer
from regard_service.bundle import Precision
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.trace import Trace
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm": "post", "final_norm": False, "positions": "learned"},
    {"decoder_layers": 1, "encoder_layers": 3, "num_heads": 2, "bias": False},
    {"positions": "relative", "norm_kind": "rms", "bias": False, "scale_attention": False, "scale_embeddings": False},
]
SOURCE, TARGET = [4, 300, 301, 302, 17, 2], [1, 270, 280, 33]


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


@pytest.fixture(scope="module", params=OPTIONS, ids=str)
def model(request: pytest.FixtureRequest) -> SourceModel:
    return transformer.from_checkpoint(tiny_checkpoint(**request.param))


def _runner(folder: Path, model: SourceModel, precision: Precision) -> Runner:
    bundle = write_tiny_bundle(folder / "bundle", model, precision)
    return Runner(bundle, bundle.manifest.variants[0])


def _trace(runner: Runner) -> Trace:
    return runner.trace(np.array(SOURCE), np.array(TARGET))


def _net(model: SourceModel) -> Transformer:
    assert isinstance(model.architecture, TransformerArchitecture)
    return model.architecture.description.module()


def _transformed_norms(net: Transformer, layer: Any, states: torch.Tensor) -> np.ndarray:
    """||v W_O|| of each head and position, by its definition; states: [1, length, width] -> [heads, length]."""
    num_heads = layer.num_heads
    value = layer.value(states)[0].unflatten(-1, (num_heads, -1))  # [length, heads, head width]
    weight = layer.output.weight.unflatten(-1, (num_heads, -1))  # [width, heads, head width]
    norms: np.ndarray = torch.einsum("lhd,whd->hlw", value, weight).norm(dim=-1).numpy()
    return norms


@torch.inference_mode()
def test_every_map_equals_the_nets(tmp_path: Path, model: SourceModel) -> None:
    net, trace = _net(model), _trace(_runner(tmp_path, model, "float32"))
    mask = torch.ones(1, len(SOURCE), dtype=torch.bool)
    output = net(torch.tensor([SOURCE]), mask, torch.tensor([TARGET]), need_weights=True)
    for found, expected in (
        (trace.encoder_self, output.encoder_attention),
        (trace.decoder_self, output.decoder_attention),
        (trace.cross, output.cross_attention),
    ):
        np.testing.assert_allclose(found, torch.cat(expected).numpy(), atol=1e-5)


@torch.inference_mode()
def test_norms_of_cross_attention_are_those_of_the_transformed_values(tmp_path: Path, model: SourceModel) -> None:
    net, trace = _net(model), _trace(_runner(tmp_path, model, "float32"))
    states, _ = net.encode(torch.tensor([SOURCE]), torch.ones(1, len(SOURCE), dtype=torch.bool))
    expected = [_transformed_norms(net, layer.cross_attention, states) for layer in net.decoder]
    np.testing.assert_allclose(trace.cross_norms, np.stack(expected), rtol=1e-4, atol=1e-5)
    assert trace.encoder_norms.shape == trace.encoder_self.shape[:3]
    assert trace.decoder_norms.shape == trace.decoder_self.shape[:3]
    assert (trace.encoder_norms > 0).all()
    assert (trace.decoder_norms > 0).all()


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_cross_attention_equals_that_of_the_steps(tmp_path: Path, model: SourceModel, precision: Precision) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", model, precision)
    trace = _trace(Runner(bundle, bundle.manifest.variants[0]))
    (stepped,) = VariantEngine(bundle, precision).teacher_force([SOURCE], [TARGET])
    np.testing.assert_allclose(trace.cross, stepped.cross_attention, atol=1e-5 if precision == "float32" else 2e-3)


@torch.inference_mode()
def test_log_probabilities_of_a_given_target_equal_the_nets(tmp_path: Path, model: SourceModel) -> None:
    runner, labels = _runner(tmp_path, model, "float32"), [*TARGET[1:], 2]
    found = runner.trace(np.array(SOURCE), np.array(TARGET), labels=np.array(labels))
    mask = torch.ones(1, len(SOURCE), dtype=torch.bool)
    logits = _net(model)(torch.tensor([SOURCE]), mask, torch.tensor([TARGET])).logits[0]
    expected = logits.log_softmax(-1)[range(len(labels)), labels]
    assert found.logprobs is not None
    np.testing.assert_allclose(found.logprobs, expected.numpy(), atol=1e-4)
    assert found.cross_contributions is None  # was not computed


class _Sum:
    """What one attention of the net adds to one sum, recorded while the net runs: the vectors, by their definition."""

    def __init__(self, sublayer: Any, attention: Any) -> None:
        self._attention, self._norm, self._after = attention, sublayer.norm, sublayer.after
        self._is_post = not sublayer.norm_first
        sublayer.after = self._record_sum
        attention.register_forward_hook(self._record_attention)

    def _record_attention(self, _: Any, inputs: Any, output: Any) -> None:
        value = self._attention.value(inputs[1])[0].unflatten(-1, (self._attention.num_heads, -1))
        weight = self._attention.output.weight.unflatten(-1, (self._attention.num_heads, -1))
        self.vectors = torch.einsum("hts,shd,whd->htsw", output[1][0], value, weight)

    def _record_sum(self, residual: torch.Tensor, update: torch.Tensor) -> torch.Tensor:
        self.residual, self.total = residual[0], (residual + update)[0]
        after: torch.Tensor = self._after(residual, update)
        return after

    def explained(self, vectors: torch.Tensor) -> np.ndarray:
        """max(0, |y| - |y - T|); vectors: [..., target, source, width] -> [..., target, source]."""
        total, parts = self._linear(self.total)[:, None], self._linear(vectors)
        found: np.ndarray = (total.norm(dim=-1) - (total - parts).norm(dim=-1)).clamp(min=0).numpy()
        return found

    def _linear(self, x: torch.Tensor) -> torch.Tensor:
        if not self._is_post:
            return x
        centered = x - x.mean(-1, keepdim=True) if isinstance(self._norm, torch.nn.LayerNorm) else x
        weighed: torch.Tensor = centered * self._norm.weight
        return weighed


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["cross", "decoder", "encoder"])
def test_contributions_are_shares_of_the_vectors_in_their_sum(tmp_path: Path, model: SourceModel, kind: str) -> None:
    """The graph computes them by products of vectors; here each vector is written out."""
    trace = _runner(tmp_path, model, "float32").trace(np.array(SOURCE), np.array(TARGET), has_contributions=True)
    net, found = _net(model), getattr(trace, f"{kind}_contributions")
    name = "cross_attention" if kind == "cross" else "self_attention"
    layers: Any = net.encoder if kind == "encoder" else net.decoder
    sums = [_Sum(getattr(layer, f"{name}_sublayer"), getattr(layer, name)) for layer in layers]
    net(torch.tensor([SOURCE]), torch.ones(1, len(SOURCE), dtype=torch.bool), torch.tensor([TARGET]), need_weights=True)
    for number, each in enumerate(sums):
        np.testing.assert_allclose(found.by_head[number], each.explained(each.vectors), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.together[number], each.explained(each.vectors.sum(0)), rtol=1e-3, atol=1e-4)
        residual = each.explained(each.residual[:, None])[:, 0]
        np.testing.assert_allclose(found.residual[number], residual, rtol=1e-3, atol=1e-4)
