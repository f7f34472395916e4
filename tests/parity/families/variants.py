"""A small model for every option of the configs that graphs are built from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from regard_export.checkpoints.source_model import SourceModel
from regard_export.families.loading import load_source_model
from regard_export.families.regard_checkpoints import (
    captioner,
    encoder_decoder,
    pointer_generator,
    recurrent,
    transformer,
)
from regard_export.references.protocols import Source
from regard_models.nets.captioner_family import CaptionerConfig
from regard_models.nets.encoder_decoder import EncoderConfig
from regard_service.bundle import ImageSource
from tests.unit.export.captioner_checkpoints import ALL_BLOCKS, tiny_captioner_checkpoint, tiny_lstm, tiny_transformer
from tests.unit.export.encoder_decoder_checkpoints import tiny_bert, tiny_prompted, tiny_vision
from tests.unit.export.encoder_decoder_checkpoints import tiny_checkpoint as tiny_encoder_decoder
from tests.unit.export.pointer_checkpoints import random_source, tiny_pointer_checkpoint
from tests.unit.export.recurrent_checkpoints import tiny_recurrent_checkpoint
from tests.unit.export.transformer_checkpoints import tiny_checkpoint
from tests.unit.export.vision_checkpoints import write_blip, write_vision

NUM_SOURCES, MAX_SOURCE = 7, 21


@dataclass(frozen=True)
class Variant:
    """A model and its tolerance.

    Attributes:
        load: makes the model; its argument is a folder for the checkpoint's files.
        int8_noise: allowed average difference of int8's logits from float32's, in standard deviations of the latter.
    """

    name: str
    load: Callable[[Path], SourceModel]
    int8_noise: float = 0.05


def sources_of(model: SourceModel) -> list[Source]:
    """Pixels, or texts of many lengths, among them a single token."""
    rng = np.random.default_rng(0)
    if isinstance(model.source, ImageSource):
        shape = (3, model.source.height, model.source.width)
        return [rng.standard_normal(shape).astype(np.float32) for _ in range(NUM_SOURCES)]
    lengths = (1, MAX_SOURCE, *rng.integers(2, MAX_SOURCE, NUM_SOURCES - 2))
    if model.target.copies:
        return [random_source(rng, length) for length in lengths]
    return [rng.integers(6, 400, length).tolist() for length in lengths]


T5 = {
    "positions": "relative",
    "relative_buckets": 8,
    "relative_max_distance": 12,
    "norm_kind": "rms",
    "norm_epsilon": 1e-6,
    "bias": False,
    "scale_embeddings": False,
    "scale_attention": False,
    "head_scale": 32**-0.5,
    "head_width": 16,
}
TRANSFORMERS: list[dict[str, Any]] = [
    {},
    {"norm": "post", "final_norm": False},
    {"norm": "post", "final_norm": True, "activation": "silu", "output_bias": True},
    {"final_norm": False, "activation": "gelu"},
    {"norm": "post", "final_norm": False, "positions": "learned", "scale_embeddings": False},
    {"tie_embeddings": False, "output_bias": True},
    {"tie_embeddings": False, "bias": False, "final_norm": False, "scale_embeddings": False},
    {"bias": False, "positions": "learned", "activation": "gelu"},
    {"encoder_layers": 1, "decoder_layers": 1, "num_heads": 1, "norm": "post"},
    {"encoder_layers": 3, "decoder_layers": 1, "num_heads": 2, "activation": "silu"},
    {"norm": "post", "final_norm": False, "embedding_norm": True, "positions": "learned", "scale_embeddings": False},
    {"source_vocab_size": 400, "encoder_heads": 2, "encoder_feed_forward_width": 32, "norm_epsilon": 1e-3},
    {"head_transform": True, "norm": "post", "final_norm": False, "activation": "gelu", "norm_epsilon": 1e-12},
    T5,
    {**T5, "gated": True, "activation": "gelu_tanh", "tie_embeddings": False, "head_scale": 1.0, "num_heads": 2},
]

STYLES, SCORES, CELLS = ("bahdanau", "luong"), ("dot", "scaled_dot", "general", "additive"), ("lstm", "gru")
RECURRENT: list[dict[str, Any]] = [
    *({"style": style, "score": score, "cell": cell} for style, score, cell in product(STYLES, SCORES, CELLS)),
    {"style": "luong", "score": "general", "cell": "lstm", "encoder_layers": 2, "decoder_width": 48},
    {"style": "bahdanau", "score": "additive", "cell": "gru", "encoder_layers": 2, "decoder_width": 48},
    # Options of other toolkits.
    *(
        {
            "style": "luong",
            "score": "general",
            "cell": cell,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "readout_width": 48,
            "tie_embeddings": False,
            "head_bias": cell == "gru",
            "scale_embeddings": False,
            "start": "layers",
            "start_cell": "encoder" if cell == "lstm" else "zero",
        }
        for cell in CELLS
    ),
    {
        "style": "luong",
        "score": "additive",
        "cell": "lstm",
        "score_bias": True,
        "bidirectional": False,
        "decoder_layers": 3,
        "readout_bias": True,
        "readout_tanh": False,
        "scale_embeddings": False,
        "start_cell": "hidden",
    },
    {"style": "luong", "score": "dot", "cell": "lstm", "start": "last", "decoder_layers": 2, "start_cell": "hidden"},
    {"style": "luong", "score": "general", "cell": "gru", "start": "zero", "source_vocab_size": 420},
]

POINTERS: list[dict[str, Any]] = [
    {},
    {"seed": 4, "embedding_width": 48, "encoder_width": 24, "decoder_width": 16, "attention_width": 32},
]

CAPTIONERS: dict[str, CaptionerConfig] = {
    "lstm soft": tiny_lstm(),
    "lstm hard": tiny_lstm(attention="hard"),
    "lstm straight_through": tiny_lstm(attention="straight_through", blocks=ALL_BLOCKS),
    **{f"lstm soft {block}": tiny_lstm(blocks=(block,)) for block in ALL_BLOCKS},
    "transformer": tiny_transformer(),
    "transformer without encoder": tiny_transformer(encoder_layers=0, norm="post", final_norm=False),
    "transformer with blocks": tiny_transformer(blocks=ALL_BLOCKS, encoder_layers=1, positions="learned"),
}

ENCODER_DECODERS: dict[str, tuple[EncoderConfig, dict[str, object]]] = {
    "vision transformer": (tiny_vision(), {}),
    "vision transformer of patches only": (tiny_vision(class_tokens=0, width=32, relative_positions=True), {}),
    "bert": (tiny_bert(), {}),
    "bert, decoder alike": (tiny_bert(width=32), {"norm": "post", "final_norm": False, "embedding_norm": True}),
    "prompted vision": (tiny_prompted(), {}),
    "prompted vision, norm first": (tiny_prompted(norm="pre"), {"head_transform": True, "activation": "gelu_tanh"}),
}

VISION: dict[str, dict[str, Any]] = {
    "vit gpt2": {"encoder_hidden_size": 32},
    "vit gpt2 of other widths": {"encoder_hidden_size": 48, "encoder_num_attention_heads": 2},
    "vit bert": {"decoder": "bert", "encoder_hidden_size": 32},
    "deit bert of other widths": {"encoder": "deit", "decoder": "bert"},
    "vit trocr": {"decoder": "trocr"},
    "beit gpt2": {"encoder": "beit", "encoder_use_relative_position_bias": True},
    "beit bert, shared distances": {
        "encoder": "beit",
        "decoder": "bert",
        "encoder_use_shared_relative_position_bias": True,
        "encoder_use_mean_pooling": False,
        "encoder_layer_scale_init_value": 0.0,
    },
    "beit bert, both positions": {
        "encoder": "beit",
        "decoder": "bert",
        "encoder_use_relative_position_bias": True,
        "encoder_use_absolute_position_embeddings": True,
    },
    "deit trocr, scaled, plain": {
        "encoder": "deit",
        "decoder": "trocr",
        "decoder_scale_embedding": True,
        "decoder_layernorm_embedding": False,
        "decoder_use_learned_position_embeddings": False,
        "decoder_activation_function": "relu",
    },
    "swin gpt2": {"encoder": "swin"},
    "swin bert, filled up": {
        "encoder": "swin",
        "decoder": "bert",
        "encoder_embed_dim": 32,
        "encoder_patch_size": 2,
        "encoder_window_size": 5,
        "encoder_use_absolute_embeddings": True,
        "encoder_qkv_bias": False,
    },
}
BLIP: dict[str, dict[str, Any]] = {
    "blip": {},
    "blip of equal widths": {"vision_hidden_size": 32, "text_encoder_hidden_size": 32, "text_hidden_act": "gelu_new"},
}


def _name(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items()) or "defaults"


def _from_files(write: Callable[..., Path], options: dict[str, Any], folder: Path) -> SourceModel:
    return load_source_model(write(folder / "checkpoint", **options))


def _own(from_checkpoint: Callable[[Any], SourceModel], make: Callable[[], Any]) -> Callable[[Path], SourceModel]:
    return lambda _: from_checkpoint(make())


# Untrained weights are noise, for which weights of at most 63 have twice the error of 8-bit ones (ADR 13).
NOISE = 0.08
VARIANTS = (
    *(
        Variant(f"transformer {_name(o)}", _own(transformer.from_checkpoint, partial(tiny_checkpoint, **o)), NOISE)
        for o in TRANSFORMERS
    ),
    *(
        Variant(f"recurrent {_name(o)}", _own(recurrent.from_checkpoint, partial(tiny_recurrent_checkpoint, **o)))
        for o in RECURRENT
    ),
    *(
        Variant(
            f"pointer {_name(o)}", _own(pointer_generator.from_checkpoint, partial(tiny_pointer_checkpoint, **o)), 0.05
        )
        for o in POINTERS
    ),
    *(
        Variant(f"captioner {name}", _own(captioner.from_checkpoint, partial(tiny_captioner_checkpoint, config)))
        for name, config in CAPTIONERS.items()
    ),
    *(
        Variant(name, _own(encoder_decoder.from_checkpoint, partial(tiny_encoder_decoder, encoder, **o)), NOISE)
        for name, (encoder, o) in ENCODER_DECODERS.items()
    ),
    *(Variant(name, partial(_from_files, write_vision, o)) for name, o in VISION.items()),
    *(Variant(name, partial(_from_files, write_blip, o)) for name, o in BLIP.items()),
)
