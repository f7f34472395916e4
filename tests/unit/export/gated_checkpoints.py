"""Checkpoints of our gated classifier, with random weights."""

from dataclasses import replace
from pathlib import Path

import torch

from regard_export.families.regard_checkpoints.gated_classifier import FAMILY
from regard_models.nets.gated_classifier import Gate, GatedClassifier, GatedClassifierConfig
from regard_models.picture_checkpoint import PictureCheckpoint

CONFIG = GatedClassifierConfig(("a", "b", "c"), 32, (4, 8), 2)


def write_gated_classifier(folder: Path, gate: Gate = "cbam") -> Path:
    """Writes a net for pictures of 32 x 32 pixels: two layers of 8 channels and 8 x 8 cells. Returns the folder."""
    torch.manual_seed(0)
    net = GatedClassifier(replace(CONFIG, gate=gate))
    for parameter in net.parameters():  # a missing one changes the result
        torch.nn.init.normal_(parameter, std=0.3)
    settings = {"family": FAMILY, **net.config.to_json()}
    PictureCheckpoint(settings, net.state_dict(), {"description": "letters", "scores": {"accuracy": 50.0}}).save(folder)
    return folder
