"""Regard's own checkpoint format: a trained model before export.

checkpoint/
    config.json         architecture and options of the net
    model.safetensors   weights, float16
    tokenizer.json
    card.json           task, languages, data, licence, scores
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint's folder; `weights` are float32 in memory."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    tokenizer: Tokenizer
    card: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Writes the checkpoint, with weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config, indent=2) + "\n", encoding="utf-8")
        (folder / "card.json").write_text(json.dumps(self.card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        save_file(
            {name: x.to(torch.float16).contiguous() for name, x in self.weights.items()}, folder / "model.safetensors"
        )
        self.tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint":
        """Reads a checkpoint; its tokenizer treats special tokens in texts as text."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.encode_special_tokens = True
        return cls(
            config=json.loads((folder / "config.json").read_text(encoding="utf-8")),
            weights={name: x.float() for name, x in load_file(folder / "model.safetensors").items()},
            tokenizer=tokenizer,
            card=json.loads((folder / "card.json").read_text(encoding="utf-8")),
        )
