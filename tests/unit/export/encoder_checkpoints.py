"""Checkpoints of `transformers` without a decoder, with random weights: as they are, and as sentence-transformers saves
them.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from tests.unit.export.family_checkpoints import byte_level, from_sentencepiece, word_pieces
from tests.unit.export.vision_checkpoints import randomize_parameters, vision_config

unigrams = partial(from_sentencepiece, file="sentencepiece.bpe.model", kind="unigram")
deberta_pieces = from_sentencepiece(transformers.DebertaV2Tokenizer, file="spm.model", kind="unigram")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
DISTILBERT_SIZES = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}
DEBERTA_SIZES: dict[str, Any] = {
    **SIZES,
    "relative_attention": True,
    "pos_att_type": "p2c|c2p",
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
# The beginnings of classes' names, with their tokenizers, sizes, and the longest text's positions.
KINDS: dict[str, tuple[str, Any, dict[str, Any], int]] = {
    "bert": ("Bert", word_pieces, SIZES, 48),
    "roberta": ("Roberta", partial(byte_level, transformers.RobertaTokenizer), SIZES, 50),
    "distilbert": ("DistilBert", word_pieces, DISTILBERT_SIZES, 48),
    "xlm-roberta": ("XLMRoberta", unigrams(transformers.XLMRobertaTokenizer), SIZES, 50),
    "deberta-v2": ("DebertaV2", deberta_pieces, DEBERTA_SIZES, 48),
    "camembert": ("Camembert", unigrams(transformers.CamembertTokenizer), SIZES, 50),
}
PICTURE_KINDS = {"vit": "ViT", "deit": "DeiT", "beit": "Beit", "swin": "Swin"}
LABELS = {0: "sad", 1: "glad", 2: "neither"}
LAYOUT: list[dict[str, Any]] = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
NORMALIZE = {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}


def write_encoder(folder: Path, kind: str, head: str = "Model", *, seed: int = 0, **options: Any) -> Path:
    """Writes a checkpoint. Args: head: the end of its class's name; options: of its config."""
    name, tokenizer_of, sizes, max_positions = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of(folder)
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer),
        max_position_embeddings=max_positions,
        pad_token_id=tokenizer.pad_token_id,
        id2label=LABELS,
        label2id={label: number for number, label in LABELS.items()},
        **{**sizes, **options},
    )
    torch.manual_seed(seed)
    net = getattr(transformers, f"{name}{head}")(config)
    for parameter_name, parameter in net.named_parameters():
        is_gain = "norm" in parameter_name.lower() and parameter_name.endswith("weight")
        torch.nn.init.normal_(parameter, mean=float(is_gain), std=0.05 if "embeddings" in parameter_name else 0.2)
    net.save_pretrained(folder)
    return folder


def write_picture_classifier(folder: Path, kind: str, **options: Any) -> Path:
    """Writes a checkpoint that labels pictures. Args: options: of its config."""
    folder.mkdir(parents=True, exist_ok=True)
    config, processor = vision_config(kind, options)
    config.id2label, config.label2id = LABELS, {label: number for number, label in LABELS.items()}
    torch.manual_seed(0)
    net = getattr(transformers, f"{PICTURE_KINDS[kind]}ForImageClassification")(config)
    randomize_parameters(net)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_vilt(folder: Path, *, kind: str = "ForQuestionAnswering", **options: Any) -> Path:
    """Writes a ViLT. Args: kind: the end of its class's name; options: of its config."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = word_pieces(folder)
    config = transformers.ViltConfig(
        vocab_size=len(tokenizer),
        image_size=64,
        patch_size=16,
        max_position_embeddings=48,
        id2label=LABELS,
        label2id={label: number for number, label in LABELS.items()},
        **{**SIZES, **options},
    )
    torch.manual_seed(0)
    net = getattr(transformers, f"Vilt{kind}")(config)
    randomize_parameters(net)
    net.save_pretrained(folder)
    ViltImageProcessorPil(size={"shortest_edge": 64}).save_pretrained(folder)
    return folder


def write_sentence_encoder(
    folder: Path, *, pooling: str = "cls_token", is_normalized: bool = True, max_seq_length: int | None = 24, **own: Any
) -> Path:
    """Writes a BERT as sentence-transformers does. Args: own: of `sentence_bert_config.json`."""
    write_encoder(folder, "bert")
    modules = [*LAYOUT, *([NORMALIZE] if is_normalized else [])]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens", "max_tokens")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_seq_length, **own}))
    return folder
