"""Converts a checkpoint of Regard's transformer to Pegasus of `transformers`, an equal architecture.

Both normalize before each sublayer and after the last, have sinusoidal positions (sines in the first half of the
width), scale embeddings, and share them with the output. So the peers' converters can read our shipped models.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PegasusConfig, PegasusForConditionalGeneration, PreTrainedTokenizerFast

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SIDES = ("encoder", "decoder")
FITS = {"norm": "pre", "positions": "sinusoidal", "activation": "relu", "scale_embeddings": True, "bias": True,
        "final_norm": True, "tie_embeddings": True, "output_bias": False}  # fmt: skip

# Ours, Pegasus's.
RENAMED = (
    (r"^embedding\.", "model.shared."),
    (r"^(encoder|decoder)_norm\.", r"model.\1.layer_norm."),
    (r"^(encoder|decoder)\.(\d+)\.", r"model.\1.layers.\2."),
    (r"\.self_attention\.(\w+)\.", r".self_attn.\1."),
    (r"\.cross_attention\.(\w+)\.", r".encoder_attn.\1."),
    (r"\.(query|key|value)\.", lambda match: f".{match[1][0]}_proj."),
    (r"(attn)\.output\.", r"\1.out_proj."),
    (r"\.self_attention_sublayer\.norm\.", ".self_attn_layer_norm."),
    (r"\.cross_attention_sublayer\.norm\.", ".encoder_attn_layer_norm."),
    (r"\.feed_forward_sublayer\.norm\.", ".final_layer_norm."),
    (r"\.feed_forward\.inner\.", ".fc1."),
    (r"\.feed_forward\.outer\.", ".fc2."),
)


def write_shipped(source: str, folder: str) -> None:
    """Converts a checkpoint of models/zoo/checkpoints.

    Raises:
        ValueError: Pegasus lacks the architecture, or a weight is missing or unused.
    """
    config = json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))
    unlike = [f"{name} {config[name]}" for name, value in FITS.items() if config[name] != value]
    if unlike:
        raise ValueError(f"Pegasus has no {', '.join(unlike)}")
    net: Any = PegasusForConditionalGeneration(_config(config))
    weights = _renamed(_without_idle_heads(config, load_file(str(Path(source) / "model.safetensors"))))
    missing, unexpected = net.load_state_dict(weights, strict=False)
    missing = [
        name for name in missing if not re.search(r"embed_positions|embed_tokens|lm_head|final_logits_bias", name)
    ]
    if missing or unexpected:
        raise ValueError(f"missing: {missing}; left over: {unexpected}")
    net.tie_weights()
    net.generation_config.num_beams = 1
    net.generation_config.forced_eos_token_id = None
    net.save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(Path(source) / "tokenizer.json"))
    names = {"pad_token": PAD, "bos_token": START, "eos_token": END, "unk_token": UNKNOWN}
    named = {name: tokenizer.id_to_token(number) for name, number in names.items()}
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, **named).save_pretrained(folder)


def _config(ours: dict[str, Any]) -> PegasusConfig:
    options: dict[str, Any] = {
        "vocab_size": ours["vocab_size"],
        "d_model": ours["width"],
        **{f"{side}_layers": ours[f"{side}_layers"] for side in SIDES},
        **{f"{side}_attention_heads": ours["width"] // _head_width(ours) for side in SIDES},
        **{f"{side}_ffn_dim": ours["feed_forward_width"] for side in SIDES},
        "activation_function": "relu",
        "scale_embedding": True,
        "max_position_embeddings": ours["max_positions"],
        "pad_token_id": PAD,
        "bos_token_id": START,
        "eos_token_id": END,
        "decoder_start_token_id": START,
        "forced_eos_token_id": None,
        "tie_word_embeddings": True,
        # CTranslate2's converter reads these, which published checkpoints have.
        "normalize_before": True,
        "normalize_embedding": False,
        "add_final_layer_norm": True,
        "static_position_embeddings": True,
    }
    return PegasusConfig(**options)


def _head_width(ours: dict[str, Any]) -> int:
    return int(ours.get("head_width") or ours["width"] // ours["num_heads"])


def _without_idle_heads(ours: dict[str, Any], weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Drops heads that only align: Pegasus's heads together are as wide as the model.

    Raises:
        ValueError: a head beyond the model's width adds to the output.
    """
    width, kept = ours["width"], dict(weights)
    for name, values in weights.items():
        if re.search(r"_attention\.(query|key|value)\.", name):
            kept[name] = values[:width]
        elif name.endswith("_attention.output.weight"):
            if values[:, width:].any():
                raise ValueError(f"{name}: Pegasus's heads are as wide as the model together, {width}")
            kept[name] = values[:, :width]
    return kept


def _renamed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {}
    for name, values in weights.items():
        new = name
        for pattern, replacement in RENAMED:
            new = re.sub(pattern, replacement, new)
        found[new] = values
    return found
