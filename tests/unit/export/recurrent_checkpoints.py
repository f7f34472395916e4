"""Small recurrent checkpoints, with random weights and the tiny tokenizer."""

from typing import Any

import torch

from regard_export.families.regard_checkpoints import recurrent
from regard_models.checkpoint import Checkpoint
from regard_models.nets.recurrent import RecurrentConfig, RecurrentTranslator
from tests.unit.export.transformer_checkpoints import LANGUAGES, MAX_TARGET_TOKENS, tiny_tokenizer

SIZES = {"width": 32, "encoder_width": 16, "decoder_width": 32, "score_width": 16}


def tiny_recurrent_checkpoint(**options: Any) -> Checkpoint:
    """A checkpoint with random parameters, biases too, so that a missing one changes the result."""
    torch.manual_seed(0)
    defaults = {"style": "bahdanau", "score": "additive", "cell": "gru"}
    vocab_size = tiny_tokenizer().get_vocab_size()
    config = RecurrentConfig(**{"vocab_size": vocab_size, **SIZES, **defaults, **options})
    net = RecurrentTranslator(config)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
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
    return Checkpoint({"family": recurrent.FAMILY, **config.to_json()}, weights, tiny_tokenizer(), card)
