from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regard_export.architectures.transformer_step import build_step
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import transformer
from regard_export.precision.precision_builders import builders_for
from regard_export.precision.quantization import ActivationRange
from regard_export.tuning import calibration
from regard_export.tuning.calibration import MIN_RMS_STEPS, activation_range, calibrate
from regard_export.writing.manifest import write_manifest
from regard_export.writing.variants import write_variant
from regard_service.bundle import Bundle

from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, dict[str, ActivationRange]]:
    """A bundle in float32, and in int8 with the ranges that were found for it."""
    folder: Path = tmp_path_factory.mktemp("calibrated") / "bundle"
    model = transformer.from_checkpoint(tiny_checkpoint())
    plain = write_tiny_bundle(folder, model, "float32")
    ranges = calibrate(model.architecture, plain, {})
    variants = [*plain.manifest.variants, write_variant(folder, model, "int8", ranges)]
    return write_manifest(folder, model, variants, name="tiny", version="1", verification={}), ranges


def _rows(*sizes: float, width: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.random.default_rng(0).standard_normal((len(sizes), width)).astype(np.float32) * np.array(sizes)[:, None]
    return rows.min(1), rows.max(1), np.sqrt((rows**2).mean(1))


def test_rows_of_one_size_have_a_range_with_a_margin() -> None:
    least, most, size = _rows(1, 2, 1, 2)
    found = activation_range(least, most, size)
    assert found is not None
    assert found.least < least.min() < most.max() < found.most


def test_rows_of_very_different_sizes_have_none() -> None:
    assert activation_range(*_rows(1, 1, 1, 1, 100)) is None


def test_rows_with_a_few_large_numbers_have_none() -> None:
    least, most, size = np.zeros(4, np.float32), np.full(4, 40, np.float32), np.ones(4, np.float32)
    assert activation_range(least, most, size) is None
    assert activation_range(least, most, np.full(4, MIN_RMS_STEPS, np.float32)) is not None


def test_layers_of_both_graphs_are_seen(calibrated) -> None:
    _, ranges = calibrated
    assert {name.split(".")[0] for name in ranges} >= {"encoder", "decoder"}
    assert "decoder.cross_attention" in ranges  # of encode
    assert "decoder.0.cross_attention.query" in ranges  # of step


def test_calibrated_graphs_need_fewer_operators_than_rows_do(calibrated) -> None:
    _, ranges = calibrated
    description = transformer.from_checkpoint(tiny_checkpoint()).architecture.description
    operators = [
        [node.op_type for node in build_step(description, builders_for("int8", known).step).model.graph.node]
        for known in (ranges, {})
    ]
    assert "Abs" not in operators[0]
    assert operators[0].count("MatMulIntegerToFloat") > operators[1].count("MatMulIntegerToFloat")


def test_calibrated_graphs_are_near_and_rows_are_independent(calibrated) -> None:
    bundle, _ = calibrated
    sources, targets = [[5, 6, 7, 2], [8, 9, 2]], [[1, 4, 5, 6], [1, 7, 8]]
    plain = VariantEngine(bundle, "float32").teacher_force(sources, targets)
    graphs = VariantEngine(bundle, "int8")
    for expected, actual in zip(plain, graphs.teacher_force(sources, targets), strict=True):
        assert np.abs(actual.logits - expected.logits).max() < 0.2 * expected.logits.std()
    crowd = graphs.teacher_force(sources, targets, num_poisoned_rows=7)
    for source, target, among in zip(sources, targets, crowd, strict=True):
        assert np.array_equal(graphs.teacher_force([source], [target])[0].logits, among.logits)


def test_outputs_begin_with_the_token_that_their_language_forces(tmp_path: Path, monkeypatch) -> None:
    model = transformer.from_checkpoint(tiny_checkpoint())
    target = model.target.model_copy(update={"forced_first_ids": {"": 300}})
    plain = write_tiny_bundle(tmp_path / "bundle", replace(model, target=target), "float32")
    run, second = calibration._ObservedSession.run, []

    def watched(self: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if "tokens" in inputs and inputs["lengths"][0] == 1:
            second.extend(inputs["tokens"].tolist())
        return run(self, inputs)

    monkeypatch.setattr(calibration._ObservedSession, "run", watched)
    calibrate(model.architecture, plain, {})
    assert set(second) == {300}
