"""A checkpoint of the size of Marian-base, with random weights and a tokenizer trained on the export's own examples."""

import json
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from transformers import MarianConfig, MarianMTModel

from regard_export.examples.sentences import EXAMPLE_SENTENCES

VOCAB_SIZE = 58_101
PIECES_A_SIDE = 32_000
SEED_PIECES = 200  # trained on the few examples; synthetic pieces, which cost a tokenizer as much, make up the rest
END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"


def write_checkpoint(folder: Path) -> int:
    """Writes a checkpoint in the format of `transformers`; returns the size of its weights in bytes."""
    folder.mkdir(parents=True)
    pieces = [piece for side in ("source", "target") for piece in _write_pieces(folder, side)]
    vocabulary = [*list(dict.fromkeys([END, UNKNOWN, *pieces]))[: VOCAB_SIZE - 1], PAD]
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    settings = {"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "separate_vocabs": False}))
    torch.manual_seed(0)
    MarianMTModel(_config(ids)).save_pretrained(folder)
    return (folder / "model.safetensors").stat().st_size


def _config(ids: dict[str, int]) -> MarianConfig:
    return MarianConfig(
        vocab_size=len(ids),
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        activation_function="swish",
        scale_embedding=True,
        pad_token_id=ids[PAD],
        decoder_start_token_id=ids[PAD],
        eos_token_id=ids[END],
        forced_eos_token_id=ids[END],
    )


def _write_pieces(folder: Path, side: str) -> list[str]:
    """Trains a SentencePiece model, pads it to its full size, and returns its pieces."""
    file = folder / f"{side}.spm"
    with file.open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(EXAMPLE_SENTENCES),
            model_writer=stream,
            vocab_size=SEED_PIECES,
            model_type="unigram",
            hard_vocab_limit=False,
            bos_id=-1,
            eos_id=0,
            unk_id=1,
            minloglevel=2,
        )
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(file.read_bytes())
    for number in range(PIECES_A_SIDE - len(model.pieces)):
        model.pieces.add(piece=f"\N{LOWER ONE EIGHTH BLOCK}{side}{number}", score=-20.0)
    file.write_bytes(model.SerializeToString())
    return [piece.piece for piece in model.pieces if piece.type == piece.NORMAL]
