"""Small Marian checkpoints as `transformers` saves them, with random weights and small SentencePiece models."""

import json
from pathlib import Path
from typing import Any, Literal

import sentencepiece
import torch
from transformers import MarianConfig, MarianMTModel

from regard_export.examples.sentences import EXAMPLE_SENTENCES

# Enough German for a SentencePiece model, so that source and target have different pieces.
GERMAN = (
    "Könnten Sie mir sagen, wo die Bücherei ist?",
    "Ich bin noch nie am Meer gewesen.",
    "Sie bat ihn, das Fenster zu öffnen, weil es im Zimmer zu warm war.",
    "Zwei Hunde laufen durch den Schnee; die Straße ist weiß.",
    "Wie viel kostet eine Eintrittskarte für das Museum?",
    "Mein Bruder spielt Gitarre, aber er singt nicht.",
    "Wenn es morgen regnet, bleiben wir zu Hause und lesen. Übrigens: schöne Grüße!",
)


def write_marian(
    folder: Path,
    *,
    kind: Literal["bpe", "unigram"] = "bpe",
    languages: tuple[str, ...] = (),
    logits_bias: dict[str, float] | None = None,
    separate: bool = False,
    **options: Any,
) -> Path:
    """Writes a checkpoint's folder.

    Args:
        kind: of SentencePiece model.
        languages: several target languages, each with a piece such as ">>fra<<".
        logits_bias: added to the logits of pieces.
        separate: the target has a vocabulary and an embedding of its own.
        options: of MarianConfig.
    """
    folder.mkdir()
    vocabulary, target = _write_vocabularies(folder, kind, languages, separate)
    pad_id = vocabulary["<pad>"]
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in
             (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))}  # fmt: skip
    ids = {"pad_token_id": pad_id, "decoder_start_token_id": pad_id, "eos_token_id": 0, "forced_eos_token_id": 0}
    fixed = {"d_model": 32, "max_position_embeddings": 256, "activation_function": "swish", "scale_embedding": True}
    if separate:
        fixed |= {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": len(target)}
    torch.manual_seed(0)
    net = MarianMTModel(MarianConfig(**{**sizes, **ids, **fixed, "vocab_size": len(vocabulary), **options}))
    for name, parameter in net.named_parameters():
        if "embed_positions" not in name:
            torch.nn.init.normal_(parameter, mean=float("norm.weight" in name), std=0.2)
    net.final_logits_bias.normal_()
    for piece, bias in (logits_bias or {}).items():
        net.final_logits_bias[0, target[piece]] = bias
    net.save_pretrained(folder)
    return folder


def change_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}))


def _write_vocabularies(
    folder: Path, kind: str, languages: tuple[str, ...], separate: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Trains both models and numbers their pieces, together unless they are `separate`; returns the ids of both."""
    found: dict[str, list[str]] = {}
    limit: dict[str, Any] = {"hard_vocab_limit": False} if kind == "unigram" else {}
    for side, texts in (("source", EXAMPLE_SENTENCES), ("target", GERMAN)):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / side),
            vocab_size=120 if side == "source" else 100,
            model_type=kind,
            bos_id=-1,
            eos_id=0,
            unk_id=1,
            minloglevel=2,
            **limit,
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        processor = sentencepiece.SentencePieceProcessor(str(folder / f"{side}.spm"))
        found[side] = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    special = [f">>{code}<<" for code in languages]
    if separate:  # both sides have the same padding id
        lists = [["</s>", "<unk>", "<pad>", *pieces, *special] for pieces in found.values()]
    else:
        lists = [["</s>", "<unk>", *found["source"], *found["target"], *special, "<pad>"]] * 2
    source, target = ({piece: i for i, piece in enumerate(dict.fromkeys(pieces))} for pieces in lists)
    settings = {"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"}
    files = {"vocab.json": source} | ({"target_vocab.json": target} if separate else {})
    for name, pieces in files.items():
        (folder / name).write_text(json.dumps(pieces, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "separate_vocabs": separate}))
    return source, target
