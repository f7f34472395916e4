"""ViLT, which reads a picture with a question: the export's own gates against `transformers`."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.exporting.encoder_export import export_encoder
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_any_model
from regard_service.bundle import LabelsOutput, QuestionSource
from tests.unit.export.encoder_checkpoints import write_encoder, write_vilt


@pytest.mark.parametrize("options", [{}, {"qkv_bias": False, "hidden_act": "relu"}], ids=["usual", "other"])
def test_float32_equals_the_original_and_int8_loses_little(options: dict[str, Any], tmp_path: Path) -> None:
    model = load_any_model(write_vilt(tmp_path / "checkpoint", **options))
    assert isinstance(model, EncoderModel)
    plan = ExportOptions("m", "1", ["int8", "float32"], {})
    manifest = export_encoder(model, tmp_path / "bundle", plan, lambda _: None).manifest  # raises if a check fails
    checks = manifest.verification["checks"]
    assert checks["inputs"]["inputs tokenized differently"]["value"] == 0
    assert {
        "logits: largest difference from the original",
        "trace: largest difference of self-attention",
        "largest difference of a source in a batch from itself alone",
    } <= checks["float32"].keys()
    assert isinstance(manifest.source, QuestionSource)
    assert (manifest.source.picture.grid, manifest.source.picture.first_position) == ((4, 4), 1)
    assert isinstance(manifest.output, LabelsOutput)
    assert not manifest.output.is_exclusive
    assert (manifest.task, manifest.max_source_tokens) == ("answering", 48)


def test_a_vilt_of_another_task_is_refused_by_its_class(tmp_path: Path) -> None:
    write_vilt(tmp_path, kind="ForImageAndTextRetrieval")
    with pytest.raises(ExportError, match="ViltForImageAndTextRetrieval is not supported; ViltForQuestionAnswering is"):
        load_any_model(tmp_path, LoadOptions(task="answering"))


def test_options_that_the_server_does_not_offer_are_named(tmp_path: Path) -> None:
    write_vilt(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "do_normalize": False, "resample": 0}))
    with pytest.raises(ExportError, match="do_normalize false; resample 0"):
        load_any_model(tmp_path)


def test_an_encoder_of_texts_answers_no_questions(tmp_path: Path) -> None:
    write_encoder(tmp_path, "bert", "ForSequenceClassification")
    with pytest.raises(ExportError, match="does classification or encoding, not answering"):
        load_any_model(tmp_path, LoadOptions(task="answering"))
