"""Recipe of `lamps`, which does not ship: boxes of lamps, balls and signs, with a non-local block and without it.

    python -m regard_models.recipes.detector --out OUT [--steps 1200] [--without-non-local]

Draws its own pictures (`scenes.py`), no two of them the same, trains by steps on one core, and writes the checkpoint
with its scores on pictures that training never saw.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from regard_models.nets.detector import Detector, DetectorConfig, DetectorOutput
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_models.recipes.detection_scores import Found, average_precision, mean_average_precision
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.scenes import LABELS, SIZE, Scene, draw_scene
from regard_models.recipes.training import Log, TrainingLoop, TrainingPlan

FAMILY = "regard-detector"
BATCH = 32
TRAINING, VALIDATION, TEST = 1, 2, 3  # seeds of the scenes
VALIDATION_SCENES, TEST_SCENES = 250, 1000
GEOMETRY_WEIGHT = 4.0
MIN_SCORE = 0.02  # boxes below it are not scored


@dataclass(frozen=True)
class SceneBatch:
    """Scenes as the net learns them.

    Attributes:
        pixels: float32 [pictures, 3, height, width].
        heat: float32 [pictures, labels, rows, columns]; 1 where an object's centre is, less around it.
        geometry: float32 [pictures, 4, rows, columns], see `DetectorOutput`; 0 where no centre is.
        has_centre: float32 [pictures, 1, rows, columns].
    """

    pixels: Tensor
    heat: Tensor
    geometry: Tensor
    has_centre: Tensor

    @property
    def num_tokens(self) -> int:
        """Objects, at least 1."""
        return max(1, int(self.has_centre.sum()))

    def to(self, device: str) -> Self:
        """The same on a device."""
        return type(self)(*(each.to(device) for each in vars(self).values()))

    @classmethod
    def of(cls, scenes: Sequence[Scene], config: DetectorConfig) -> Self:
        """Collects scenes."""
        targets = [_target(scene, config) for scene in scenes]
        heat, geometry, centres = (torch.from_numpy(np.stack(each)) for each in zip(*targets, strict=True))
        return cls(as_pixels([scene.pixels for scene in scenes], config), heat, geometry, centres)


def as_pixels(pictures: Sequence[NDArray[np.uint8]], config: DetectorConfig) -> Tensor:
    """The net's input: float32 [pictures, 3, height, width] of uint8 [height, width, 3] each."""
    values = (np.stack(pictures).astype(np.float32) - config.mean) / config.std
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))


def _target(scene: Scene, config: DetectorConfig) -> tuple[NDArray[np.float32], ...]:
    """Heat [labels, rows, columns], geometry [4, rows, columns], centres [1, rows, columns].

    The heat around a centre is a Gaussian (Zhou et al. 2019, section 3), a sixth of the box's side wide.
    """
    rows, columns = config.grid
    heat = np.zeros((len(config.labels), rows, columns), np.float32)
    geometry, centres = np.zeros((4, rows, columns), np.float32), np.zeros((1, rows, columns), np.float32)
    for (left, top, right, bottom), label in zip(scene.boxes / config.image_size, scene.labels, strict=True):
        x, y, width, height = (left + right) / 2 * columns, (top + bottom) / 2 * rows, right - left, bottom - top
        column, row = min(int(x), columns - 1), min(int(y), rows - 1)
        spread = [max(side * cells / 6, 0.4) for side, cells in ((width, columns), (height, rows))]
        across = np.exp(-0.5 * ((np.arange(columns) - column) / spread[0]) ** 2)
        down = np.exp(-0.5 * ((np.arange(rows) - row) / spread[1]) ** 2)
        heat[label] = np.maximum(heat[label], down[:, None] * across)
        geometry[:, row, column] = x - column, y - row, width, height
        centres[0, row, column] = 1
    return heat, geometry, centres


def loss_of(net: Detector, batch: SceneBatch) -> tuple[Tensor, dict[str, float]]:
    """The loss for each object: of labels (Zhou et al. 2019, equation 1, with alpha 2 and beta 4), and the distance of
    boxes.
    """
    output = net(batch.pixels)
    logits = output.logits.float()
    chance, is_centre = logits.sigmoid(), batch.heat == 1
    of_centres = (1 - chance) ** 2 * functional.logsigmoid(logits)
    of_others = (1 - batch.heat) ** 4 * chance**2 * functional.logsigmoid(-logits)
    labels = -torch.where(is_centre, of_centres, of_others).sum() / batch.num_tokens
    distance = (output.geometry.float().sigmoid() - batch.geometry).abs() * batch.has_centre
    # Places are parts of a cell and sizes parts of the picture: both count by cells.
    cells = torch.tensor([1.0, 1.0, net.config.grid[1], net.config.grid[0]], device=distance.device)
    boxes = (distance * cells[:, None, None]).sum() / batch.num_tokens
    total = labels + GEOMETRY_WEIGHT / 4 * boxes
    return total, {"labels": float(labels.detach()), "boxes": float(boxes.detach())}


def batches(config: DetectorConfig, first: int) -> Iterator[SceneBatch]:
    """The endless training batches from a number on."""
    for number in count(first):
        yield SceneBatch.of([draw_scene(TRAINING, number * BATCH + index) for index in range(BATCH)], config)


@torch.inference_mode()
def detect(net: Detector, pictures: Sequence[NDArray[np.uint8]]) -> list[Found]:
    """The boxes in pictures, of uint8 [height, width, 3] each, in pixels; every label of every cell by itself."""
    config = net.config
    net.eval()
    found = []
    for first in range(0, len(pictures), 100):
        output: DetectorOutput = net(as_pixels(pictures[first : first + 100], config))
        logits, boxes = output.decoded()
        for chances, (x, y, width, height) in zip(logits.sigmoid(), boxes.transpose(1, 2), strict=True):
            cells, labels = torch.nonzero(chances > MIN_SCORE, as_tuple=True)
            corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)
            scores = chances[cells, labels]
            found.append(Found((corners[cells] * config.image_size).numpy(), labels.numpy(), scores.numpy()))
    return found


def scores_of(net: Detector, seed: int, number: int) -> dict[str, float]:
    """mAP@0.5 and each label's average precision, in percent, on `number` scenes of a seed."""
    scenes = [draw_scene(seed, index) for index in range(number)]
    truth = [Found(scene.boxes, scene.labels, np.ones(len(scene.labels), np.float32)) for scene in scenes]
    found = detect(net, [scene.pixels for scene in scenes])
    named = {"map50": mean_average_precision(truth, found, len(LABELS))}
    for index, label in enumerate(LABELS):
        named[f"ap50/{label}"] = average_precision(truth, found, index)
    return {name: round(100 * value, 2) for name, value in named.items()}


def train(config: DetectorConfig, plan: TrainingPlan, out: Path) -> Detector:
    """Trains a net, and returns the same net without normalizations."""
    net = Detector(config, has_norms=True)

    def validate(model: Detector, step: int) -> Log:
        return {"map50": scores_of(model, VALIDATION, VALIDATION_SCENES)["map50"]}

    loop = TrainingLoop(
        out, net, lambda first: batches(config, first), lambda batch: loss_of(net, batch), validate, device="cpu"
    )
    loop.run(plan)
    trained = Detector(config)
    trained.load_state_dict(net.eval().folded_weights())
    return trained


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200, help="optimizer steps, in total over all calls")
    parser.add_argument("--without-non-local", action="store_true", help="train the same net without the block")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    config = DetectorConfig(LABELS, SIZE, is_non_local=not options.without_non_local)
    plan = TrainingPlan(
        options.steps,
        peak_rate=3e-3,
        warmup_steps=100,
        decay_steps=options.steps // 2,
        validate_every=options.steps // 4,
    )
    net = train(config, plan, options.out)
    scores = {f"{name}/test": value for name, value in scores_of(net, TEST, TEST_SCENES).items()}
    print(scores)
    card: dict[str, Any] = {
        "name": "lamps",
        "task": "detection",
        "description": "lamps, balls and signs in drawn pictures; lamps are lit where the sign is blue",
        "data": "scenes that the recipe draws",
        "license": "Apache-2.0",
        "recipe": "models/regard_models/recipes/detector.py",
        "training": {"steps": options.steps, "batch": BATCH, "device": "cpu"},
        "scores": scores,
    }
    PictureCheckpoint({"family": FAMILY, **config.to_json()}, net.state_dict(), card).save(options.out)


if __name__ == "__main__":
    keep_freed_memory()
    main()
