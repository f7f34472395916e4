"""The ranges of layers' inputs: which layers get one, and what static quantization by them computes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from regard.arrays import Array
from regard_export.architectures.transformer_step import build_step
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import transformer
from regard_export.precision.precision_builders import builders_for
from regard_export.precision.quantization import ActivationRange
from regard_export.tuning.calibration import MIN_RMS_STEPS, activation_range, calibrate
from regard_export.tuning.observed_runner import InputStatistics, ObservedSession
from regard_export.writing.manifest import write_manifest
from regard_export.writing.variants import write_variant
from regard_service.bundle import Bundle
from tests.unit.export.transformer_checkpoints import description_of, tiny_checkpoint, write_tiny_bundle


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, dict[str, ActivationRange]]:
    """A bundle in float32, and in int8 with the ranges that calibration found for it."""
    folder: Path = tmp_path_factory.mktemp("calibrated") / "bundle"
    model = transformer.from_checkpoint(tiny_checkpoint())
    plain = write_tiny_bundle(folder, model, "float32")
    ranges = calibrate(model.architecture, plain, {})
    variants = [*plain.manifest.variants, write_variant(folder, model, "int8", ranges)]
    return write_manifest(folder, model, variants, name="tiny", version="1", verification={}), ranges


def _inputs(*sizes: float, width: int = 64) -> InputStatistics:
    """Random rows of these sizes."""
    rows = np.random.default_rng(0).standard_normal((len(sizes), width)).astype(np.float32) * np.array(sizes)[:, None]
    return InputStatistics(rows.min(1), rows.max(1), np.sqrt((rows**2).mean(1)))


def test_rows_of_one_size_have_a_range_with_a_margin() -> None:
    inputs = _inputs(1, 2, 1, 2)
    found = activation_range(inputs)
    assert found is not None
    assert found.least < inputs.least.min() < inputs.most.max() < found.most


def test_rows_of_very_different_sizes_have_none() -> None:
    assert activation_range(_inputs(1, 1, 1, 1, 100)) is None


def test_rows_with_a_few_large_numbers_have_none() -> None:
    least, most, rms = np.zeros(4, np.float32), np.full(4, 40, np.float32), np.ones(4, np.float32)
    assert activation_range(InputStatistics(least, most, rms)) is None
    assert activation_range(InputStatistics(least, most, np.full(4, MIN_RMS_STEPS, np.float32))) is not None


def test_layers_of_both_graphs_are_observed(calibrated) -> None:
    _, ranges = calibrated
    assert {name.split(".")[0] for name in ranges} >= {"encoder", "decoder"}
    assert "decoder.cross_attention" in ranges  # of encode
    assert "decoder.0.cross_attention.query" in ranges  # of step


def test_static_graphs_need_fewer_operators_than_dynamic_ones(calibrated) -> None:
    _, ranges = calibrated
    description = description_of(transformer.from_checkpoint(tiny_checkpoint()))
    no_ranges: dict[str, ActivationRange] = {}
    operators = [
        [node.op_type for node in build_step(description, builders_for("int8", known).step).model.graph.node]
        for known in (ranges, no_ranges)
    ]
    assert "Abs" not in operators[0]
    assert operators[0].count("MatMulIntegerToFloat") > operators[1].count("MatMulIntegerToFloat")


def test_calibrated_graphs_are_near_and_rows_are_independent(calibrated) -> None:
    bundle, _ = calibrated
    sources, targets = [[5, 6, 7, 2], [8, 9, 2]], [[1, 4, 5, 6], [1, 7, 8]]
    plain = VariantEngine(bundle, "float32").teacher_force(sources, targets)
    engine = VariantEngine(bundle, "int8")
    for expected, actual in zip(plain, engine.teacher_force(sources, targets), strict=True):
        assert np.abs(actual.logits - expected.logits).max() < 0.2 * expected.logits.std()
    crowd = engine.teacher_force(sources, targets, num_poisoned_rows=7)
    for source, target, among in zip(sources, targets, crowd, strict=True):
        assert np.array_equal(engine.teacher_force([source], [target])[0].logits, among.logits)


def test_outputs_begin_with_their_languages_forced_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = transformer.from_checkpoint(tiny_checkpoint())
    target = model.target.model_copy(update={"forced_first_ids": {"": 300}})
    plain = write_tiny_bundle(tmp_path / "bundle", replace(model, target=target), "float32")
    run, second_tokens = ObservedSession.run, list[int]()

    def recorded(self: ObservedSession, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if "tokens" in inputs:
            second_tokens.extend(inputs["tokens"][inputs["lengths"] == 1].tolist())
        return run(self, inputs)

    monkeypatch.setattr(ObservedSession, "run", recorded)
    calibrate(model.architecture, plain, {})
    assert set(second_tokens) == {300}
