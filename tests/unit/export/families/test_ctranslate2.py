"""CTranslate2's models: the tokens of CTranslate2 itself, every option, refusals, and damaged files and packages."""

import json
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ctranslate2.converters import TransformersConverter
from ctranslate2.specs.common_spec import Activation
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from transformers import AutoModelForSeq2SeqLM, GenerationConfig

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.families.loading import load_source_model
from regard_export.families.toolkits.ctranslate2_files import read_spec
from regard_service.generation import Generation
from tests.parity.families.exports import serving
from tests.unit.export.ctranslate2_checkpoints import (
    POST,
    RELATIVE,
    pieces,
    score,
    translate,
    write_ctranslate2,
    write_package,
)
from tests.unit.export.family_checkpoints import FAMILIES, PAD_FIRST, sentencepiece_model, write_family
from tests.unit.export.fine_tuned_checkpoints import open_tokenizer
from tests.unit.export.marian_checkpoints import change_json, write_marian

TEXTS = EXAMPLE_SENTENCES[:6]
LANGUAGES = (("en", "de"),)
EN_DE = ("--languages", "en-de")
OPTIONS: dict[str, dict[str, Any]] = {
    "pre": {},
    "post": POST,
    "post with a normalization of embeddings": {**POST, "layernorm_embedding": True, "activation": Activation.GELU},
    "zero start": {**POST, "zero_start": True, "activation": Activation.SWISH, "source_end": True},
    "relative": RELATIVE,
    "two vocabularies": {"separate": True},
    "embeddings of factor 1": {"embedding_scale": 1.0},
    "source end": {"source_end": True},
    "no final normalization": {"no_final_norm": True},
    "alignment": {"alignment_layer": 0, "alignment_heads": 2},
}


def _load(folder: Path, **options: Any) -> SourceModel:
    return load_source_model(folder, LoadOptions(**{"languages": LANGUAGES, **options}))


def _ours(model: SourceModel, text: str) -> list[int]:
    reference: Any = model.reference
    ids = reference.generate(reference.tokenize(text, "de"), Generation(max_new_tokens=12)).tokens
    return [i for i in ids if i not in model.target.end_ids]


def _theirs(folder: Path, text: str, *, beam_size: int = 1) -> list[str]:
    """The source as CTranslate2's callers write it; it adds the end itself where the model says so."""
    processor = SentencePieceProcessor(str(folder / "sentencepiece.model"))
    return translate(folder, processor.encode(text, out_type=str), beam_size=beam_size, max_decoding_length=12)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    found: dict[str, Path] = {}

    def get(name: str, quantization: str | None = None) -> Path:
        key = f"{name} {quantization}"
        if key not in found:
            folder = tmp_path_factory.mktemp("ctranslate2") / "model"
            found[key] = write_ctranslate2(folder, quantization=quantization, **OPTIONS[name])
        return found[key]

    return get


@pytest.mark.parametrize("name", OPTIONS)
def test_the_tokens_of_ctranslate2(written, name: str) -> None:
    folder = written(name)
    model, target = _load(folder), _target_pieces(folder)
    for text in TEXTS:
        assert [target[i] for i in _ours(model, text)] == _theirs(folder, text)


@pytest.mark.parametrize("quantization", ["int8", "int16", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["pre", "relative"])
def test_quantized_weights(written, name: str, quantization: str) -> None:
    """CTranslate2 computes in float32 too, with weights that it dequantizes."""
    folder, plain = written(name, quantization), _load(written(name))
    model, target = _load(folder), _target_pieces(folder)
    same = [[target[i] for i in _ours(model, text)] == _theirs(folder, text) for text in TEXTS]
    assert sum(same) >= len(TEXTS) - 1  # of random weights, two tokens may be nearly equal
    ours, theirs = (each.architecture.description.weights for each in (model, plain))  # type: ignore[attr-defined]
    for weight, whole in ((ours[each], theirs[each]) for each in theirs):
        assert np.abs(weight - whole).max() <= 0.02 * max(1.0, float(np.abs(whole).max()))


def _target_pieces(folder: Path) -> list[str]:
    names = ("target_vocabulary.json", "shared_vocabulary.json")
    file = next(folder / name for name in names if (folder / name).is_file())
    return list(json.loads(file.read_text()))


def test_heads_that_the_model_names_are_its_alignment(written) -> None:
    model = _load(written("alignment"))
    assert model.alignment_heads == ((0, 0), (0, 1))
    assert _load(written("pre")).alignment_heads == ()


def test_a_package_the_whole_way(written, tmp_path: Path) -> None:
    package = write_package(tmp_path / "translate-en_de-1_0.argosmodel", written("pre", "int8"))
    result = CliRunner().invoke(
        export_command, [str(package), "-o", str(tmp_path / "bundles" / "argos"), "--precision", "float32"]
    )
    assert result.exit_code == 0, result.output
    with serving(tmp_path / "bundles") as client:
        text = client.translate(TEXTS[0], "de", source_language="en", max_new_tokens=12).text
        assert client.model("argos").family == "ctranslate2"
    assert text


@pytest.mark.parametrize("name", ["pre", "zero start", "relative", "two vocabularies"])
def test_pairs_have_the_log_probabilities_of_ctranslate2(written, name: str, tmp_path: Path) -> None:
    folder, targets = written(name), list(reversed(TEXTS))
    result = CliRunner().invoke(
        export_command, [str(folder), "-o", str(tmp_path / "bundles" / "scorer"), "--precision", "float32", *EN_DE]
    )
    assert result.exit_code == 0, result.output
    with serving(tmp_path / "bundles") as client:
        results = client.score(list(zip(TEXTS, targets, strict=True)), to="de", source_language="en")
    for source, target, scored in zip(TEXTS, targets, results, strict=True):
        expected = score(folder, source, target)
        assert [token.logprob for token in scored.best.tokens] == pytest.approx(expected, abs=1e-4)
        assert scored.best.score == pytest.approx(sum(expected), abs=1e-3)


# Files of pieces that users copy beside a conversion from `transformers`, whose converter knows no generation settings.
CONVERTED: dict[str, tuple[str, bytes]] = {
    "marian": ("source.spm", b""),
    "pegasus": ("spiece.model", sentencepiece_model("unigram", **PAD_FIRST)),
    "t5 v1.1": ("spiece.model", sentencepiece_model("unigram", **PAD_FIRST)),
    "nllb": ("sentencepiece.bpe.model", sentencepiece_model("bpe")),
}


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
@pytest.mark.parametrize("name", CONVERTED)
def test_a_conversion_from_transformers_gives_its_tokens(tmp_path: Path, name: str) -> None:
    """CTranslate2's own converter between the original and the export."""
    original, folder, (file, content) = tmp_path / "original", tmp_path / "converted", CONVERTED[name]
    sources, targets = FAMILIES[name].languages if name == "nllb" else ("en", "de")
    if name == "marian":
        write_marian(original, bad_words_ids=None)
    else:
        write_family(original, name)
    if name == "pegasus":  # what the converter reads of older configs
        change_json(original / "config.json", normalize_before=True, normalize_embedding=False)
    net: Any = AutoModelForSeq2SeqLM.from_pretrained(original).eval()
    tokenizer, copied = open_tokenizer(original), [] if content else [file]
    if name == "marian":  # as the published ones: the padding token, with which the decoder starts, is zero
        with torch.no_grad():
            net.model.shared.weight[tokenizer.pad_token_id] = 0
        net.save_pretrained(original)
    TransformersConverter(str(original), copy_files=copied).convert(str(folder))
    if content:
        (folder / file).write_bytes(content)
    model, forced = _load(folder, languages=((sources, targets),)), None
    if name == "nllb":
        tokenizer.src_lang, forced = sources, tokenizer.convert_tokens_to_ids(targets)
    start, net.generation_config = net.config.decoder_start_token_id, GenerationConfig()
    assert model.target.forced_first_id(targets) == forced
    banned = [[tokenizer.pad_token_id]] if name == "marian" else None
    for text in TEXTS[:2]:
        reference: Any = model.reference
        ids = tokenizer(text).input_ids
        assert reference.tokenize(text, targets) == ids
        for num_beams in (1, 3):
            options = {"max_new_tokens": 8, "num_beams": num_beams, "decoder_start_token_id": start}
            ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
            theirs = net.generate(
                torch.tensor([ids]), **options, **ends, forced_bos_token_id=forced, bad_words_ids=banned
            )
            ours = reference.generate(ids, Generation(8, num_beams=num_beams, forced_first_id=forced)).tokens
            assert ours == theirs[0, 1 : len(ours) + 1].tolist()


def test_a_package_whose_outputs_have_a_prefix(written, tmp_path: Path) -> None:
    prefix = pieces()[9]
    package = write_package(tmp_path / "a.argosmodel", written("pre"), target_prefix=prefix)
    model, expected = load_source_model(package), _target_pieces(written("pre")).index(prefix)
    assert (model.target.forced_first_id("de"), expected in model.target.special_ids) == (expected, True)
    reference: Any = model.reference
    processor = SentencePieceProcessor(str(written("pre") / "sentencepiece.model"))
    for text in TEXTS[:3]:
        generation = Generation(12, forced_first_id=expected)
        found = [i for i in reference.generate(reference.tokenize(text, "de"), generation).tokens if i != 2]
        tokens = processor.encode(text, out_type=str)
        theirs = translate(written("pre"), tokens, beam_size=1, max_decoding_length=12, target_prefix=[[prefix]])
        assert [_target_pieces(written("pre"))[i] for i in found] == theirs[: len(found)]
    with pytest.raises(ExportError, match="target_prefix 'xyz' is no piece"):
        load_source_model(write_package(tmp_path / "b.argosmodel", written("pre"), target_prefix="xyz"))


@pytest.mark.parametrize("content", [None, b"", b"x" * 99])
def test_a_missing_or_foreign_model_is_named(written, tmp_path: Path, content: bytes | None) -> None:
    folder = Path(shutil.copytree(written("pre"), tmp_path / "model"))
    (folder / "model.bin").unlink()
    if content is not None:
        (folder / "model.bin").write_bytes(content)
    with pytest.raises(ExportError, match=r"lacks a model\.bin of CTranslate2"):
        _load(folder)


@pytest.mark.parametrize("code", [["en"], 5, "e" * 5000, "../x", " "])
def test_what_is_no_code_of_a_language_names_none(written, tmp_path: Path, code: Any) -> None:
    file = write_package(tmp_path / "a.argosmodel", written("pre"), from_code=code)
    with pytest.raises(ExportError, match=r"a\.argosmodel: this checkpoint does not name its languages"):
        load_source_model(file)


def test_faults_within_a_package_name_the_package(tmp_path: Path) -> None:
    file = tmp_path / "bad.argosmodel"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/metadata.json", "{")
    with pytest.raises(ExportError, match=r"bad\.argosmodel/metadata\.json is not JSON"):
        load_source_model(file)


def test_a_damaged_sentencepiece_model_is_named(written, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written("pre"), tmp_path / "model"))
    (folder / "sentencepiece.model").write_bytes(b"")
    with pytest.raises(ExportError, match=r"sentencepiece\.model is not a SentencePiece model"):
        _load(folder)


def test_pieces_without_their_model_are_refused(written, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written("pre"), tmp_path / "model"))
    (folder / "sentencepiece.model").unlink()
    with pytest.raises(ExportError, match="has pieces of SentencePiece, and no SentencePiece model"):
        _load(folder)


def _older(folder: Path, target: Path, version: int) -> Path:
    """The same model in an older binary version, which states the size of numbers instead of their types."""
    spec = read_spec(folder / "model.bin")
    shutil.copytree(folder, target)
    arrays = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in spec.arrays.items()
    }
    with (target / "model.bin").open("wb") as stream:
        stream.write(struct.pack("<IH", version, 16) + b"TransformerSpec\0" + struct.pack("<II", 7, len(arrays)))
        for name, array in arrays.items():
            stream.write(struct.pack("<H", len(name) + 1) + name.encode() + b"\0" + struct.pack("<B", array.ndim))
            stream.write(struct.pack(f"<{array.ndim}I", *array.shape))
            kind = ("float32", "int8", "int16", "int32").index(str(array.dtype))
            size = (kind, array.nbytes) if version > 3 else (array.itemsize, array.size)
            stream.write(struct.pack("<BI", *size) + array.tobytes())
        stream.write(struct.pack("<I", 0))
    return target


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_older_versions(written, tmp_path: Path, version: int) -> None:
    folder = written("pre", "int16")
    older = _older(folder, tmp_path / "older", version)
    ours, theirs = (_load(each).architecture.description.weights for each in (older, folder))  # type: ignore[attr-defined]
    assert all((ours[name] == theirs[name]).all() for name in theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"add_source_bos": True}, "add_source_bos"),
        ({"decoder_start_token": None}, "no decoder_start_token"),
        ({"unk_token": "<nothing>"}, "lack <nothing>"),
        ({"layer_norm_epsilon": "x"}, "layer_norm_epsilon 'x'"),
        ({"layer_norm_epsilon": -1}, "layer_norm_epsilon -1"),
    ],
)
def test_options_of_the_config_that_are_refused(written, tmp_path: Path, change: Any, message: str) -> None:
    folder = Path(shutil.copytree(written("pre"), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ExportError, match=message):
        _load(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"with_relative_position": True}, "relative or rotary positions"),
        ({"activation": Activation.Tanh}, "encoder/activation 5; decoder/activation 5"),
    ],
)
def test_options_of_the_spec_that_are_refused(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        _load(write_ctranslate2(tmp_path / "model", **options))


def test_a_refusal_of_an_option_names_the_model(tmp_path: Path) -> None:
    folder = write_ctranslate2(tmp_path / "model", activation=Activation.Tanh)
    with pytest.raises(ExportError) as refusal:
        load_source_model(folder)
    assert str(refusal.value).startswith(f"{folder}: this CTranslate2 model has unsupported options: ")


def test_a_vocabulary_that_is_shorter_than_the_table(written, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written("pre"), tmp_path / "model"))
    (folder / "shared_vocabulary.json").write_text(json.dumps(pieces()[:-1]))
    with pytest.raises(ExportError, match=r"shared_vocabulary.json lists \d+ pieces, the weights \d+"):
        _load(folder)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read(written, tmp_path_factory, data: st.DataObject) -> None:
    """Truncated, flipped and inserted bytes end in an ExportError that names the file, or change numbers only."""
    content = bytearray((written("pre", "int8") / "model.bin").read_bytes())
    file = tmp_path_factory.mktemp("damaged") / "model.bin"
    for _ in range(data.draw(st.integers(1, 3))):
        near = data.draw(st.booleans())  # names and shapes are dense at the beginning
        place = data.draw(st.integers(0, min(len(content) - 1, 400 if near else len(content) - 1)))
        match data.draw(st.sampled_from(["cut", "flip", "insert"])):
            case "cut":
                del content[place:]
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "insert":
                content.insert(place, data.draw(st.integers(0, 255)))
        if not content:
            break
    file.write_bytes(content)
    fault = ""
    try:
        read_spec(file).weights()
    except ExportError as error:  # any other one fails the test
        fault = str(error)
    assert not fault or "model.bin" in fault


def _entry(archive: zipfile.ZipFile, name: str, content: bytes = b"x", mode: int = 0) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    archive.writestr(entry, content)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("../out.json", 0), ("/etc/out.json", 0), ("a/../../out.json", 0), ("link.json", stat.S_IFLNK), ("C:\\x.json", 0)],
)
def test_paths_that_leave_a_package_are_refused(tmp_path: Path, name: str, mode: int) -> None:
    file = tmp_path / "bad.argosmodel"
    with zipfile.ZipFile(file, "w") as archive:
        _entry(archive, name, mode=mode)
    with pytest.raises(ExportError, match="has an entry that leaves its folder"):
        load_source_model(file)
    assert [each.name for each in tmp_path.rglob("*")] == ["bad.argosmodel"]


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.families.toolkits.ctranslate2_files.MAX_PACKAGE_BYTES", 2**22)
    file = tmp_path / "bomb.argosmodel"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _entry(archive, "model/model.bin", bytes(2**23))
    with pytest.raises(ExportError, match="unpacks to more than"):
        load_source_model(file)
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(1001):
            _entry(archive, f"{number}.json")
    with pytest.raises(ExportError, match="has 1001 entries"):
        load_source_model(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no zip", "is no readable package"), (b"", "is no readable package")],
)
def test_files_that_are_no_packages(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.argosmodel").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        load_source_model(tmp_path / "bad.argosmodel")
