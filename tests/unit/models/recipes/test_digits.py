"""The recipe of digits: it learns, and its checkpoint is exported."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.families.loading import load_any_model
from regard_models.nets.gated_classifier import GatedClassifier, GatedClassifierConfig
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_models.recipes.digit_pictures import LABELS, SIZE, Digits, draw_alone
from regard_models.recipes.digits import FAMILY, DigitBatch, accuracy, as_pixels, batches, train
from regard_models.recipes.training import TrainingPlan
from tests.unit.models.recipes.digit_files import write_digits

CONFIG = GatedClassifierConfig(LABELS, SIZE, widths=(4, 8), depth=2)


def test_steps_lower_the_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    digits = Digits.read(write_digits(tmp_path))
    batch = DigitBatch.of([draw_alone(digits, 1, number) for number in range(16)], CONFIG)
    net = GatedClassifier(CONFIG, has_norms=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = functional.cross_entropy(net(batch.pixels).logits, batch.labels)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2


def test_half_of_a_batch_are_pairs(tmp_path: Path) -> None:
    digits = Digits.read(write_digits(tmp_path))
    first = next(batches(digits, CONFIG, 0))
    is_grey = (first.pixels == first.pixels[:, :1]).flatten(1).all(dim=1)
    assert is_grey.tolist() == [True, False] * 32
    assert first.num_tokens == 64
    assert not torch.equal(next(batches(digits, CONFIG, 1)).pixels, first.pixels)


def test_a_training_ends_with_a_checkpoint_that_is_exported(tmp_path: Path) -> None:
    digits = Digits.read(write_digits(tmp_path))
    plan = TrainingPlan(2, 3e-3, warmup_steps=1, decay_steps=1, validate_every=100)
    net = train(CONFIG, digits, plan, tmp_path / "training")
    PictureCheckpoint({"family": FAMILY, **CONFIG.to_json()}, net.state_dict(), {"scores": {"accuracy": 1.0}}).save(
        tmp_path / "checkpoint"
    )
    model = load_any_model(tmp_path / "checkpoint")
    assert isinstance(model, EncoderModel)
    assert (model.task, model.family, dict(model.scores)) == ("classification", FAMILY, {"accuracy": 1.0})
    pixels = as_pixels([draw_alone(digits, 1, 0).pixels], CONFIG)
    found = model.reference.outputs(pixels[0].numpy())["logits"]
    np.testing.assert_allclose(found, net(pixels).logits[0].detach().numpy(), atol=0.05)  # weights are float16


def test_accuracy_counts_the_likeliest_labels(tmp_path: Path) -> None:
    digits = Digits.read(write_digits(tmp_path))
    net = GatedClassifier(CONFIG)
    weight, bias = torch.zeros_like(net.labels.weight), torch.zeros(10)
    bias[3] = 1.0
    net.labels.load_state_dict({"weight": weight, "bias": bias})
    pictures = [draw_alone(digits, 1, number) for number in range(50)]
    assert accuracy(net, pictures) == 2 * sum(picture.label == 3 for picture in pictures)
