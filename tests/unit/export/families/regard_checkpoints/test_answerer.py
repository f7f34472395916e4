"""Our own answerer: the export's gates against the net, and the maps among words and cells."""

from pathlib import Path

import numpy as np
import pytest
import torch

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.errors import ExportError
from regard_export.exporting.encoder_export import export_encoder
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_any_model
from regard_models.checkpoint import Checkpoint
from regard_models.nets.answerer import Answerer
from regard_models.recipes import answerer
from regard_models.recipes.picture_questions import build_tokenizer
from regard_service.bundle import QuestionSource
from regard_service.engine.runtime.questions import question_record

TEXTS = ["what color is the circle?", "is there a red shape in the image?"]
ANSWERS = ["blue", "no", "red", "yes"]


def write(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(TEXTS)
    net = Answerer(answerer.config_of(tokenizer, len(ANSWERS)), is_folded=True)
    for parameter in net.parameters():  # a missing one changes the result
        torch.nn.init.normal_(parameter, std=0.2)
    answerer.save(folder, net, tokenizer, answerer.card_of(ANSWERS, {"scores": {"accuracy/none": 25.0}}))
    return folder


def test_the_graphs_compute_what_the_net_computes(tmp_path: Path) -> None:
    model = load_any_model(write(tmp_path / "checkpoint"))
    assert isinstance(model, EncoderModel)
    plan = ExportOptions("m", "1", ["int8", "float32"], {})
    manifest = export_encoder(model, tmp_path / "bundle", plan, lambda _: None).manifest  # raises if a check fails
    checks = manifest.verification["checks"]["float32"]
    assert "logits: largest difference from the original" in checks
    assert "trace: largest difference of self-attention" in checks
    assert isinstance(manifest.source, QuestionSource)
    assert (manifest.source.picture.grid, manifest.source.picture.first_position) == ((8, 8), 0)
    assert (manifest.attention.encoder_layers, manifest.attention.encoder_heads) == (2, 4)
    assert manifest.scores == {"accuracy/none": 25.0}
    assert manifest.description.startswith("questions about pictures")


def test_rows_of_the_original_attention_sum_to_one(tmp_path: Path) -> None:
    model = load_any_model(write(tmp_path))
    assert isinstance(model, EncoderModel)
    pixels = np.random.default_rng(0).standard_normal((3, 64, 64), np.float32)
    weights = model.reference.attention(question_record(pixels, np.array([1, 5, 3, 4], np.int64)))
    assert weights is not None
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


def test_a_checkpoint_that_does_not_fit_its_config_is_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint.load(write(tmp_path))
    Checkpoint({**checkpoint.config, "num_labels": 3}, checkpoint.weights, checkpoint.tokenizer, checkpoint.card).save(
        tmp_path
    )
    with pytest.raises(ExportError, match="does not fit its architecture"):
        load_any_model(tmp_path)
