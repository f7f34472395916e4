"""Small transformers of this project, with random weights and a tokenizer trained on a few sentences."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.families.regard_checkpoints import transformer
from regard_export.writing.manifest import write_manifest, write_tokenizers
from regard_export.writing.variants import write_variant
from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.tokenizer import train_tokenizer
from regard_service.bundle import Bundle, Precision

LANGUAGES = ("de", "fr")
MAX_TARGET_TOKENS = 12


@cache
def tiny_tokenizer() -> Tokenizer:
    return train_tokenizer(EXAMPLE_SENTENCES, vocab_size=420, language_tokens=[f"<{code}>" for code in LANGUAGES])


def tiny_config(**options: Any) -> TransformerConfig:
    sizes = {"width": 32, "num_heads": 4, "encoder_layers": 2, "decoder_layers": 2, "feed_forward_width": 48}
    defaults = {"vocab_size": tiny_tokenizer().get_vocab_size(), "max_positions": 256}
    return TransformerConfig(**{**sizes, **defaults, **options})


def tiny_checkpoint(*, seed: int = 0, **options: Any) -> Checkpoint:
    """A checkpoint with random parameters, biases and normalizations too, so that a missing one changes the result."""
    torch.manual_seed(seed)
    config = tiny_config(**options)
    net = Transformer(config)
    for name, parameter in net.named_parameters():
        is_gain = "norm" in name and name.endswith("weight")
        is_unscaled = "query" in name and not config.scale_attention  # large scores would make attention one-hot
        torch.nn.init.normal_(parameter, mean=1.0 if is_gain else 0.0, std=0.06 if is_unscaled else 0.25)
    weights = net.state_dict()
    if config.tie_embeddings:
        del weights["head.weight"]
    card = {
        "name": "tiny",
        "task": "translation",
        "source_languages": ["en"],
        "target_languages": list(LANGUAGES),
        "max_target_tokens": MAX_TARGET_TOKENS,
        "generation": {"max_new_tokens": MAX_TARGET_TOKENS},
    }
    return Checkpoint({"family": transformer.FAMILY, **config.to_json()}, weights, tiny_tokenizer(), card)


def description_of(model: SourceModel) -> TransformerDescription:
    assert isinstance(model.architecture, TransformerArchitecture)
    return model.architecture.description


def write_tiny_bundle(folder: Path, model: SourceModel, *precisions: Precision) -> Bundle:
    """Writes an unverified bundle."""
    folder.mkdir()
    write_tokenizers(folder, model.tokenizers)
    variants = [write_variant(folder, model, precision) for precision in precisions]
    return write_manifest(folder, model, variants, name="tiny", version="1", verification={})
