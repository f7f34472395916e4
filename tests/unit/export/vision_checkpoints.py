"""Small captioners of `transformers` as users have them, with random weights and a small tokenizer."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import (
    BeitConfig,
    BertConfig,
    BlipConfig,
    BlipForConditionalGeneration,
    DeiTConfig,
    Dinov2Config,
    DonutSwinConfig,
    GPT2Config,
    MBartConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    SwinConfig,
    TrOCRConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.donut.image_processing_pil_donut import DonutImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from regard_export.examples.sentences import EXAMPLE_SENTENCES

HEIGHT, WIDTH, PATCH = 24, 24, 8
DONUT_HEIGHT, DONUT_WIDTH, DONUT_TASK = 32, 16, "<s_receipt>"
ENCODER_SIZES: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
IMAGE: dict[str, Any] = {"image_size": HEIGHT, "patch_size": PATCH}


@cache
def byte_level_tokenizer() -> Tokenizer:
    """A tokenizer like GPT-2's; token 0 is start, end and padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(EXAMPLE_SENTENCES, trainer)
    return tokenizer


def _unigram_with_fields() -> PreTrainedTokenizerFast:
    """A tokenizer like Donut's: a token for the task, and one at either end of a field."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(EXAMPLE_SENTENCES, trainer)
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), special, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.add_tokens([DONUT_TASK, "<s_total>", "</s_total>"], special_tokens=True)
    return fast


@cache
def word_piece_tokenizer() -> Tokenizer:
    """A tokenizer like BERT's."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(EXAMPLE_SENTENCES, trainer)
    return tokenizer


def write_vision(
    folder: Path, *, encoder: str = "vit", decoder: str = "gpt2", processor: Any = None, **options: Any
) -> Path:
    """Writes a checkpoint's folder.

    Args:
        encoder, decoder: kinds, by their model_type.
        processor: the image processor; None means the encoder's own with pictures of the right size.
        options: of the encoder's config ("encoder_...") and of the decoder's ("decoder_...").
    """
    torch.manual_seed(0)
    own = {side: _under(options, f"{side}_") for side in ("encoder", "decoder")}
    encoder_config, default_processor = vision_config(encoder, own["encoder"])
    decoder_config, tokenizer, ids = _decoder(decoder, encoder_config.hidden_size, own["decoder"])
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder_config, decoder_config, **ids)
    net = VisionEncoderDecoderModel(config=config)
    randomize_parameters(net)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (processor or default_processor).save_pretrained(folder)
    return folder


def write_blip(folder: Path, **options: Any) -> Path:
    """Writes a BLIP captioner's folder; options as in `write_vision`, "vision_..." and "text_...".

    Its start token, as in the published ones, is not in the tokenizer.
    """
    torch.manual_seed(0)
    vision, text = (_under(options, f"{side}_") for side in ("vision", "text"))
    words = word_piece_tokenizer().get_vocab_size()
    ids = {"bos_token_id": words, "sep_token_id": 3, "eos_token_id": 2, "pad_token_id": 0}
    sizes = {"hidden_size": 32, "encoder_hidden_size": 16, "max_position_embeddings": 32, **ENCODER_SIZES}
    config = BlipConfig(
        vision_config={"hidden_size": 16, **ENCODER_SIZES, **IMAGE, **vision},
        text_config={"vocab_size": words + 1, **sizes, **ids, **text},
    )
    net = BlipForConditionalGeneration(config)
    randomize_parameters(net)
    net.save_pretrained(folder)
    _fast_word_piece().save_pretrained(folder)
    BlipImageProcessorPil(size={"height": HEIGHT, "width": WIDTH}).save_pretrained(folder)
    return folder


def randomize_parameters(net: nn.Module, std: float = 0.2) -> None:
    """Randomizes every parameter, biases and normalizations too, so that a missing one changes the result."""
    for name, parameter in net.named_parameters():
        is_gain = any(part in name.lower() for part in ("norm", "ln_", "lambda_")) and not name.endswith("bias")
        nn.init.normal_(parameter, mean=float(is_gain), std=std)


def random_pixels(number: int, height: int = HEIGHT, width: int = WIDTH) -> list[NDArray[np.float32]]:
    """float32 [3, height, width] each."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal((3, height, width)).astype(np.float32) for _ in range(number)]


def _fast_word_piece() -> PreTrainedTokenizerFast:
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=word_piece_tokenizer(), **names)


def _under(options: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}


def vision_config(kind: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """An encoder's config, and its image processor."""
    config: Any
    size = {"height": HEIGHT, "width": WIDTH}
    match kind:
        case "vit":
            config = ViTConfig(**{"hidden_size": 16, **ENCODER_SIZES, **IMAGE, **options})
            return config, ViTImageProcessorPil(size=size)
        case "deit":
            config = DeiTConfig(**{"hidden_size": 16, **ENCODER_SIZES, **IMAGE, **options})
            return config, DeiTImageProcessorPil(size={"height": 28, "width": 28}, crop_size=size)
        case "beit":
            config = BeitConfig(**{"hidden_size": 16, **ENCODER_SIZES, **IMAGE, **options})
            return config, BeitImageProcessorPil(size=size)
        case "swin":
            sizes = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 2, "mlp_ratio": 2.0}
            config = SwinConfig(**{**sizes, "image_size": HEIGHT, "patch_size": 4, **options})
            return config, ViTImageProcessorPil(size=size)
        case "donut-swin":
            sizes = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 2, "mlp_ratio": 2.0}
            config = DonutSwinConfig(**{**sizes, "image_size": [DONUT_HEIGHT, DONUT_WIDTH], "patch_size": 4, **options})
            return config, DonutImageProcessorPil(size={"height": DONUT_HEIGHT, "width": DONUT_WIDTH})
        case "dinov2":  # unsupported
            return Dinov2Config(**{"hidden_size": 16, **ENCODER_SIZES, **IMAGE}), ViTImageProcessorPil(size=size)
        case _:
            raise ValueError(kind)


def _decoder(kind: str, encoder_width: int, options: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Config, tokenizer and the ids of the whole model's config."""
    config: Any
    decoding = {"is_decoder": True, "add_cross_attention": True}
    match kind:
        case "gpt2":
            tokenizer = byte_level_tokenizer()
            sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32, "n_inner": 48}
            own = {"bos_token_id": 0, "eos_token_id": 0}
            config = GPT2Config(**{"vocab_size": tokenizer.get_vocab_size(), **sizes, **own, **decoding, **options})
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
            return config, fast, {"decoder_start_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
        case "bert":
            tokenizer = word_piece_tokenizer()
            sizes = {"hidden_size": 32, "max_position_embeddings": 32, **ENCODER_SIZES}
            config = BertConfig(**{"vocab_size": tokenizer.get_vocab_size(), **sizes, **decoding, **options})
            return config, _fast_word_piece(), {"decoder_start_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
        case "trocr":
            tokenizer = byte_level_tokenizer()
            sizes = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
            own = {"max_position_embeddings": 32, "cross_attention_hidden_size": encoder_width}
            config = TrOCRConfig(**{"vocab_size": tokenizer.get_vocab_size(), **sizes, **own, **decoding, **options})
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
            return config, fast, {"decoder_start_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
        case "mbart":
            fast = _unigram_with_fields()
            sizes = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
            own = {"max_position_embeddings": 32, "encoder_layers": 2, "scale_embedding": True}
            config = MBartConfig(**{"vocab_size": len(fast), **sizes, **own, **decoding, **options})
            return config, fast, {"eos_token_id": 2, "pad_token_id": 1}
        case "opt":  # unsupported
            config = OPTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, vocab_size=300)
            return config, _fast_word_piece(), {"decoder_start_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
        case _:
            raise ValueError(kind)


transformers.logging.set_verbosity_error()
