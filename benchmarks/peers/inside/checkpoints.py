"""Makes checkpoints of real sizes with random weights, in the format of `transformers`.

Jobs set the lengths of outputs, so these models must never generate the end token: its embedding is zero, hence its
logit, which is far below the largest of tens of thousands of logits.
"""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import sentencepiece
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

from benchmarks.peers.inside import lines
from benchmarks.peers.inside.shipped import write_shipped
from benchmarks.peers.inside.words import made_up_sentences

SEED = 0
NUM_PIECES = 8000  # trained pieces; the rest of a vocabulary never occurs in texts


def write_marian(folder: str) -> None:
    """The size of opus-mt: 6 + 6 layers, 512 wide, 58,101 pieces."""
    size, end_id = 58_101, 0
    pad_id = size - 1
    sides = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in
             (("layers", 6), ("attention_heads", 8), ("ffn_dim", 2048))}  # fmt: skip
    options: dict[str, Any] = dict(
        vocab_size=size, d_model=512, **sides, activation_function="swish", max_position_embeddings=512,
        scale_embedding=True, share_encoder_decoder_embeddings=True, tie_word_embeddings=True, pad_token_id=pad_id,
        eos_token_id=end_id, decoder_start_token_id=pad_id, forced_eos_token_id=None,
    )  # fmt: skip
    net = _drawn(MarianMTModel, MarianConfig(**options))
    with torch.no_grad():
        net.model.shared.weight.normal_(std=512**-0.5)
        net.model.shared.weight[[end_id, pad_id]] = 0
        net.final_logits_bias.normal_(std=0.2)
        net.final_logits_bias[0, [end_id, pad_id]] = 0
    target = Path(folder)
    net.save_pretrained(target)
    _write_marian_vocabulary(target, size)


def _write_marian_vocabulary(folder: Path, size: int) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(made_up_sentences(random.Random(SEED), 20_000)), model_prefix=str(folder / "source"),
        vocab_size=NUM_PIECES, model_type="unigram", bos_id=-1, eos_id=0, unk_id=1, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "source.vocab").unlink()
    shutil.copy(folder / "source.spm", folder / "target.spm")
    processor = sentencepiece.SentencePieceProcessor(str(folder / "source.spm"))
    known = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    pieces = list(dict.fromkeys(["</s>", "<unk>", *known]))
    pieces += [f"▁unused{number}" for number in range(len(pieces), size - 1)] + ["<pad>"]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    settings = {"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_bart(folder: str) -> None:
    """The size of bart-base: 6 + 6 layers, 768 wide, 50,265 pieces; sources up to 1,024 tokens."""
    options: dict[str, Any] = {
        "vocab_size": 50_265, "d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12,
        "decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072,
        "max_position_embeddings": 1024, "forced_bos_token_id": None,
        "normalize_before": False, "forced_eos_token_id": None,
    }  # fmt: skip
    config = BartConfig(**options)
    net = _drawn(BartForConditionalGeneration, config)
    with torch.no_grad():
        net.model.shared.weight.normal_(std=768**-0.5)
        net.model.shared.weight[[0, 1, 2]] = 0  # start, padding, end
    net.save_pretrained(folder)
    special, mask = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}, "<mask>"
    named = {**special, "cls_token": "<s>", "sep_token": "</s>", "mask_token": mask}
    tokenizer = _byte_level(list(special.values()), config.vocab_size - 1, last=mask)
    cast(Any, PreTrainedTokenizerFast)(tokenizer_object=tokenizer, model_max_length=1024, **named).save_pretrained(
        folder
    )


def write_captioner(folder: str) -> None:
    """The size of vit-gpt2-image-captioning: a ViT-base and a GPT-2, 12 layers of 768 each."""
    end_id = 50_256
    encoder, gpt2 = ViTConfig(), cast(Any, GPT2Config)
    decoder = gpt2(add_cross_attention=True, is_decoder=True, bos_token_id=end_id, eos_token_id=end_id)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, decoder_start_token_id=end_id, eos_token_id=end_id, pad_token_id=end_id
    )
    net = _drawn(VisionEncoderDecoderModel, config)
    with torch.no_grad():
        embedding = net.decoder.transformer.wte.weight
        embedding.normal_(std=768**-0.5)
        embedding[end_id] = 0
        net.decoder.transformer.wpe.weight.normal_(std=768**-0.5)
    net.generation_config.num_beams = 1
    net.save_pretrained(folder)
    token = "<|endoftext|>"
    tokenizer = _byte_level([], end_id, last=token)
    named = {"bos_token": token, "eos_token": token, "unk_token": token, "pad_token": token}
    cast(Any, PreTrainedTokenizerFast)(tokenizer_object=tokenizer, model_max_length=1024, **named).save_pretrained(
        folder
    )
    ViTImageProcessor().save_pretrained(folder)


def _drawn(kind: Any, config: Any) -> Any:
    """A net with random weights that preserve the scale of activations, so that attention and outputs vary."""
    torch.manual_seed(SEED)
    net = kind(config).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name.lower() or "ln_" in name:
                parameter.normal_(mean=float(name.endswith("weight")), std=0.05)
            elif parameter.dim() == 2 and "embed" not in name:
                parameter.normal_(std=parameter.shape[1] ** -0.5)
            elif name.endswith("bias"):
                parameter.normal_(std=0.05)
    return net


def _byte_level(first: list[str], size: int, last: str | None = None) -> Tokenizer:
    """A byte-level BPE tokenizer with `size` pieces, and the special token `last` if given."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=NUM_PIECES, special_tokens=first, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(made_up_sentences(random.Random(SEED), 20_000), trainer)
    tokenizer.add_tokens([f"unused{number}" for number in range(tokenizer.get_vocab_size(), size)])
    if last is not None:
        tokenizer.add_special_tokens([last])
    return tokenizer


CALLS: dict[str, Callable[..., None]] = {
    "marian": write_marian,
    "bart": write_bart,
    "captioner": write_captioner,
    "shipped": write_shipped,
}

if __name__ == "__main__":
    lines.serve(CALLS)
