"""The detector's recipe: its targets, and that it learns."""

from pathlib import Path

import numpy as np
import torch

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.families.loading import load_any_model
from regard_models.nets.detector import Detector, DetectorConfig
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_models.recipes.detector import FAMILY, SceneBatch, as_pixels, detect, loss_of, scores_of, train
from regard_models.recipes.scenes import LABELS, SIZE, draw_scene
from regard_models.recipes.training import TrainingPlan

CONFIG = DetectorConfig(LABELS, SIZE, widths=(4, 6, 8), inner_channels=4)


def test_targets_decode_to_the_scene_s_own_boxes() -> None:
    scenes = [draw_scene(5, number) for number in range(8)]
    batch = SceneBatch.of(scenes, CONFIG)
    assert batch.num_tokens >= sum(len(scene.labels) for scene in scenes) - 1  # two may share a cell
    for scene, heat, geometry in zip(scenes, batch.heat, batch.geometry, strict=True):
        for (left, top, right, bottom), label in zip(scene.boxes, scene.labels, strict=True):
            x, y = (left + right) / 2 / 4, (top + bottom) / 2 / 4
            assert heat[label, int(y), int(x)] == 1
            found = geometry[:, int(y), int(x)].numpy()
            if np.isclose(found[2] * SIZE, right - left, atol=1e-3):  # none lies over it
                expected = [x - int(x), y - int(y), (right - left) / SIZE, (bottom - top) / SIZE]
                np.testing.assert_allclose(found, expected, atol=1e-4)


def test_steps_lower_the_loss() -> None:
    torch.manual_seed(0)
    batch, net = SceneBatch.of([draw_scene(5, number) for number in range(4)], CONFIG), Detector(CONFIG, has_norms=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss, parts = loss_of(net, batch)
        assert parts.keys() == {"labels", "boxes"}
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2


def test_a_training_ends_with_a_checkpoint_that_is_exported(tmp_path: Path) -> None:
    plan = TrainingPlan(2, 3e-3, warmup_steps=1, decay_steps=1, validate_every=100)
    net = train(CONFIG, plan, tmp_path / "training")
    assert set(scores_of(net, 2, 4)) == {"map50", *(f"ap50/{label}" for label in LABELS)}
    PictureCheckpoint({"family": FAMILY, **CONFIG.to_json()}, net.state_dict(), {"scores": {"map50": 1.0}}).save(
        tmp_path / "checkpoint"
    )
    model = load_any_model(tmp_path / "checkpoint")
    assert isinstance(model, EncoderModel)
    assert (model.task, model.family, dict(model.scores)) == ("detection", FAMILY, {"map50": 1.0})
    expected = net(as_pixels([draw_scene(0, 0).pixels], CONFIG)).decoded()[0].detach().numpy()
    found = model.reference.outputs(as_pixels([draw_scene(0, 0).pixels], CONFIG)[0].numpy())["box_logits"]
    np.testing.assert_allclose(found, expected[0], atol=0.2)  # the checkpoint's weights are float16


def test_boxes_are_in_pixels() -> None:
    net = Detector(CONFIG)
    net.labels.load_state_dict({name: torch.zeros_like(x) for name, x in net.labels.state_dict().items()})
    (found,) = detect(net, [draw_scene(0, 0).pixels])
    assert found.boxes.shape == (len(found.labels), 4)
    assert found.boxes.max() > 2
