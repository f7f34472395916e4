"""Small pointer-generator checkpoints, with random weights and a vocabulary that lacks most words."""

from functools import cache
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from regard.arrays import Array
from regard_export.families.regard_checkpoints import pointer_generator
from regard_models.checkpoint import Checkpoint
from regard_models.nets.pointer_generator import PointerGeneratorConfig, PointerGeneratorNetwork
from regard_models.recipes.summaries import WordVocabulary
from regard_models.recipes.tokenizer import END, UNKNOWN
from regard_models.recipes.word_vocabulary import build_tokenizer

STYLES = ("subject", "headline")
MAX_TARGET_TOKENS = 12
NUM_KNOWN = 50
SIZES = {"embedding_width": 32, "encoder_width": 16, "decoder_width": 32, "attention_width": 16}


@cache
def tiny_word_tokenizer() -> Tokenizer:
    common = "the of a to in and for on is are was with at by from ( ) . , : ; ' \" ! ? -".split()
    words = [f"▁{word}" for word in common] + [f"▁w{i}" for i in range(NUM_KNOWN - len(common))]
    return build_tokenizer(words, [f"<{style}>" for style in STYLES])


def tiny_pointer_checkpoint(*, seed: int = 0, **options: Any) -> Checkpoint:
    """A checkpoint with random parameters, biases too, so that a missing one changes the result."""
    torch.manual_seed(seed)
    tokenizer = tiny_word_tokenizer()
    config = PointerGeneratorConfig(
        **{
            "vocab_size": tokenizer.get_vocab_size(),
            "num_special": len(tokenizer.get_added_tokens_decoder()),
            "unknown_id": tokenizer.token_to_id(UNKNOWN),
            "end_id": tokenizer.token_to_id(END),
            **SIZES,
            **options,
        }
    )
    net = PointerGeneratorNetwork(config)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    weights = net.state_dict()
    del weights["head.weight"]
    card = {
        "name": "tiny",
        "task": "summarization",
        "styles": list(STYLES),
        "max_target_tokens": MAX_TARGET_TOKENS,
        "generation": {"max_new_tokens": MAX_TARGET_TOKENS},
    }
    return Checkpoint({"family": pointer_generator.FAMILY, **config.to_json()}, weights, tokenizer, card)


def random_source(rng: np.random.Generator, num_words: int) -> Array:
    """int64 [2, 1 + num_words]: a style, then words; two thirds of them are repeated, and half are unknown."""
    tokenizer = tiny_word_tokenizer()
    unknown_id, first_word = WordVocabulary(tokenizer).id(UNKNOWN), len(tokenizer.get_added_tokens_decoder())
    drawn = rng.integers(0, max(1, num_words // 3 + 1), num_words)
    ids = np.where(drawn % 2 == 0, unknown_id, first_word + drawn % NUM_KNOWN)
    firsts = [int(np.argmax(drawn == word)) + 1 for word in drawn]
    style = tokenizer.token_to_id(f"<{STYLES[num_words % 2]}>")
    return np.array([[style, *ids], [0, *firsts]])
