"""Marian (Junczys-Dowmunt et al. 2018) as `transformers` saves it: the opus-mt models."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import MarianMTModel, MarianTokenizer

from export.description import Description
from export.errors import ExportError
from export.families.hugging_face import HuggingFaceReference, generation_defaults, load_net
from export.families.sentencepiece import source_tokenizer, target_tokenizer
from export.families.source import SourceModel, require_files
from export.graph.transformer import TransformerArchitecture
from export.quantize import Float32Array
from models.bundle import Provenance, Target, TextSource
from models.nets.transformer import TransformerConfig, sinusoids

FAMILY = "marian"
SOURCE_TOKENIZER, TARGET_TOKENIZER = "source.json", "target.json"
END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
ACTIVATIONS = {"swish": "silu", "silu": "silu", "relu": "relu", "gelu": "gelu"}

# Their names, ours.
ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
ENCODER_LAYER = {
    **{f"self_attn.{theirs}": f"self_attention.{ours}" for theirs, ours in ATTENTION.items()},
    "self_attn_layer_norm": "self_attention_sublayer.norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.outer",
    "final_layer_norm": "feed_forward_sublayer.norm",
}
DECODER_LAYER = {
    **ENCODER_LAYER,
    **{f"encoder_attn.{theirs}": f"cross_attention.{ours}" for theirs, ours in ATTENTION.items()},
    "encoder_attn_layer_norm": "cross_attention_sublayer.norm",
}


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, "source.spm", "target.spm", "vocab.json")
    settings, vocabulary = _json(folder / "config.json"), _json(folder / "vocab.json")
    _refuse_unsupported(settings, vocabulary)
    tokenizers = {
        SOURCE_TOKENIZER: source_tokenizer(folder / "source.spm", vocabulary),
        TARGET_TOKENIZER: target_tokenizer(vocabulary),
    }
    net = load_net(MarianMTModel, folder)
    config = _config(settings)
    tokenizer_settings = _json(folder / "tokenizer_config.json")
    languages = _target_languages(vocabulary, tokenizer_settings)
    description = Description(config, _weights(net, config), _banned_ids(settings, folder))
    target = _target(settings, vocabulary)
    source = TextSource(
        tokenizer=SOURCE_TOKENIZER,
        prefix_ids={code: (vocabulary[name],) for code, name in languages.items() if name},
        suffix_ids=(settings["eos_token_id"],),
    )
    return SourceModel(
        family=FAMILY,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=MarianReference(net, description, target, folder, source),
        source=source,
        target=target,
        tokenizers=tokenizers,
        max_source_tokens=config.max_positions,
        max_target_tokens=config.max_positions,
        generation=generation_defaults(_generation_settings(settings, folder), config.max_positions),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
        source_languages=(tokenizer_settings.get("source_lang") or "unknown",),
        target_languages=tuple(languages),
    )


class MarianReference(HuggingFaceReference):
    """MarianMTModel with MarianTokenizer; special tokens in a text are text."""

    def __init__(
        self, net: MarianMTModel, description: Description, target: Target, folder: Path, source: TextSource
    ) -> None:
        super().__init__(net, description, target)
        self._source = source
        self._special_ids = set(target.special_ids)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # unused by the tokenizer
            self._tokenizer: Any = MarianTokenizer.from_pretrained(folder, local_files_only=True)
        self.unknown_id = self._tokenizer.unk_token_id

    def tokenize(self, text: str, key: str) -> list[int]:
        ids = self._tokenizer(text, split_special_tokens=True, add_special_tokens=False).input_ids
        return [*self._source.prefix_ids.get(key, ()), *ids, *self._source.suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode([i for i in ids if i not in self._special_ids]))


def _json(file: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return settings


def _generation_settings(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Older checkpoints keep them in config.json."""
    return {**settings, **_json(folder / "generation_config.json")}


def _refuse_unsupported(settings: Mapping[str, Any], vocabulary: Mapping[str, int]) -> None:
    """Names every option that asks for what the description cannot say."""
    faults = []
    if not settings.get("share_encoder_decoder_embeddings", True) or not settings.get("tie_word_embeddings", True):
        faults.append("vocabularies or embeddings that source and target do not share")
    if settings.get("decoder_vocab_size", settings["vocab_size"]) != settings["vocab_size"]:
        faults.append("decoder_vocab_size other than vocab_size")
    if settings.get("activation_function") not in ACTIVATIONS:
        faults.append(f"activation_function {settings.get('activation_function')!r}")
    for name in ("attention_heads", "ffn_dim"):
        if settings[f"encoder_{name}"] != settings[f"decoder_{name}"]:
            faults.append(f"encoder_{name} other than decoder_{name}")
    if sorted(vocabulary.values()) != list(range(settings["vocab_size"])):
        faults.append(f"a vocab.json that does not number its pieces from 0 to {settings['vocab_size'] - 1}")
    if faults:
        raise ExportError(f"this {FAMILY} checkpoint asks for what is not supported: {'; '.join(faults)}")


def _config(settings: Mapping[str, Any]) -> TransformerConfig:
    return TransformerConfig(
        vocab_size=settings["vocab_size"],
        width=settings["d_model"],
        num_heads=settings["encoder_attention_heads"],
        encoder_layers=settings["encoder_layers"],
        decoder_layers=settings["decoder_layers"],
        feed_forward_width=settings["encoder_ffn_dim"],
        norm="post",
        activation=ACTIVATIONS[settings["activation_function"]],  # type: ignore[arg-type]
        max_positions=settings["max_position_embeddings"],
        scale_embeddings=settings["scale_embedding"],
        final_norm=False,
        output_bias=True,
    )


def _weights(net: MarianMTModel, config: TransformerConfig) -> dict[str, Float32Array]:
    """The checkpoint's weights by our names."""
    theirs = {name: x.numpy() for name, x in net.state_dict().items()}
    ours = {"embedding.weight": theirs["model.shared.weight"], "head.bias": theirs["final_logits_bias"][0]}
    for side, count, names in (
        ("encoder", config.encoder_layers, ENCODER_LAYER),
        ("decoder", config.decoder_layers, DECODER_LAYER),
    ):
        positions = theirs[f"model.{side}.embed_positions.weight"]
        if not np.allclose(positions, sinusoids(config.max_positions, config.width), atol=1e-5):
            raise ExportError(f"the {side}'s positions are not the sinusoids that Marian has")
        for layer in range(count):
            for their_name, our_name in names.items():
                for kind in ("weight", "bias"):
                    weight = theirs[f"model.{side}.layers.{layer}.{their_name}.{kind}"]
                    ours[f"{side}.{layer}.{our_name}.{kind}"] = weight
    return ours


def _banned_ids(settings: Mapping[str, Any], folder: Path) -> tuple[int, ...]:
    """The padding token, which every Marian model starts with and none may write, and the checkpoint's own bans."""
    words = _generation_settings(settings, folder).get("bad_words_ids") or []
    if any(len(word) != 1 for word in words):
        raise ExportError("bad_words_ids of several tokens are not supported")
    return tuple(sorted({settings["pad_token_id"], *(word[0] for word in words)}))


def _target(settings: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Target:
    special = [vocabulary[piece] for piece in (END, UNKNOWN, PAD) if piece in vocabulary]
    return Target(
        tokenizer=TARGET_TOKENIZER,
        vocab_size=settings["vocab_size"],
        start_id=settings["decoder_start_token_id"],
        pad_id=settings["pad_token_id"],
        end_ids=(settings["eos_token_id"],),
        special_ids=tuple(sorted({*special, *(i for name, i in vocabulary.items() if _is_language(name))})),
    )


def _is_language(piece: str) -> bool:
    return piece.startswith(">>") and piece.endswith("<<")


def _target_languages(vocabulary: Mapping[str, int], settings: Mapping[str, Any]) -> dict[str, str]:
    """Target languages with the piece that asks for each, as in ">>fra<<"; "" where there is only one."""
    codes = {piece[2:-2]: piece for piece in vocabulary if _is_language(piece)}
    return codes or {settings.get("target_lang") or "unknown": ""}
