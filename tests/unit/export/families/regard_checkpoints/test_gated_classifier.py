"""Our gated classifier: the export's gates against the net, and the maps that its bundles offer."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import inspect_command
from regard_export.errors import ExportError
from regard_export.exporting.encoder_export import export_encoder
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_any_model
from regard_export.verification.encoder_verifier import EncoderVerifier
from regard_models.nets.gated_classifier import Gate
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_service.bundle import Bundle
from regard_service.domain.offered_maps import has_value_norms, offered_kinds
from regard_service.engine.runtime.runner import Runner
from tests.unit.export.gated_checkpoints import write_gated_classifier

OFFERED = {"none": (), "squeeze_excitation": ("channel",), "cbam": ("channel", "spatial")}


def exported(folder: Path, gate: Gate) -> tuple[EncoderModel, Bundle]:
    model = load_any_model(write_gated_classifier(folder / "checkpoint", gate))
    assert isinstance(model, EncoderModel)
    plan = ExportOptions("m", "1", ["int8", "float32"], {})
    return model, export_encoder(model, folder / "bundle", plan, lambda _: None)  # raises if a check fails


@pytest.mark.parametrize("gate", ["none", "squeeze_excitation", "cbam"])
def test_the_graphs_compute_what_the_net_computes(tmp_path: Path, gate: Gate) -> None:
    _, bundle = exported(tmp_path, gate)
    manifest = bundle.manifest
    checks = manifest.verification["checks"]["float32"]
    assert "logits: largest difference from the original" in checks
    found = tuple(kind for kind in ("channel", "spatial") if f"trace: largest difference of {kind} gates" in checks)
    assert found == offered_kinds(manifest) == OFFERED[gate]
    assert not has_value_norms(manifest)
    sizes = manifest.attention.channel_layers, manifest.attention.channels, manifest.attention.spatial_layers
    assert sizes == {"none": (0, 0, 0), "squeeze_excitation": (2, 8, 0), "cbam": (2, 8, 2)}[gate]
    assert (manifest.description, manifest.scores) == ("letters", {"accuracy": 50.0})
    shown = " ".join(CliRunner().invoke(inspect_command, [str(tmp_path / "bundle")]).stdout.split())  # without breaks
    assert ("gates of 8 channels in 2 layers" in shown) == ("channel" in found)
    assert ("gates of positions in 2 layers" in shown) == ("spatial" in found)


def test_traces_have_the_gates_of_every_layer(tmp_path: Path) -> None:
    model, bundle = exported(tmp_path, "cbam")
    pixels = np.random.default_rng(0).standard_normal((3, 32, 32), np.float32)
    trace = Runner(bundle, bundle.manifest.variants[0]).trace(pixels, np.zeros(0, np.int64))
    assert (trace.channel.shape, trace.spatial.shape) == ((2, 8), (2, 64))
    assert trace.encoder_self.size == trace.cross.size == 0
    assert np.ptp(trace.spatial) > 1e-3
    assert isinstance(model.reference.outputs(pixels)["logits"], np.ndarray)


def test_verification_finds_a_gate_that_the_net_does_not_have(tmp_path: Path) -> None:
    _, bundle = exported(tmp_path, "cbam")
    checkpoint = PictureCheckpoint.load(write_gated_classifier(tmp_path / "other"))
    checkpoint.weights["gates.1.spatial.conv.bias"] += 0.5
    checkpoint.save(tmp_path / "other")
    other = load_any_model(tmp_path / "other")
    assert isinstance(other, EncoderModel)
    report = EncoderVerifier(bundle, other.reference, lambda _: None).run()
    failed = [check.name for section in report.sections.values() for check in section if not check.has_passed]
    assert "trace: largest difference of spatial gates" in failed
    assert "trace: largest difference of channel gates" not in failed


def test_other_tasks_and_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = write_gated_classifier(tmp_path / "checkpoint")
    with pytest.raises(ExportError, match="this checkpoint does classification, not detection"):
        load_any_model(folder, LoadOptions("detection"))
    checkpoint = PictureCheckpoint.load(folder)
    PictureCheckpoint({**checkpoint.config, "depth": 3}, checkpoint.weights, {}).save(folder)
    with pytest.raises(ExportError, match="not what its config says, or is damaged"):
        load_any_model(folder)
