"""Every family: the rows of the table in docs/exporting.md, each with one or more checkpoints."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from transformers import MarianMTModel

from regard_export.checkpoints.source_model import LoadOptions
from regard_models.checkpoint import Checkpoint
from tests.parity.families.family import Family
from tests.parity.families.hugging_face import Blip, Donut, Pictures, Texts
from tests.parity.families.regard_nets import Nets, Toolkit
from tests.unit.export.captioner_checkpoints import tiny_captioner_checkpoint, tiny_lstm, tiny_transformer
from tests.unit.export.ctranslate2_checkpoints import POST, RELATIVE, write_ctranslate2
from tests.unit.export.encoder_decoder_checkpoints import tiny_bert, tiny_prompted, tiny_vision
from tests.unit.export.encoder_decoder_checkpoints import tiny_checkpoint as tiny_encoder_decoder
from tests.unit.export.family_checkpoints import FAMILIES, TinyFamily, write_family
from tests.unit.export.marian_checkpoints import write_marian
from tests.unit.export.pointer_checkpoints import tiny_pointer_checkpoint
from tests.unit.export.recurrent_checkpoints import tiny_recurrent_checkpoint
from tests.unit.export.student_checkpoints import PRE, SELF_ATTENTION, write_student
from tests.unit.export.transformer_checkpoints import tiny_checkpoint
from tests.unit.export.vision_checkpoints import write_blip, write_vision

DATA = Path(__file__).parents[2] / "data"
CAPTIONING = LoadOptions("captioning")
STUDENT_LANGUAGES = LoadOptions("translation", (("en", "pt"),))
TOY_LANGUAGES = LoadOptions("translation", (("en", "xx"),))
TOY_TEXTS = ("the old man reads a book", "a cat sees the young dog", "the woman hears the unknown song")
JOEY_TEXTS = ("Thank you!", "I have never been to the sea.")
RECURRENT, LUONG = "joeynmt_recurrent", {"style": "luong", "score": "general", "cell": "lstm"}
FIRST_HEAD, MEAN_OF_HEADS = "first head", "mean of heads"


def _marian(name: str, *, target: str = "de", prompt: str = "", **options: Any) -> Family:
    tiny = TinyFamily(MarianMTModel, lambda _: None, lambda _: None, languages=("en", target), prompt=prompt)
    write = partial(write_marian, bad_words_ids=None, **options)
    return Family(name, MARIAN, "marian", write, partial(Texts, tiny), language="en", target=target)


def _texts(name: str, row: str, family: str) -> Family:
    tiny = FAMILIES[name]
    language, target = tiny.languages
    return Family(
        name.replace(" ", "-"),
        row,
        family,
        partial(write_family, name=name),
        partial(Texts, tiny),
        tiny.load_options,
        language,
        target,
        has_settings=True,
    )


def _vision(encoder: str, decoder: str, row: str, **options: Any) -> Family:
    write = partial(write_vision, encoder=encoder, decoder=decoder, **options)
    return Family(f"{encoder}-{decoder}", row, "vision-encoder-decoder", write, Pictures, CAPTIONING)


def _toolkit(name: str, row: str, family: str, file: str, texts: tuple[str, ...], recorded_map: str | None) -> Family:
    """A checkpoint in tests/data, with recorded arrays beside it or in its folder."""
    checkpoint = DATA / file
    recorded = checkpoint / "expected.npz" if checkpoint.is_dir() else checkpoint.with_suffix(".npz")
    original = partial(Toolkit, load_options=TOY_LANGUAGES, recorded=recorded, texts=texts, recorded_map=recorded_map)
    return Family(name, row, family, lambda _: checkpoint, original, TOY_LANGUAGES, "en", "xx", has_settings=True)


def _ctranslate2(name: str, **options: Any) -> Family:
    loading = LoadOptions(languages=(("en", "de"),))
    original = partial(Nets, load_options=loading, key="de")
    write = partial(write_ctranslate2, **options)
    return Family(name, CTRANSLATE2, "ctranslate2", write, original, loading, "en", "de", has_settings=True)


def _own(
    name: str, row: str, family: str, checkpoint: Callable[[], Checkpoint], *, target: str = "", **options: Any
) -> Family:
    def write(folder: Path) -> Path:
        checkpoint().save(folder)
        return folder

    return Family(
        name, row, family, write, partial(Nets, load_options=LoadOptions(), key=target), target=target, **options
    )


def _student(name: str, row: str, **options: Any) -> Family:
    write = partial(write_student, **options)
    original = partial(Nets, load_options=STUDENT_LANGUAGES, key="pt")
    return Family(name, row, "marian-student", write, original, STUDENT_LANGUAGES, "en", "pt", has_settings=True)


FRENCH = {"target": "fra", "prompt": ">>fra<< "}
COPIES = {"float16": "float16 is not offered for models that copy words"}
JOEY, JOEY_RECURRENT = "JoeyNMT 2 transformers, with SentencePiece", "JoeyNMT 2 recurrent, with SentencePiece"
OPENNMT, OPENNMT_RECURRENT = "OpenNMT-py 3 transformers", "OpenNMT-py 3 recurrent (LSTM, GRU)"
FAIRSEQ = "fairseq transformers"
BERTS = "BERT2BERT: BERT, RoBERTa, BERT for generation (Rothe et al. 2020)"
MARIAN, MBART, T5 = "Marian (opus-mt), one vocabulary or two", "mBART, mBART-50", "T5 1.0 and 1.1"
VIT, DEIT, BEIT, SWIN = (
    f"VisionEncoderDecoder: {parts}"
    for parts in (
        "ViT with GPT-2, BERT, TrOCR",
        "DeiT with BERT, TrOCR",
        "BEiT with GPT-2, BERT",
        "Swin with GPT-2, TrOCR",
    )
)
STUDENTS = "Bergamot's students (Firefox Translations, translateLocally), SSRU decoder"
MARIAN_FILES = "Marian's own files (`.bin`, `.npz`), self-attention decoder"
CTRANSLATE2 = "CTranslate2 transformers and Argos packages, with SentencePiece"
OURS = "ours: recurrent translators"

EVERY = (
    _marian("marian"),
    _marian("marian-two", separate=True),
    _marian("marian-unigram", kind="unigram", activation_function="relu", scale_embedding=False),
    _marian("marian-sizes", encoder_attention_heads=2, decoder_ffn_dim=64),
    _marian("marian-many", languages=("fra", "spa"), encoder_layers=3, decoder_layers=1, **FRENCH),
    _marian("marian-padding", logits_bias={"<pad>": 100.0, "</s>": 2.0}),
    _texts("bart", "BART", "bart"),
    _texts("mbart", MBART, "mbart"),
    _texts("mbart50", MBART, "mbart"),
    _texts("indicbart", "IndicBART", "mbart"),
    _texts("pegasus", "Pegasus", "pegasus"),
    _texts("m2m_100", "M2M100", "m2m_100"),
    _texts("nllb", "NLLB", "m2m_100"),
    _texts("t5", T5, "t5"),
    _texts("t5 v1.1", T5, "t5"),
    _texts("mt5", "mT5", "mt5"),
    _texts("byt5", "ByT5", "t5"),
    _texts("madlad", "MADLAD-400", "t5"),
    _texts("bert2bert", BERTS, "encoder-decoder"),
    _texts("roberta2roberta", BERTS, "encoder-decoder"),
    _texts("bert-generation", BERTS, "encoder-decoder"),
    _vision("vit", "gpt2", VIT),
    _vision("vit", "bert", VIT, encoder_hidden_size=32),
    _vision("vit", "trocr", VIT),
    _vision("deit", "bert", DEIT),
    _vision("deit", "trocr", DEIT),
    _vision("beit", "gpt2", BEIT, encoder_use_relative_position_bias=True),
    _vision("beit", "bert", BEIT, encoder_use_absolute_position_embeddings=True),
    _vision("swin", "gpt2", SWIN),
    _vision("swin", "trocr", SWIN),
    Family(
        "donut",
        "Donut (document pages to fields)",
        "vision-encoder-decoder",
        partial(write_vision, encoder="donut-swin", decoder="mbart"),
        Donut,
        CAPTIONING,
    ),
    Family("blip", "BLIP captioning", "blip", write_blip, Blip, CAPTIONING),
    _toolkit("joeynmt", JOEY, "joeynmt-transformer", "joeynmt", JOEY_TEXTS, None),
    _toolkit("joeynmt-gru", JOEY_RECURRENT, "joeynmt-recurrent", f"{RECURRENT}/gru-bahdanau", JOEY_TEXTS, FIRST_HEAD),
    _toolkit("joeynmt-lstm", JOEY_RECURRENT, "joeynmt-recurrent", f"{RECURRENT}/lstm-luong", JOEY_TEXTS, FIRST_HEAD),
    _toolkit("opennmt", OPENNMT, "opennmt-transformer", "opennmt/transformer.pt", TOY_TEXTS, FIRST_HEAD),
    _toolkit("opennmt-lstm", OPENNMT_RECURRENT, "opennmt-recurrent", "opennmt/lstm-general.pt", TOY_TEXTS, FIRST_HEAD),
    _toolkit("opennmt-gru", OPENNMT_RECURRENT, "opennmt-recurrent", "opennmt/gru-mlp.pt", TOY_TEXTS, FIRST_HEAD),
    _toolkit("fairseq-post", FAIRSEQ, "fairseq-transformer", "fairseq/post-norm.pt", TOY_TEXTS, MEAN_OF_HEADS),
    _toolkit("fairseq-pre", FAIRSEQ, "fairseq-transformer", "fairseq/pre-norm.pt", TOY_TEXTS, MEAN_OF_HEADS),
    _ctranslate2("ct2", quantization="int8"),
    _ctranslate2("ct2-post", zero_start=True, separate=True, **POST),
    _ctranslate2("ct2-relative", quantization="float16", **RELATIVE),
    _student("student", STUDENTS),
    _student("student-float", STUDENTS, kind="float32", **PRE),
    _student("student-two", STUDENTS, separate=True, **{"transformer-ffn-activation": "swish"}),
    _student("marian-bin", MARIAN_FILES, **SELF_ATTENTION),
    _student("marian-npz", MARIAN_FILES, kind="npz", **SELF_ATTENTION, **PRE),
    _own("transformer", "ours: transformer", "regard-transformer", tiny_checkpoint, target="de"),
    _own("bahdanau", OURS, "regard-recurrent", tiny_recurrent_checkpoint, target="de"),
    _own("luong", OURS, "regard-recurrent", partial(tiny_recurrent_checkpoint, **LUONG), target="fr"),
    _own(
        "pointer",
        "ours: pointer-generator",
        "regard-pointer-generator",
        tiny_pointer_checkpoint,
        target="subject",
        refused=COPIES,
    ),
    _own(
        "captioner-lstm",
        "ours: captioner with an LSTM",
        "regard-captioner-lstm",
        lambda: tiny_captioner_checkpoint(tiny_lstm()),
    ),
    _own(
        "captioner-transformer",
        "ours: captioner with a transformer",
        "regard-captioner-transformer",
        lambda: tiny_captioner_checkpoint(tiny_transformer()),
    ),
    _own(
        "vision",
        "ours: vision transformer with a decoder",
        "regard-vision-transformer",
        lambda: tiny_encoder_decoder(tiny_vision()),
    ),
    _own("bert", "ours: BERT with a decoder", "regard-bert", lambda: tiny_encoder_decoder(tiny_bert()), target="de"),
    _own(
        "prompted",
        "ours: vision transformer, BERT and a decoder",
        "regard-prompted-vision",
        lambda: tiny_encoder_decoder(tiny_prompted()),
    ),
)
