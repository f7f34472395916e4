"""Which evidence for a label is true of a trained model: `python docs/examples/faithfulness.py`, with scikit-learn.

Trains a vision transformer on scikit-learn's handwritten digits, serves it, and prints the means of `explain` over test
pictures, with their 95 % intervals of a paired bootstrap against a random order: the table of docs/encoders.md. Takes
a few minutes of one core.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from evidence_table import show
from own_server import server
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

import regard
from regard.names import Evidence
from regard.values.encodings import Explanation

EVIDENCE: tuple[Evidence, ...] = ("rollout", "value_norm", "contribution", "occlusion", "random")
NUM_TRAINED, NUM_EXPLAINED = 1437, 120  # of 1797 pictures
NUM_STEPS, BATCH, LEARNING_RATE = 600, 64, 2e-3
AT_ONCE = 8  # pictures of a call


def main() -> None:
    torch.manual_seed(0)
    digits = load_digits()
    pixels = np.repeat((digits.images * 15.9375).astype(np.uint8)[..., None], 3, axis=-1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, bundle = Path(folder) / "checkpoint", Path(folder) / "models" / "digits"
        net = trained(pixels[:NUM_TRAINED], digits.target[:NUM_TRAINED])
        net.save_pretrained(checkpoint)
        sides = {"height": 8, "width": 8}
        ViTImageProcessor(size=sides, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(checkpoint)
        options = ["-o", str(bundle), "--precision", "float32"]
        subprocess.run([sys.executable, "-m", "regard", "export", str(checkpoint), *options], check=True)
        with (
            server([f"--model-directories={bundle.parent}"]) as ports,
            regard.Client(f"127.0.0.1:{ports.grpc}") as client,
        ):
            found = [*explained(client, pixels[NUM_TRAINED : NUM_TRAINED + NUM_EXPLAINED])]
    right = [int(each[0].label) == digit for each, digit in zip(found, digits.target[NUM_TRAINED:], strict=False)]
    print(f"right on {sum(right)} of {len(right)} other pictures")
    show(found)


def trained(pixels: np.ndarray, targets: np.ndarray) -> ViTForImageClassification:
    """A vision transformer whose patches are single pixels."""
    config = ViTConfig(
        image_size=8,
        patch_size=1,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        id2label={digit: str(digit) for digit in range(10)},
        label2id={str(digit): digit for digit in range(10)},
    )
    net = ViTForImageClassification(config)
    net.train()
    inputs = torch.tensor(pixels.transpose(0, 3, 1, 2) / 127.5 - 1, dtype=torch.float32)
    labels = torch.tensor(targets)
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=NUM_STEPS)
    for _ in range(NUM_STEPS):
        rows = torch.randint(len(inputs), (BATCH,))
        loss = net(pixel_values=inputs[rows], labels=labels[rows]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    return net


def explained(client: regard.Client, pixels: np.ndarray) -> Iterator[tuple[Explanation, ...]]:
    """Yields the explanations of each picture."""
    for start in range(0, len(pixels), AT_ONCE):
        for result in client.classify_images([*pixels[start : start + AT_ONCE]], model="digits", explain=EVIDENCE):
            yield result.explanations


if __name__ == "__main__":
    main()
