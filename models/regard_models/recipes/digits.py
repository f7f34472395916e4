"""Recipe of `digits`: reads handwritten digits, of two of them the one whose colour a bar shows; with CBAM,
squeeze-and-excitation, or no gates.

    pip install scikit-learn
    python -m regard_models.recipes.digits --data SITE-PACKAGES/sklearn/datasets/data/digits.csv.gz --out OUT
        [--gate none|squeeze_excitation|cbam] [--steps 3000]

Trains by steps on one core, and writes the checkpoint with its scores on digits that training never saw.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from regard_models.nets.gated_classifier import Gate, GatedClassifier, GatedClassifierConfig
from regard_models.picture_checkpoint import PictureCheckpoint
from regard_models.recipes.digit_pictures import (
    LABELS,
    NUM_TRAINING,
    SIZE,
    DigitPicture,
    Digits,
    as_it_is,
    draw_alone,
    draw_pair,
)
from regard_models.recipes.training import Log, Loss, TrainingLoop, TrainingPlan, named

FAMILY = "regard-gated-classifier"
BATCH = 64  # half of them pairs
TRAINING, VALIDATION, TEST = 1, 2, 3  # seeds of the pictures
VALIDATION_PICTURES, TEST_PICTURES = 300, 2000


@dataclass(frozen=True)
class DigitBatch:
    """Pictures as the net learns them.

    Attributes:
        pixels: float32 [pictures, 3, height, width].
        labels: int64 [pictures].
    """

    pixels: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Pictures."""
        return len(self.labels)

    def to(self, device: str) -> Self:
        """The same on a device."""
        return type(self)(self.pixels.to(device), self.labels.to(device))

    @classmethod
    def of(cls, pictures: Sequence[DigitPicture], config: GatedClassifierConfig) -> Self:
        """Collects pictures."""
        labels = torch.tensor([picture.label for picture in pictures])
        return cls(as_pixels([picture.pixels for picture in pictures], config), labels)


def as_pixels(pictures: Sequence[NDArray[np.uint8]], config: GatedClassifierConfig) -> Tensor:
    """The net's input: float32 [pictures, 3, height, width] of uint8 [height, width, 3] each."""
    values = (np.stack(pictures).astype(np.float32) - config.mean) / config.std
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))


def batches(digits: Digits, config: GatedClassifierConfig, first: int) -> Iterator[DigitBatch]:
    """The endless training batches from a number on."""
    for number in count(first):
        drawn = range(number * BATCH, (number + 1) * BATCH)
        pictures = [(draw_pair if index % 2 else draw_alone)(digits, TRAINING, index) for index in drawn]
        yield DigitBatch.of(pictures, config)


@torch.inference_mode()
def accuracy(net: GatedClassifier, pictures: Sequence[DigitPicture]) -> float:
    """The share of pictures whose likeliest label is right, in percent."""
    net.eval()
    num_right = 0
    for first in range(0, len(pictures), 200):
        batch = DigitBatch.of(pictures[first : first + 200], net.config)
        num_right += int((net(batch.pixels).logits.argmax(dim=-1) == batch.labels).sum())
    return round(100 * num_right / len(pictures), 2)


def scores_of(net: GatedClassifier, digits: Digits) -> dict[str, float]:
    """Accuracies on the digits as they are, and on pairs of them."""
    pairs = [draw_pair(digits, TEST, number) for number in range(TEST_PICTURES)]
    plain = [as_it_is(digits, index) for index in range(len(digits.labels))]
    return {"accuracy/digits/test": accuracy(net, plain), "accuracy/pairs/test": accuracy(net, pairs)}


def train(config: GatedClassifierConfig, digits: Digits, plan: TrainingPlan, out: Path) -> GatedClassifier:
    """Trains a net, and returns the same net without normalizations."""
    net = GatedClassifier(config, has_norms=True)
    seen = [draw_pair(digits, VALIDATION, number) for number in range(VALIDATION_PICTURES)]

    def validate(model: GatedClassifier, step: int) -> Log:
        return {"accuracy/training": accuracy(model, seen)}

    def loss_of(batch: DigitBatch) -> Loss:
        return named(functional.cross_entropy(net(batch.pixels).logits, batch.labels))

    TrainingLoop(out, net, lambda first: batches(digits, config, first), loss_of, validate, device="cpu").run(plan)
    trained = GatedClassifier(config)
    trained.load_state_dict(net.eval().folded_weights())
    return trained.eval()


def main() -> None:
    """Trains with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="digits.csv.gz of scikit-learn")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gate", choices=get_args(Gate), default="cbam")
    parser.add_argument("--steps", type=int, default=3000, help="optimizer steps, in total over all calls")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    digits = Digits.read(options.data)
    config = GatedClassifierConfig(LABELS, SIZE, gate=options.gate)
    plan = TrainingPlan(
        options.steps,
        peak_rate=3e-3,
        warmup_steps=100,
        decay_steps=options.steps // 2,
        validate_every=options.steps // 4,
    )
    net = train(config, digits.part(0, NUM_TRAINING), plan, options.out)
    scores = scores_of(net, digits.part(NUM_TRAINING, None))
    print(scores)
    card: dict[str, Any] = {
        "name": "digits",
        "task": "classification",
        "description": "handwritten digits; of a red and a blue one that of the bar's colour",
        "data": "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), as of scikit-learn",
        "license": "CC BY 4.0",
        "weights_license": "Apache-2.0",
        "recipe": "models/regard_models/recipes/digits.py",
        "training": {"steps": options.steps, "batch": BATCH, "device": "cpu"},
        "scores": scores,
    }
    PictureCheckpoint({"family": FAMILY, **config.to_json()}, net.state_dict(), card).save(options.out)


if __name__ == "__main__":
    main()
