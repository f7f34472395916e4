"""Small models of CTranslate2 with random weights, saved by its own code."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import TransformerSpec, model_spec
from ctranslate2.specs.common_spec import Activation
from sentencepiece import SentencePieceProcessor

from tests.unit.export.family_checkpoints import sentencepiece_model

WIDTH, HEADS, INNER, LAYERS = 32, 4, 48, 2
SPECIAL = ("<unk>", "<s>", "</s>")
POST = {"pre_norm": False}
RELATIVE = {"relative_attention_bias": True, "rms_norm": True, "ffn_glu": True, "activation": Activation.GELUTanh}


def pieces() -> list[str]:
    """The pieces of a small SentencePiece model, special ones first."""
    processor = SentencePieceProcessor(model_proto=sentencepiece_model("unigram"))
    found = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    return [*SPECIAL, *(piece for piece in found if piece not in SPECIAL)]


def write_ctranslate2(
    folder: Path,
    *,
    quantization: str | None = None,
    zero_start: bool = False,
    embedding_scale: float | None = None,
    separate: bool = False,
    source_end: bool = False,
    vocabulary: Sequence[str] | None = None,
    **options: Any,
) -> Path:
    """Saves a model.

    Args:
        zero_start: the decoder starts from no embedding, as Marian's do.
        embedding_scale: a factor, as conversions from `transformers` have it; None: the root of the width.
        separate: the target has a vocabulary and tables of its own.
        vocabulary: pieces of another kind than SentencePiece's, special ones first.
        options: of `TransformerSpec`.
    """
    folder.mkdir(parents=True)
    spec = TransformerSpec.from_config((LAYERS, LAYERS), HEADS, **options)
    rng, source = np.random.default_rng(0), [*(vocabulary or pieces())]
    target = [*SPECIAL, *reversed(source[3:-7])] if separate else source
    is_rms = options.get("rms_norm", False)
    _fill(spec, rng, len(source), len(target), has_bias=not is_rms, spread=0.12 if is_rms else 0.25)
    if options.get("relative_attention_bias"):
        _share_distances(spec)
    if not separate:
        spec.decoder.embeddings.weight = spec.encoder.embeddings[0].weight
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.decoder.start_from_zero_embedding = zero_start
    for side in (spec.encoder, spec.decoder) if embedding_scale is not None else ():
        side.scale_embeddings = embedding_scale
    spec.register_source_vocabulary(source)
    spec.register_target_vocabulary(target)
    spec.config.add_source_eos = source_end
    spec.config.decoder_start_token = "</s>" if zero_start else "<s>"
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    if vocabulary is None:
        (folder / "sentencepiece.model").write_bytes(sentencepiece_model("unigram"))
    return folder


def _fill(spec: Any, rng: np.random.Generator, source: int, target: int, *, has_bias: bool, spread: float) -> None:
    """Draws every weight that a spec requires, and biases and position tables."""

    def draw(part: Any, name: str, value: Any) -> None:
        place, kind = name.split("/"), name.split("/")[-1]
        is_table = "embeddings" in name or "projection" in place
        if value is not None and not (kind == "bias" and has_bias and "projection" not in place):
            return
        if kind == "relative_attention_max_distance":
            setattr(part, kind, np.dtype("int32").type(20))
            return
        size = (source if place[0] == "encoder" else target) if is_table else _rows(place)
        columns = INNER if "ffn" in place and place[-2] == "linear_1" else WIDTH
        shapes = {"gamma": (WIDTH,), "beta": (WIDTH,), "bias": (size,), "relative_attention_bias": (8, HEADS)}
        drawn = rng.normal(float(kind == "gamma"), spread, shapes.get(kind, (size, columns)))
        setattr(part, kind, drawn.astype(np.float32))

    model_spec.visit_spec(spec, draw)


def _rows(place: list[str]) -> int:
    """Outputs of a projection."""
    if "ffn" in place:
        return WIDTH if place[-2] == "linear_1" else INNER
    if "self_attention" in place:
        return 3 * WIDTH if place[-2] == "linear_0" else WIDTH
    return 2 * WIDTH if place[-2] == "linear_1" else WIDTH


def _share_distances(spec: Any) -> None:
    """All layers of a side have one table of relative positions; and T5 scales neither embeddings nor scores."""
    for side in (spec.encoder, spec.decoder):
        first = side.layer[0].self_attention
        side.scale_embeddings = False
        for layer in side.layer:
            layer.self_attention.relative_attention_bias = first.relative_attention_bias
            layer.self_attention.queries_scale = np.float32(1)
            if hasattr(layer, "attention"):
                layer.attention.queries_scale = np.float32(1)


def translate(folder: Path, tokens: list[str], **options: Any) -> list[str]:
    """CTranslate2's own output, in float32."""
    translator = ctranslate2.Translator(str(folder), compute_type="float32", intra_threads=1)
    return list(translator.translate_batch([tokens], **options)[0].hypotheses[0])


def score(folder: Path, source: str, target: str) -> list[float]:
    """CTranslate2's own log-probabilities of a target's pieces and its end, in float32."""
    translator = ctranslate2.Translator(str(folder), compute_type="float32", intra_threads=1)
    processor = SentencePieceProcessor(str(folder / "sentencepiece.model"))
    cut = [processor.encode(text, out_type=str) for text in (source, target)]
    return list(translator.score_batch([cut[0]], [cut[1]])[0].log_probs)


def write_package(file: Path, model: Path, **metadata: Any) -> Path:
    """An Argos package of a model's folder."""
    fixed = {"from_code": "en", "to_code": "de", "package_version": "1.0"}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("translate-en_de/metadata.json", json.dumps({**fixed, **metadata}))
        for each in model.iterdir():
            place = "" if each.suffix == ".model" else "model/"
            archive.write(each, f"translate-en_de/{place}{each.name}")
    return file
