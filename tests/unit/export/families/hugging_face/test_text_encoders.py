"""Encoders with their heads: the export's own gates against `transformers`, and what is refused by name."""

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
from regard_service.bundle import Bundle, LabelsOutput, VectorOutput
from tests.unit.export.encoder_checkpoints import write_encoder, write_picture_classifier, write_sentence_encoder

HEADS = ("Model", "ForSequenceClassification", "ForTokenClassification", "ForMaskedLM")
CASES = [
    *((kind, head) for kind in ("bert", "roberta", "distilbert", "deberta-v2") for head in HEADS),
    ("xlm-roberta", "ForTokenClassification"),
    ("camembert", "Model"),
]


def exported(folder: Path, checkpoint: Path, **options: Any) -> Bundle:
    model = load_any_model(checkpoint, LoadOptions(**options))
    assert isinstance(model, EncoderModel)
    return export_encoder(model, folder, ExportOptions("m", "1", ["int8", "float32"], {}), lambda _: None)


@pytest.mark.parametrize(("kind", "head"), CASES)
def test_float32_equals_the_original_and_int8_loses_little(kind: str, head: str, tmp_path: Path) -> None:
    checkpoint = write_encoder(tmp_path / "checkpoint", kind, head)
    task = "encoding" if head == "Model" else None
    manifest = exported(tmp_path / "bundle", checkpoint, task=task).manifest  # raises if a check fails
    checks = manifest.verification["checks"]
    assert checks["inputs"]["inputs tokenized differently"]["value"] == 0
    assert any("from the original" in name for name in checks["float32"])
    assert any("average" in name for name in checks["int8"])


@pytest.mark.parametrize(
    "options",
    [
        {"share_att_key": False},
        {"pos_att_type": "c2p", "position_buckets": -1, "norm_rel_ebd": "none"},
        {"pos_att_type": "p2c", "max_relative_positions": 10, "position_buckets": 4},
        {"position_biased_input": True, "type_vocab_size": 2, "pooler_hidden_act": "tanh"},
    ],
)
def test_every_form_of_disentangled_attention_equals_the_original(options: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = write_encoder(tmp_path / "checkpoint", "deberta-v2", "ForSequenceClassification", **options)
    checks = exported(tmp_path / "bundle", checkpoint).manifest.verification["checks"]["float32"]
    assert "logits: largest difference from the original" in checks
    assert "trace: largest difference of self-attention" in checks


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"conv_kernel_size": 3}, "has a convolution"),
        ({"relative_attention": False, "position_biased_input": True}, "has no relative positions"),
        ({"hidden_act": "mish"}, "unsupported activation: 'mish'"),
        ({"pooler_hidden_act": "silu"}, "unsupported pooler_hidden_act: 'silu'"),
        ({"embedding_size": 16}, "embeddings of another width"),
        ({"legacy": False}, "another head than BERT's"),
    ],
)
def test_what_is_not_supported_of_deberta_is_refused_by_name(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    head = "ForMaskedLM" if "legacy" in options else "ForSequenceClassification"
    checkpoint = write_encoder(tmp_path, "deberta-v2", head, **options)
    with pytest.raises(ExportError, match=words):
        load_any_model(checkpoint)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vit", {}),
        ("deit", {}),
        ("beit", {"use_mean_pooling": True}),
        ("beit", {"use_mean_pooling": False, "use_relative_position_bias": True}),
        ("swin", {}),
    ],
)
def test_classifiers_of_pictures_equal_the_original(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = write_picture_classifier(tmp_path / "checkpoint", kind, **options)
    manifest = exported(tmp_path / "bundle", checkpoint).manifest
    assert "logits: largest difference from the original" in manifest.verification["checks"]["float32"]
    assert isinstance(manifest.output, LabelsOutput)
    assert manifest.output.pooling == ("mean" if kind == "swin" or options.get("use_mean_pooling") else "class")


@pytest.mark.parametrize(
    ("pooling", "expected"), [("cls_token", "class"), ("mean_tokens", "mean"), ("max_tokens", "max")]
)
def test_a_folder_of_sentence_transformers_is_read(pooling: str, expected: str, tmp_path: Path) -> None:
    folder = write_sentence_encoder(tmp_path, pooling=pooling, is_normalized=pooling == "max_tokens")
    model = load_any_model(folder)
    assert isinstance(model, EncoderModel)
    assert isinstance(model.output, VectorOutput)
    assert (model.output.pooling, model.output.is_normalized) == (expected, pooling == "max_tokens")
    assert model.max_source_tokens == 24


def test_texts_are_lower_cased_where_the_folder_says_so(tmp_path: Path) -> None:
    checkpoint = write_sentence_encoder(tmp_path / "checkpoint", do_lower_case=True)
    checks = exported(tmp_path / "bundle", checkpoint).manifest.verification["checks"]
    assert checks["inputs"]["inputs tokenized differently"]["value"] == 0  # cased texts are among them


def _write(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content))


def test_what_a_sentence_encoder_adds_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_sentence_encoder(tmp_path / "a")
    modules = json.loads((folder / "modules.json").read_text())
    _write(folder, "modules.json", [*modules, {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}])
    with pytest.raises(ExportError, match="modules that are not supported: Dense"):
        load_any_model(folder)
    folder = write_sentence_encoder(tmp_path / "b")
    _write(folder / "1_Pooling", "config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True})
    with pytest.raises(ExportError, match="must be one of mean, cls and max tokens; it is"):
        load_any_model(folder)
    folder = write_sentence_encoder(tmp_path / "c")
    _write(folder, "config_sentence_transformers.json", {"prompts": {"q": "query: "}, "default_prompt_name": "q"})
    with pytest.raises(ExportError, match="default_prompt_name 'q' is not supported"):
        load_any_model(folder)


def test_other_heads_tasks_and_kinds_are_refused_by_name(tmp_path: Path) -> None:
    regression = write_encoder(tmp_path / "a", "bert", "ForSequenceClassification", problem_type="regression")
    with pytest.raises(ExportError, match="no probabilities of labels"):
        load_any_model(regression)
    with pytest.raises(ExportError, match="does classification or encoding, not mask_filling"):
        load_any_model(regression, LoadOptions("mask_filling"))
    with pytest.raises(ExportError, match="have no meaning for encoding"):
        load_any_model(regression, LoadOptions("encoding", (("en", "de"),)))
    settings = json.loads((regression / "config.json").read_text())
    _write(regression, "config.json", {**settings, "model_type": "mpnet"})
    with pytest.raises(ExportError, match="unknown encoder 'mpnet'; known are bert, camembert"):
        load_any_model(regression, LoadOptions("encoding"))
