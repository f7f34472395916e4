"""Weights are outside of the graphs, so that a bundle may be larger than 2 GB, protobuf's limit for a graph.

Tested at reduced size: the limit is lowered to what the graphs of a small model take without their weights.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.errors import ExportError
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.regard_checkpoints import transformer
from regard_export.onnx_graph import weights_file
from regard_export.verification.bundle_verification import verify_bundle
from regard_export.writing import variants as bundle_module
from regard_service.bundle import MANIFEST, Bundle, BundleError
from regard_service.generation import Generation
from tests.unit.export.transformer_checkpoints import tiny_checkpoint

LIMIT = 2**17  # bytes, instead of 2 GB
OPTIONS = ExportOptions("tiny", "1", ("float32",), {})


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_GRAPH_BYTES", LIMIT)
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)


@pytest.fixture
def model() -> SourceModel:
    return transformer.from_checkpoint(tiny_checkpoint())


def _export(model: SourceModel, folder: Path) -> Bundle:
    return export(model, folder, OPTIONS, lambda _: None)


def test_a_bundle_beyond_the_limit_is_written_checked_and_served(tmp_path, model) -> None:
    bundle = _export(model, tmp_path / "large")
    (variant,) = bundle.manifest.variants
    for graph in (variant.encode, variant.step, variant.trace):
        assert graph is not None
        assert graph.external_data == ("float32/weights.bin",)
        assert bundle.path(graph.file).stat().st_size < LIMIT
    assert bundle.path("float32/weights.bin").stat().st_size > LIMIT
    assert set(bundle.manifest.files) >= {"float32/weights.bin", "float32/step.onnx"}
    (decoded,) = VariantEngine(bundle, "float32").search([[5, 6, 7]], Generation(4, num_beams=2))
    assert np.isfinite(decoded.score)
    assert verify_bundle(bundle, model, {}, lambda _: None).failures == []


def test_graphs_that_contain_their_weights_are_refused(tmp_path, model, monkeypatch) -> None:
    monkeypatch.setattr(weights_file, "MIN_BYTES", 2**30)
    with pytest.raises(ExportError, match=r"encode.onnx, without its weights, is larger than \d+ bytes"):
        _export(model, tmp_path / "large")
    assert list(tmp_path.iterdir()) == []


def test_all_constants_may_be_external(tmp_path, model, monkeypatch) -> None:
    plain = _export(model, tmp_path / "plain")
    monkeypatch.setattr(weights_file, "MIN_BYTES", 64)
    outside = _export(model, tmp_path / "outside")
    sizes = [sum(b.path(g.file).stat().st_size for g in b.manifest.graphs()) for b in (plain, outside)]
    assert sizes[1] < sizes[0]
    first, second = [
        VariantEngine(b, "float32").teacher_force([[5, 6, 7]], [[1, 8]])[0].logits for b in (plain, outside)
    ]
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-64]), "does not match its checksum"),
        (lambda file: file.write_bytes(b"\1" + file.read_bytes()[1:]), "does not match its checksum"),
        (lambda file: file.unlink(), "is missing"),
    ],
    ids=["cut short", "one byte changed", "missing"],
)
def test_damaged_weights_are_refused(tmp_path, model, damage, reason: str) -> None:
    bundle = _export(model, tmp_path / "large")
    damage(bundle.path("float32/weights.bin"))
    with pytest.raises(BundleError, match=f"float32/weights.bin: {reason}"):
        Bundle.load(bundle.folder)


def test_weights_outside_of_the_bundle_are_refused(tmp_path, model) -> None:
    bundle = _export(model, tmp_path / "large")
    manifest = json.loads((bundle.folder / MANIFEST).read_text())
    step = manifest["variants"][0]["step"]
    step["external_data"] = ["../weights.bin"]
    manifest["files"]["../weights.bin"] = "0" * 64
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="names a file outside the bundle"):
        Bundle.load(bundle.folder)
