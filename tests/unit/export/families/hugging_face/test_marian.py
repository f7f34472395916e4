import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.examples.sentences import EXAMPLE_SENTENCES, TRICKY_TEXTS
from regard_export.families.hugging_face.marian import MarianReference, _open_tokenizer
from regard_export.families.loading import load_source_model
from regard_service.bundle import TextSource
from regard_service.generation import Generation
from tests.unit.export.marian_checkpoints import GERMAN, change_json, write_marian
from tests.unit.export.transformer_checkpoints import description_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_marian(tmp_path_factory.mktemp("marian") / "checkpoint")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint that the test may change."""
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def _reference(model: SourceModel) -> MarianReference:
    assert isinstance(model.reference, MarianReference)
    return model.reference


def test_the_manifest(checkpoint) -> None:
    model = load_source_model(checkpoint)
    vocabulary = json.loads((checkpoint / "vocab.json").read_text())
    assert model.family == "marian"
    assert (model.source_languages, model.target_languages) == (("en",), ("de",))
    assert model.target.start_id == model.target.pad_id == vocabulary["<pad>"]
    assert isinstance(model.source, TextSource)
    assert model.target.end_ids == model.source.suffix_ids == (vocabulary["</s>"],)
    assert set(model.target.special_ids) == {vocabulary[piece] for piece in ("</s>", "<unk>", "<pad>")}
    assert description_of(model).banned_ids == (vocabulary["<pad>"],)
    assert model.source.prefix_ids == {}


def test_several_target_languages(tmp_path) -> None:
    model = load_source_model(write_marian(tmp_path / "checkpoint", languages=("fra", "spa")))
    assert model.target_languages == ("fra", "spa")
    vocabulary = json.loads((tmp_path / "checkpoint" / "vocab.json").read_text())
    assert isinstance(model.source, TextSource)
    assert model.source.prefix_ids == {code: (vocabulary[f">>{code}<<"],) for code in ("fra", "spa")}
    assert vocabulary[">>fra<<"] in model.target.special_ids
    # The original tokenizes ">>fra<< Hello" as the language's piece and the text.
    original = _reference(model)._tokenizer(">>fra<< Thank you!").input_ids
    assert _reference(model).tokenize("Thank you!", "fra") == original


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_text_becomes_the_originals_ids(tmp_path, kind) -> None:
    model = load_source_model(write_marian(tmp_path / "checkpoint", kind=kind))
    reader = Tokenizer.from_str(model.tokenizers["source.json"])
    texts, num_known = [*EXAMPLE_SENTENCES, *GERMAN, *TRICKY_TEXTS], 0
    for text in texts:
        ids = _reference(model).tokenize(text, "de")
        if _reference(model).unknown_id not in ids:
            assert reader.encode(text).ids == ids[:-1]
            num_known += 1
    assert num_known >= len(EXAMPLE_SENTENCES)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_special_tokens_that_are_typed_are_text(tmp_path, kind) -> None:
    model = load_source_model(write_marian(tmp_path / "checkpoint", kind=kind, languages=("fra", "spa")))
    reader = Tokenizer.from_str(model.tokenizers["source.json"])
    special_ids = set(model.target.special_ids) - {_reference(model).unknown_id}
    ids = reader.encode("</s> <pad> and >>fra<< are text, <unk> too").ids
    assert not special_ids & set(ids)


def test_ids_become_the_originals_text(checkpoint) -> None:
    model = load_source_model(checkpoint)
    writer = Tokenizer.from_str(model.tokenizers["target.json"])
    for text in (*GERMAN, *EXAMPLE_SENTENCES):
        ids = [i for i in _reference(model).tokenize(text, "de") if i not in model.target.special_ids]
        assert writer.decode(ids).strip() == _reference(model).detokenize(ids)


def test_given_targets_become_the_originals_ids(checkpoint) -> None:
    reader = Tokenizer.from_str(load_source_model(checkpoint).tokenizers["given_target.json"])
    original = _open_tokenizer(checkpoint)
    for text in GERMAN:
        assert reader.encode(text, add_special_tokens=False).ids == original(text_target=text).input_ids[:-1]


def test_banned_tokens_are_never_written(tmp_path) -> None:
    """Even if their logits are the largest, as opus-mt's padding."""
    model = load_source_model(write_marian(tmp_path / "checkpoint", logits_bias={"<pad>": 100.0}))
    pad_id = model.target.pad_id
    bias = description_of(model).head.bias
    assert bias is not None
    assert np.isneginf(bias[pad_id])
    source = _reference(model).tokenize(EXAMPLE_SENTENCES[0], "de")
    assert pad_id not in model.reference.generate(source, Generation(8)).tokens
    forced = model.reference.teacher_force(source, [pad_id])
    assert np.isneginf(forced.logits[0, pad_id])
    assert np.isfinite(forced.log_normalizer).all()


def test_own_bans_and_generation_settings_are_kept(copy) -> None:
    settings = {
        "bad_words_ids": [[7]],
        "num_beams": 6,
        "max_length": 100,
        "length_penalty": 0.8,
        "early_stopping": True,
    }
    change_json(copy / "generation_config.json", **settings)
    model = load_source_model(copy)
    assert set(description_of(model).banned_ids) == {7, model.target.pad_id}
    generation = model.generation
    assert (generation.num_beams, generation.max_new_tokens) == (6, 99)
    assert (generation.length_penalty, generation.early_stopping) == (0.8, "first")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: change_json(f / "config.json", activation_function="tanh"), "activation_function 'tanh'"),
        (lambda f: change_json(f / "config.json", share_encoder_decoder_embeddings=False), "lacks target_vocab.json"),
        (
            lambda f: change_json(f / "config.json", decoder_ffn_dim=64),
            r"fc1.weight has shape \(48, 32\), not \(64, 32\)",
        ),
        (
            lambda f: change_json(f / "config.json", decoder_vocab_size=7),
            "target's vocabulary does not number its pieces",
        ),
        (lambda f: change_json(f / "vocab.json", extra=1000), "does not number its pieces"),
        (lambda f: change_json(f / "generation_config.json", bad_words_ids=[[1, 2]]), "several tokens"),
        (lambda f: change_json(f / "generation_config.json", do_sample=True), "do_sample True"),
        (lambda f: (f / "source.spm").write_bytes(b"nonsense"), "is not a SentencePiece model"),
        (lambda f: [(f / name).unlink() for name in ("source.spm", "vocab.json")], "lacks source.spm, vocab.json"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_are_named(copy, change: Callable[[Path], object], message: str) -> None:
    change(copy)
    with pytest.raises(ExportError, match=message):
        load_source_model(copy)


def test_every_unsupported_option_is_named_at_once(copy) -> None:
    change_json(copy / "generation_config.json", do_sample=True, num_beam_groups=2, forced_decoder_ids=[[1, 5]])
    with pytest.raises(ExportError, match=r"do_sample True; num_beam_groups 2; forced_decoder_ids \[\[1, 5\]\]"):
        load_source_model(copy)


def test_missing_and_unexpected_weights_are_named_at_once(copy) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.decoder.layers.1.fc1.weight"]
    weights["model.decoder.layers.7.fc1.weight"] = np.zeros((2, 2), np.float32)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError) as error:
        load_source_model(copy)
    assert "model.decoder.layers.1.fc1.weight is missing" in str(error.value)
    assert "model.decoder.layers.7.fc1.weight is unexpected" in str(error.value)
