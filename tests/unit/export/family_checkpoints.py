"""Small checkpoints of `transformers` families as users have them: real configs and tokenizers, random weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sentencepiece
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AlbertTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BartTokenizer,
    BertConfig,
    BertGenerationConfig,
    BertTokenizer,
    ByT5Tokenizer,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    NllbTokenizer,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PegasusTokenizer,
    RobertaConfig,
    RobertaTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from tests.unit.export.marian_checkpoints import GERMAN
from tests.unit.export.vision_checkpoints import word_piece_tokenizer

SIZES = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 256,
}
T5_SIZES = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2, "relative_attention_num_buckets": 8}
T5_SIZES["relative_attention_max_distance"] = 20
PROMPTS = {
    "summarization": {"prefix": "summarize: ", "num_beams": 3, "min_length": 4, "no_repeat_ngram_size": 3},
    "translation_en_to_de": {"prefix": "translate English to German: ", "num_beams": 2},
    "translation_en_to_fr": {"prefix": "translate English to French: ", "num_beams": 2},
}


@dataclass(frozen=True)
class TinyFamily:
    """How to write a checkpoint, and how to call it.

    Attributes:
        tokenizer: saves itself into a folder and returns itself.
        config: makes the config for a tokenizer.
        generation: settings that the checkpoint has; functions are called with the tokenizer.
        languages: source and target of the calls.
        prompt: what users of `transformers` write before a text, and `applied` what they set for the task.
        ending: what they write behind a text, to which the tokenizer then adds nothing.
    """

    net: Any
    tokenizer: Callable[[Path], Any]
    config: Callable[[Any], Any]
    load_options: LoadOptions = field(default_factory=LoadOptions)
    generation: dict[str, Any] = field(default_factory=dict)
    languages: tuple[str, str] = ("", "")
    prompt: str = ""
    applied: dict[str, Any] = field(default_factory=dict)
    ending: str = ""


def write_family(folder: Path, name: str, *, seed: int = 0, **changes: Any) -> Path:
    """Saves a checkpoint with random parameters; `changes` override its config."""
    family = FAMILIES[name]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = family.tokenizer(folder)
    config = family.config(tokenizer)
    for option, value in changes.items():
        setattr(config, option, value)
    torch.manual_seed(seed)
    net = family.net(config)
    draw(net)
    for option, value in family.generation.items():
        setattr(net.generation_config, option, value(tokenizer) if callable(value) else value)
    net.save_pretrained(folder)
    return folder


def draw(net: Any) -> None:
    """Randomizes weights so that attention is neither uniform nor one-hot."""
    for parameter_name, parameter in net.named_parameters():
        if "embed_positions" in parameter_name and "Learned" not in type(net.get_encoder().embed_positions).__name__:
            continue  # sinusoids
        is_gain = "norm" in parameter_name and parameter_name.endswith("weight")
        unscaled = "Attention.q" in parameter_name
        is_small = unscaled or "word_embeddings" in parameter_name  # normalized, and small logits round little
        torch.nn.init.normal_(parameter, mean=float(is_gain), std=0.05 if is_small else 0.2)
    if getattr(net, "final_logits_bias", None) is not None:
        net.final_logits_bias.normal_()


@cache
def sentencepiece_model(kind: str, **options: Any) -> bytes:
    with TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(EXAMPLE_SENTENCES + GERMAN),
            model_prefix=f"{folder}/m",
            vocab_size=150,
            model_type=kind,
            hard_vocab_limit=False,
            minloglevel=2,
            **options,
        )
        return Path(folder, "m.model").read_bytes()


def from_sentencepiece(tokenizer_class: Any, file: str, kind: str, **options: Any) -> Callable[[Path], Any]:
    def write(folder: Path) -> Any:
        ids = options.get("ids", {})
        with TemporaryDirectory() as scratch:
            Path(scratch, file).write_bytes(sentencepiece_model(kind, **ids))
            own = {name: value for name, value in options.items() if name != "ids"}
            tokenizer = tokenizer_class.from_pretrained(scratch, **own)
        tokenizer.save_pretrained(folder)
        return tokenizer

    return write


def byte_level(tokenizer_class: Any, folder: Path) -> Any:
    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(EXAMPLE_SENTENCES + GERMAN, vocab_size=400, special_tokens=special, show_progress=False)
    with TemporaryDirectory() as scratch:
        trained.save_model(scratch)
        tokenizer = tokenizer_class.from_pretrained(scratch)
    tokenizer.save_pretrained(folder)
    return tokenizer


def word_pieces(folder: Path) -> Any:
    vocabulary = word_piece_tokenizer().get_vocab()
    with TemporaryDirectory() as scratch:
        Path(scratch, "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)))
        tokenizer = BertTokenizer.from_pretrained(scratch)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _m2m_tokenizer(folder: Path) -> Any:
    model = sentencepiece_model("bpe")
    with TemporaryDirectory() as scratch:
        Path(scratch, "sentencepiece.bpe.model").write_bytes(model)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces = ["<s>", "<pad>", "</s>", "<unk>"]
        pieces += [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
        vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
        Path(scratch, "vocab.json").write_text(json.dumps(vocabulary))
        tokenizer = M2M100Tokenizer.from_pretrained(scratch, src_lang="en", tgt_lang="fr")
        tokenizer.save_pretrained(folder)
    return M2M100Tokenizer.from_pretrained(folder)


def _indic_tokenizer(folder: Path) -> Any:
    """IndicBART's (Dabre et al. 2022): ALBERT's with tokens for languages."""
    own = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, "control_symbols": "[CLS],[SEP],[MASK]"}
    with TemporaryDirectory() as scratch:
        Path(scratch, "spiece.model").write_bytes(sentencepiece_model("unigram", **own))
        tokenizer = AlbertTokenizer.from_pretrained(scratch, bos_token="<s>", eos_token="</s>", do_lower_case=False)
    tokenizer.add_tokens(["<2en>", "<2hi>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _byte_tokenizer(folder: Path) -> Any:
    tokenizer = ByT5Tokenizer()
    tokenizer.save_pretrained(folder)
    return tokenizer


def _ids(tokenizer: Any) -> dict[str, int]:
    return {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}


def _bart_like(config: Any, **options: Any) -> Callable[[Any], Any]:
    """Makes a config; options that are functions are called with the tokenizer."""

    def make(tokenizer: Any) -> Any:
        chosen = {name: value(tokenizer) if callable(value) else value for name, value in options.items()}
        size = len(tokenizer) + chosen.pop("spare", 0)
        return config(
            **{**SIZES, "vocab_size": size, "bos_token_id": tokenizer.bos_token_id, **_ids(tokenizer), **chosen}
        )

    return make


def _t5_like(config: Any, **options: Any) -> Callable[[Any], Any]:
    def make(tokenizer: Any) -> Any:
        fixed = {"vocab_size": len(tokenizer) + 6, "decoder_start_token_id": 0}
        return config(**{**T5_SIZES, **fixed, **_ids(tokenizer), **options})

    return make


def _pair_of_berts(config: Any, encoder_width: int = 32, **options: Any) -> Callable[[Any], Any]:
    """Args: encoder_width: if it differs from the decoder's, a projection lies between them."""

    def make(tokenizer: Any) -> Any:
        ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.cls_token_id}
        sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48} | options
        shared = {**sizes, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 200}
        encoder = config(**{**shared, "hidden_size": encoder_width, "num_hidden_layers": 3})
        decoder = config(**{**shared, "hidden_size": 32}, is_decoder=True, add_cross_attention=True)
        ends = {"decoder_start_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
        return EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder, **ids, **ends)

    return make


PAD_FIRST = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
WRITTEN = {**PAD_FIRST, "user_defined_symbols": "<2de>,<2pt_BR>"}
T5_TOKENIZER = from_sentencepiece(T5Tokenizer, "spiece.model", "unigram", extra_ids=10, ids=PAD_FIRST)


def _end(tokenizer: Any) -> int:
    return int(tokenizer.eos_token_id)


FAMILIES = {
    "bart": TinyFamily(
        BartForConditionalGeneration,
        partial(byte_level, BartTokenizer),
        _bart_like(BartConfig, decoder_start_token_id=_end, activation_function="gelu"),
        generation={"forced_bos_token_id": lambda t: t.bos_token_id, "no_repeat_ngram_size": 3, "num_beams": 4,
                    "min_length": 3, "early_stopping": True, "length_penalty": 2.0},
    ),
    "mbart": TinyFamily(
        MBartForConditionalGeneration,
        from_sentencepiece(MBartTokenizer, "sentencepiece.bpe.model", "unigram", src_lang="en_XX", tgt_lang="de_DE"),
        _bart_like(
            MBartConfig,
            decoder_start_token_id=lambda t: t.convert_tokens_to_ids("de_DE"),
            scale_embedding=True,
            encoder_layers=1,
            encoder_attention_heads=2,
            encoder_ffn_dim=32,
        ),
        load_options=LoadOptions(languages=(("en_XX", "de_DE"),)),
        languages=("en_XX", "de_DE"),
    ),
    "mbart50": TinyFamily(
        MBartForConditionalGeneration,
        from_sentencepiece(MBart50Tokenizer, "sentencepiece.bpe.model", "unigram", src_lang="en_XX", tgt_lang="de_DE"),
        _bart_like(MBartConfig, decoder_start_token_id=_end, scale_embedding=True),
        languages=("en_XX", "fr_XX"),
    ),
    "indicbart": TinyFamily(
        MBartForConditionalGeneration,
        _indic_tokenizer,
        _bart_like(MBartConfig, decoder_start_token_id=lambda t: t.convert_tokens_to_ids("<2hi>")),
        load_options=LoadOptions(languages=(("en", "hi"),)),
        languages=("en", "hi"),
        ending=" </s> <2en>",
    ),
    "pegasus": TinyFamily(
        PegasusForConditionalGeneration,
        from_sentencepiece(
            PegasusTokenizer, "spiece.model", "unigram", offset=0, ids=PAD_FIRST
        ),
        _bart_like(PegasusConfig, decoder_start_token_id=0, activation_function="relu", scale_embedding=True),
        generation={"num_beams": 2, "length_penalty": 0.8},
    ),
    "m2m_100": TinyFamily(
        M2M100ForConditionalGeneration,
        _m2m_tokenizer,
        _bart_like(M2M100Config, decoder_start_token_id=_end, spare=108),
        languages=("en", "fr"),
    ),
    "nllb": TinyFamily(
        M2M100ForConditionalGeneration,
        from_sentencepiece(NllbTokenizer, "sentencepiece.bpe.model", "bpe", src_lang="eng_Latn", tgt_lang="deu_Latn",
                            extra_special_tokens=["eng_Latn", "deu_Latn", "fra_Latn", "spa_Latn"]),
        _bart_like(M2M100Config, decoder_start_token_id=_end, activation_function="relu"),
        load_options=LoadOptions(languages=(("eng_Latn", "deu_Latn"), ("fra_Latn", "spa_Latn"))),
        languages=("fra_Latn", "spa_Latn"),
    ),
    "t5": TinyFamily(
        T5ForConditionalGeneration,
        T5_TOKENIZER,
        _t5_like(T5Config, task_specific_params=PROMPTS),
        load_options=LoadOptions("translation"),
        languages=("en", "fr"),
        prompt="translate English to French: ",
        applied={"num_beams": 2},
    ),
    "t5 v1.1": TinyFamily(
        T5ForConditionalGeneration,
        T5_TOKENIZER,
        _t5_like(T5Config, feed_forward_proj="gated-gelu", tie_word_embeddings=False, num_decoder_layers=1),
        load_options=LoadOptions("summarization"),
    ),
    "byt5": TinyFamily(
        T5ForConditionalGeneration,
        _byte_tokenizer,
        _t5_like(T5Config, feed_forward_proj="gated-gelu", tie_word_embeddings=False, num_layers=3),
        load_options=LoadOptions("translation", (("en", "de"),)),
        languages=("en", "de"),
    ),
    "madlad": TinyFamily(
        T5ForConditionalGeneration,
        from_sentencepiece(T5Tokenizer, "spiece.model", "unigram", extra_ids=0, ids=WRITTEN),
        _t5_like(T5Config, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        load_options=LoadOptions("translation", (("en", "de"), ("en", "pt_BR"))),
        languages=("en", "pt_BR"),
        prompt="<2pt_BR> ",
    ),
    "mt5": TinyFamily(
        MT5ForConditionalGeneration,
        T5_TOKENIZER,
        _t5_like(MT5Config, feed_forward_proj="gated-gelu", d_kv=10, num_heads=3),  # wider in sum than 32, as mT5's
        load_options=LoadOptions("translation", (("en", "de"),)),
        languages=("en", "de"),
    ),
    "bert2bert": TinyFamily(
        EncoderDecoderModel,
        word_pieces,
        _pair_of_berts(BertConfig, encoder_width=64, num_attention_heads=2),
        load_options=LoadOptions("translation", (("en", "de"),)),
        generation={"num_beams": 3, "no_repeat_ngram_size": 2},
        languages=("en", "de"),
    ),
    "roberta2roberta": TinyFamily(
        EncoderDecoderModel, partial(byte_level, RobertaTokenizer), _pair_of_berts(RobertaConfig)
    ),
    "bert-generation": TinyFamily(
        EncoderDecoderModel, word_pieces, _pair_of_berts(BertGenerationConfig, num_attention_heads=2)
    ),
}  # fmt: skip
