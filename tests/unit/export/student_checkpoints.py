"""Small students in the format of the Bergamot project: random weights, SentencePiece models trained on the spot."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_service.bundle import SHORTLIST_MAGIC
from tests.unit.export.families.bergamot.marian_writer import binary, float32, intgemm8, options
from tests.unit.export.marian_checkpoints import GERMAN

WIDTH, INNER, DECODER_INNER, HEADS = 32, 48, 64, 4
ENCODER_DEPTH, DECODER_DEPTH = 2, 2
SETTINGS = {
    "type": "transformer",
    "dim-emb": WIDTH,
    "transformer-dim-ffn": INNER,
    "transformer-dim-decoder-ffn": DECODER_INNER,
    "transformer-heads": HEADS,
    "enc-depth": ENCODER_DEPTH,
    "dec-depth": DECODER_DEPTH,
    "dec-cell": "ssru",
    "transformer-decoder-autoreg": "rnn",
    "transformer-ffn-activation": "relu",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-guided-alignment-layer": "last",
    "tied-embeddings-all": True,
    "version": "v1.9.56 test",
}
PRE: dict[str, Any] = {
    "transformer-preprocess": "n",
    "transformer-postprocess": "da",
    "transformer-postprocess-top": "dn",
}
SELF_ATTENTION: dict[str, Any] = {"transformer-decoder-autoreg": "self-attention", "dec-cell": "gru"}

Format = Literal["int8", "float32", "npz"]


def write_student(
    folder: Path, *, kind: Format = "int8", separate: bool = False, shortlist: bool = False, **changes: Any
) -> Path:
    """Writes a student's folder.

    Args:
        shortlist: whether it has a shortlist, which allows each source piece some random ones.
        kind: how the weights are stored.
        separate: the target has a vocabulary and an embedding of its own, and the output layer is not tied.
        changes: of the options, "-" written as "_".
    """
    folder.mkdir()
    sizes = _write_vocabularies(folder, separate)
    settings = {**SETTINGS, "dim-vocabs": sizes, "tied-embeddings-all": not separate}
    settings |= {name.replace("_", "-"): value for name, value in changes.items()}
    write_model(folder, kind, weights_of(settings), settings)
    if shortlist:
        (folder / "lex.enpt.s2t.bin").write_bytes(random_shortlist(*sizes))
    return folder


def random_shortlist(num_source: int, num_target: int) -> bytes:
    """Five random pieces for each source piece, and the first three for all."""
    rng = np.random.default_rng(1)
    ids = np.concatenate([np.sort(rng.choice(num_target, 5, replace=False)) for _ in range(num_source)])
    offsets = np.arange(0, len(ids) + 1, 5)
    return shortlist_bytes(offsets.tolist(), ids.tolist(), num_first=3)


def shortlist_bytes(offsets: Sequence[int], ids: Sequence[int], num_first: int) -> bytes:
    """A shortlist in Marian's format, with its checksum."""
    body = struct.pack(f"<4Q{len(offsets)}Q{len(ids)}I", num_first, 3, len(offsets), len(ids), *offsets, *ids)
    seed = 0
    for number in np.frombuffer(body[: len(body) // 8 * 8], np.uint64).tolist():
        seed ^= (number + 0x9E3779B9 + (seed << 6) + (seed >> 2)) % 2**64
    return struct.pack("<QQ", SHORTLIST_MAGIC, seed) + body


def write_model(folder: Path, kind: Format, weights: dict[str, NDArray[Any]], settings: dict[str, Any]) -> None:
    """Writes the model's file alone."""
    config = options(settings)
    if kind == "npz":
        content = np.frombuffer(config[2], np.int8)
        np.savez(folder / "model.enpt.npz", **weights, **{"special:model.yml": content})  # type: ignore[arg-type]
        return
    items = {
        name: intgemm8(x, is_table="Wemb" in name) if kind == "int8" and "_W" in f"_{name}" and "_ln_" not in name
        else float32(x)
        for name, x in weights.items()
    }  # fmt: skip
    (folder / "model.enpt.bin").write_bytes(binary({**items, "special:model.yml": config}))


def weights_of(settings: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Random weights by Marian's names, small enough for peaked but not saturated distributions."""
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(float("_ln_scale" in name), 0.2, shape).astype(np.float32) for name, shape in _items(settings)
    }


def _items(settings: dict[str, Any]) -> Iterator[tuple[str, tuple[int, int]]]:
    source, target = settings["dim-vocabs"]
    if settings["tied-embeddings-all"]:
        yield "Wemb", (source, WIDTH)
    else:
        yield from (("encoder_Wemb", (source, WIDTH)), ("decoder_Wemb", (target, WIDTH)))
        yield "decoder_ff_logit_out_W", (WIDTH, target)
    yield "decoder_ff_logit_out_b", (1, target)
    is_pre = settings["transformer-preprocess"] == "n"
    for side, depth, inner in (("encoder", ENCODER_DEPTH, INNER), ("decoder", DECODER_DEPTH, DECODER_INNER)):
        if is_pre:
            yield from _norm(f"{side}_top", "")
        for layer in range(1, depth + 1):
            name = f"{side}_l{layer}"
            if side == "encoder" or settings["transformer-decoder-autoreg"] == "self-attention":
                yield from _attention(f"{name}_self", is_pre)
            else:
                yield from _ssru(f"{name}_rnn", is_pre)
            if side == "decoder":
                yield from _attention(f"{name}_context", is_pre)
            yield from ((f"{name}_ffn_W1", (WIDTH, inner)), (f"{name}_ffn_b1", (1, inner)))
            yield from ((f"{name}_ffn_W2", (inner, WIDTH)), (f"{name}_ffn_b2", (1, WIDTH)))
            yield from _norm(f"{name}_ffn_ffn", "_pre" if is_pre else "")


def _ssru(name: str, is_pre: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    yield from ((f"{name}_W", (WIDTH, WIDTH)), (f"{name}_Wf", (WIDTH, WIDTH)), (f"{name}_bf", (1, WIDTH)))
    yield from _norm(name, "_pre") if is_pre else _norm(f"{name}_ffn", "")


def _attention(name: str, is_pre: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    for kind in "qkvo":
        yield from ((f"{name}_W{kind}", (WIDTH, WIDTH)), (f"{name}_b{kind}", (1, WIDTH)))
    yield from _norm(f"{name}_Wo", "_pre" if is_pre else "")


def _norm(name: str, suffix: str) -> Iterator[tuple[str, tuple[int, int]]]:
    yield from ((f"{name}_ln_{kind}{suffix}", (1, WIDTH)) for kind in ("scale", "bias"))


def _write_vocabularies(folder: Path, separate: bool) -> list[int]:
    """Trains the SentencePiece models; returns the sizes of the source's and of the target's."""
    files = {"srcvocab": EXAMPLE_SENTENCES, "trgvocab": GERMAN} if separate else {"vocab": EXAMPLE_SENTENCES + GERMAN}
    sizes = []
    for name, texts in files.items():
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / name),
            vocab_size=100 if name == "trgvocab" else 120,
            model_type="unigram",
            hard_vocab_limit=False,
            bos_id=-1,
            eos_id=0,
            unk_id=1,
            minloglevel=2,
        )
        (folder / f"{name}.model").rename(folder / f"{name}.enpt.spm")
        (folder / f"{name}.vocab").unlink()
        sizes.append(len(sentencepiece.SentencePieceProcessor(str(folder / f"{name}.enpt.spm"))))
    return sizes * (3 - len(sizes))
