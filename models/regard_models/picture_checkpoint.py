"""Regard's checkpoint format for nets without a tokenizer.

checkpoint/
    config.json         family, architecture and options of the net
    model.safetensors   weights, float16
    card.json           task, data, licence, scores
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


@dataclass(frozen=True)
class PictureCheckpoint:
    """The content of a checkpoint's folder; `weights` are float32 in memory."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    card: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Writes the checkpoint, with weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (("config.json", self.config), ("card.json", self.card)):
            (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        halves = {name: x.to(torch.float16).contiguous() for name, x in self.weights.items()}
        save_file(halves, folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "PictureCheckpoint":
        """Reads a checkpoint."""
        config, card = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in ("config.json", "card.json")
        )
        weights = {name: x.float() for name, x in load_file(folder / "model.safetensors").items()}
        return cls(config, weights, card)
