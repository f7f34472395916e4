"""Detectors of `transformers`: the export's own gates against the originals, and what is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.exporting.encoder_export import export_encoder
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_any_model
from regard_service.bundle import BoxesOutput, ImageSource, Manifest
from tests.unit.export.detector_checkpoints import SIDE, write_detector, write_yolos

CASES: list[tuple[str, dict[str, Any]]] = [
    ("detr", {}),
    ("detr", {"layer_type": "bottleneck", "position_embedding_type": "learned"}),
    ("conditional_detr", {}),
    ("table-transformer", {}),
]


def exported(folder: Path, checkpoint: Path) -> Manifest:
    model = load_any_model(checkpoint)
    assert isinstance(model, EncoderModel)
    return export_encoder(model, folder, ExportOptions("m", "1", ["float32", "int8"], {}), lambda _: None).manifest


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_boxes_and_attention_are_the_originals(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    manifest = exported(tmp_path / "bundle", write_detector(tmp_path / "checkpoint", kind, **options))
    checks = manifest.verification["checks"]["float32"]  # the export fails if one of them does
    of_original = {name for name in checks if "original" in name or "trace" in name}
    assert of_original == {
        "box_logits: largest difference from the original",
        "boxes: largest difference from the original",
        "trace: largest difference of self-attention",
        "trace: largest difference of the queries' attention",
    }
    output, source = manifest.output, manifest.source
    assert isinstance(output, BoxesOutput)
    assert isinstance(source, ImageSource)
    assert (output.queries, output.is_exclusive) == (7, kind != "conditional_detr")
    assert (source.height, source.width, source.resize, source.grid) == (SIDE, SIDE, "squash", (13, 13))
    assert manifest.attention.alignment_heads == tuple((1, head) for head in range(4))


@pytest.mark.parametrize("has_positions_between", [False, True])
def test_detection_tokens_attend_as_the_originals(has_positions_between: bool, tmp_path: Path) -> None:
    checkpoint = write_yolos(tmp_path / "checkpoint", has_positions_between=has_positions_between)
    manifest = exported(tmp_path / "bundle", checkpoint)
    checks = manifest.verification["checks"]["float32"]
    assert "trace: largest difference of the queries' attention" in checks
    assert isinstance(manifest.source, ImageSource)
    assert (manifest.source.height, manifest.source.width) == (32, 48)
    assert (manifest.source.first_position, manifest.source.grid) == (6, (2, 3))


def test_a_picture_that_is_no_whole_number_of_patches_loses_the_rest(tmp_path: Path) -> None:
    checkpoint = write_yolos(tmp_path / "checkpoint", has_positions_between=False)
    settings = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**settings, "image_size": [35, 53]}))
    model = load_any_model(checkpoint)
    assert isinstance(model.source, ImageSource)
    assert (model.source.height, model.source.width) == (32, 48)


def test_other_backbones_and_tasks_are_refused_by_name(tmp_path: Path) -> None:
    checkpoint = write_detector(tmp_path / "checkpoint", "detr")
    with pytest.raises(ExportError, match="does detection, not classification"):
        load_any_model(checkpoint, LoadOptions("classification"))
    settings = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**settings, "activation_function": "elu"}))
    with pytest.raises(ExportError, match="unsupported activation functions: elu, relu"):
        load_any_model(checkpoint)
    options: dict[str, Any] = {"use_timm_backbone": True}
    timm = transformers.DetrConfig(**options)
    timm.architectures = ["DetrForObjectDetection"]
    timm.save_pretrained(checkpoint)
    with pytest.raises(ExportError, match="the backbone timm_backbone is not supported"):
        load_any_model(checkpoint)


def test_the_image_processor_s_own_size_is_kept(tmp_path: Path) -> None:
    checkpoint = write_detector(tmp_path / "checkpoint", "detr")
    file = checkpoint / "preprocessor_config.json"
    file = file if file.is_file() else checkpoint / "processor_config.json"
    settings = json.loads(file.read_text())
    inner = settings.get("image_processor", settings)
    inner["size"] = {"height": 64, "width": 96}
    file.write_text(json.dumps(settings))
    model = load_any_model(checkpoint)
    assert isinstance(model.source, ImageSource)
    assert (model.source.height, model.source.width, model.source.grid) == (64, 96, (8, 12))
