import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.errors import ExportError
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.bergamot.marian_files import read_model
from regard_export.families.bergamot.student_options import student_options
from regard_export.families.loading import load_options_of, load_source_model
from regard_export.references.marian_numpy import DecoderState, MarianNet
from regard_service.bundle import Bundle, Precision, TextSource
from regard_service.domain.offered_maps import offered_kinds
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from tests.unit.export.student_checkpoints import (
    HEADS,
    PRE,
    SELF_ATTENTION,
    WIDTH,
    weights_of,
    write_model,
    write_student,
)

SOURCE = [5, 9, 7, 30, 12, 0]
TARGET = [0, 8, 4, 21, 4]


@pytest.fixture(autouse=True)
def _few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 3)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("student") / "enpt")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A student to change."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def _settings(folder: Path) -> dict[str, Any]:
    return dict(read_model(folder / "model.enpt.bin").options)


def _exported(model: SourceModel, out: Path) -> Bundle:
    return export(model, out, ExportOptions("tiny", "1", ("float32", "int8"), {}), lambda _: None)


def test_what_the_manifest_says(folder: Path) -> None:
    model = load_source_model(folder)
    assert model.family == "marian-student"
    assert (model.source_languages, model.target_languages) == (("en",), ("pt",))
    assert model.alignment_heads == ((1, 0),)
    assert isinstance(model.source, TextSource)
    assert model.target.end_ids == model.source.suffix_ids == (0,)
    assert model.target.special_ids == (0, 1)
    assert (model.generation.num_beams, model.generation.length_penalty) == (1, 0.0)
    assert model.provenance.source == "enpt"
    assert "CC BY-SA 4.0" in model.provenance.weights_license
    assert "v1.9.56 test" in model.provenance.notes
    assert "2 SSRU decoder layers" in model.summary


def test_what_the_folder_says_of_itself(copy: Path) -> None:
    (copy / "config.yml").write_text("beam-size: 4\nnormalize: 0.6\n")
    (copy / "LICENSE").write_text("CC0 1.0\nmore")
    (copy / "model_info.json").write_text(json.dumps({"modelName": "English-Czech tiny", "shortName": "en-cs-tiny"}))
    model = load_source_model(copy)
    assert (model.generation.num_beams, model.generation.length_penalty) == (4, 0.6)
    assert model.provenance.weights_license == "CC0 1.0"
    assert model.summary.startswith("English-Czech tiny: ")
    assert model.target_languages == ("cs",)
    (copy / "metadata.json").write_text(json.dumps({"sourceLanguage": "en", "targetLanguage": "et"}))
    assert load_source_model(copy).target_languages == ("et",)
    assert load_source_model(copy, LoadOptions(None, (("en", "fi"),))).target_languages == ("fi",)


@pytest.mark.parametrize(
    ("kind", "separate", "changes"),
    [
        ("int8", False, {}),
        ("float32", False, PRE),
        ("npz", False, SELF_ATTENTION),
        ("int8", True, {**PRE, **SELF_ATTENTION}),
        ("int8", True, {"transformer-ffn-activation": "swish"}),
    ],
)
def test_graphs_equal_the_reference(tmp_path: Path, kind: Any, separate: bool, changes: dict[str, Any]) -> None:
    source = write_student(tmp_path / "enpt", kind=kind, separate=separate, **changes)
    bundle = _exported(load_source_model(source), tmp_path / "out")
    checks = bundle.manifest.verification["checks"]
    assert bundle.manifest.verification["passed"]
    assert checks["float32"]["step: largest difference of logits"]["value"] < 1e-4
    assert checks["float32"]["greedy: outputs that differ"]["value"] == 0
    assert checks["int8"]["rows: best tokens that differ, alone and in a crowd"]["value"] == 0
    assert load_options_of(bundle.manifest).languages == (("en", "pt"),)


def test_int8_graphs_hold_the_numbers_of_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    bundle = _exported(load_source_model(folder), tmp_path / "out")
    items = read_model(folder / "model.enpt.bin").items
    constants = {
        tuple(x.shape): x
        for graph in ("encode", "step")
        for x in map(numpy_helper.to_array, onnx.load(bundle.folder / f"int8/{graph}.onnx").graph.initializer)
        if x.dtype == np.int8
    }
    table = items["Wemb"].values
    np.testing.assert_array_equal(constants[table.shape], table)  # of encode, and of the head
    np.testing.assert_array_equal(constants[len(table), 1, WIDTH][:, 0], table)
    first = [items[f"encoder_l2_self_W{kind}"].values for kind in "qkv"]
    np.testing.assert_array_equal(constants[WIDTH, 3 * WIDTH], np.concatenate(first, axis=1))
    variants = {variant.precision: variant for variant in bundle.manifest.variants}
    assert not variants["int8"].narrow_weights


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("num_beams", [1, 3])
def test_outputs_have_only_words_of_the_shortlist(
    tmp_path: Path, precision: Precision, separate: bool, num_beams: int
) -> None:
    source = write_student(tmp_path / "enpt", shortlist=True, separate=separate, **(PRE if separate else {}))
    bundle = _exported(load_source_model(source), tmp_path / "out")
    checks = bundle.manifest.verification["checks"][precision]
    assert checks["shortlist: outputs that differ, alone and in a batch"]["value"] == 0
    assert checks["shortlist: largest difference of log-probabilities from all logits"]["value"] < 1e-4
    assert bundle.manifest.shortlist == "shortlist.bin"
    engine, rng = VariantEngine(bundle, precision), np.random.default_rng(3)
    sources = [[*rng.integers(2, 90, rng.integers(1, 30)).tolist(), 0] for _ in range(40)]
    generation = Generation(12, num_beams=num_beams)
    together = list(engine.search(sources, generation, is_listed=True))
    for ids, output in zip(sources, together, strict=True):
        assert set(output.tokens.tolist()) <= set(engine.allowed_words(ids).tolist())
        alone = next(engine.search([ids], generation, is_listed=True))
        assert alone.tokens.tolist() == output.tokens.tolist()
        np.testing.assert_allclose(alone.logprobs, output.logprobs, atol=1e-4)
    whole = list(engine.search(sources, generation))
    assert any(x.tokens.tolist() != y.tokens.tolist() for x, y in zip(whole, together, strict=True))


def test_without_a_shortlist_steps_have_the_whole_vocabulary(folder: Path, tmp_path: Path) -> None:
    bundle = _exported(load_source_model(folder), tmp_path / "out")
    assert bundle.manifest.shortlist is None
    assert not VariantEngine(bundle, "int8").has_shortlist


def _traced(source: Path, out: Path) -> tuple[Bundle, Any]:
    bundle = _exported(load_source_model(source), out)
    return bundle, Runner(bundle, bundle.manifest.variants[0]).trace(np.array(SOURCE), np.array(TARGET))


def test_the_trace_has_the_maps_of_encoder_and_cross_attention(folder: Path, tmp_path: Path) -> None:
    bundle, trace = _traced(folder, tmp_path / "out")
    forced = VariantEngine(bundle, "float32").teacher_force([SOURCE], [TARGET])[0]
    np.testing.assert_allclose(trace.cross, forced.cross_attention, atol=1e-5)
    assert trace.encoder_self.shape == (2, HEADS, len(SOURCE), len(SOURCE))
    np.testing.assert_allclose(trace.encoder_self.sum(-1), 1, atol=1e-5)
    assert trace.cross_norms.shape == (2, HEADS, len(SOURCE))
    assert len(trace.decoder_self) == len(trace.decoder_norms) == 0
    assert offered_kinds(bundle.manifest) == ("cross", "alignment", "encoder_self")


def test_a_self_attention_decoder_has_maps_of_its_own(tmp_path: Path) -> None:
    source = write_student(tmp_path / "enpt", **SELF_ATTENTION)
    bundle, trace = _traced(source, tmp_path / "out")
    forced = VariantEngine(bundle, "float32").teacher_force([SOURCE], [TARGET])[0]
    np.testing.assert_allclose(trace.cross, forced.cross_attention, atol=1e-5)
    assert trace.decoder_self.shape == (2, HEADS, len(TARGET), len(TARGET))
    assert "decoder_self" in offered_kinds(bundle.manifest)


def test_the_first_token_is_a_vector_of_zeros(folder: Path, tmp_path: Path) -> None:
    graphs = VariantEngine(_exported(load_source_model(folder), tmp_path / "out"), "float32")
    one, other = (graphs.teacher_force([SOURCE], [[start, 8]])[0].logits for start in (0, 33))
    np.testing.assert_array_equal(one, other)


def test_unknown_pieces_are_never_written(folder: Path, tmp_path: Path) -> None:
    graphs = VariantEngine(_exported(load_source_model(folder), tmp_path / "out"), "int8")
    assert np.isneginf(graphs.teacher_force([SOURCE], [TARGET])[0].logits[:, 1]).all()


def test_an_ssru_is_as_its_paper_has_it(folder: Path) -> None:
    model = read_model(folder / "model.enpt.bin")
    weights = {name: item.weight for name, item in model.items.items()}
    net = MarianNet(student_options(model), weights)
    states = net.encode(np.array(SOURCE))
    first = net.step(states, DecoderState(), None)
    angles = np.zeros(WIDTH // 2)
    x = np.concatenate([np.sin(angles), np.cos(angles)])  # of position 0, with no token
    forget = 1 / (1 + np.exp(-(x @ weights["decoder_l1_rnn_Wf"] + weights["decoder_l1_rnn_bf"])))
    np.testing.assert_allclose(first.state.layers[0], (1 - forget) * (x @ weights["decoder_l1_rnn_W"]), rtol=1e-4)
    second = net.step(states, first.state, 7)
    assert not np.allclose(second.output, net.step(states, DecoderState(1), 7).output)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"dec-cell": "gru"}, "the decoder cell 'gru'"),
        ({"transformer-decoder-autoreg": "average-attention"}, "transformer-decoder-autoreg 'average-attention'"),
        ({"type": "s2s"}, "type 's2s'"),
        ({"transformer-postprocess": "nda"}, "normalization in the order '', 'na'"),
        ({"transformer-ffn-activation": "gelu"}, "transformer-ffn-activation 'gelu'"),
        ({"transformer-postprocess-emb": "n"}, "transformer-postprocess-emb 'n'"),
        ({"right-left": True}, "right-left True"),
        ({"enc-depth": "six"}, "enc-depth is 'six'"),
        ({"dec-depth": 10**9}, "dec-depth is 1000000000"),
        ({"transformer-heads": 5}, "no multiple of 5 heads"),
        ({"dim-vocabs": [7]}, r"dim-vocabs is \[7\]"),
        ({"dim-vocabs": [120, 121]}, "one table for vocabularies of 120 and 121 pieces"),
        ({"transformer-guided-alignment-layer": "3"}, "transformer-guided-alignment-layer is 3, of 2 decoder layers"),
        ({"dim-emb": 64}, r"Wemb has shape \(\d+, 32\), not \(\d+, 64\)"),
        ({"enc-depth": 3}, "encoder_l3_ffn_W1 is missing"),
        ({"enc-depth": 1}, "encoder_l2_ffn_W1 is unexpected"),
    ],
)
def test_options_that_do_not_suit_are_refused(copy: Path, changes: dict[str, Any], cause: str) -> None:
    settings = _settings(copy)
    write_model(copy, "int8", weights_of(settings), {**settings, **changes})
    with pytest.raises(ExportError, match=cause):
        load_source_model(copy)


def test_multipliers_of_inputs_are_known_but_must_make_sense(copy: Path) -> None:
    settings = _settings(copy)
    weights = weights_of(settings)
    multipliers = {"encoder_l1_self_Wq_QuantMultA": 4.0, "none_QuantMultA": 8.0}
    arrays = {name: np.array([[value]], np.float32) for name, value in multipliers.items()}
    write_model(copy, "float32", weights | arrays, settings)
    load_source_model(copy)
    write_model(copy, "float32", weights | arrays | {"none_QuantMultA": np.array([[-1]], np.float32)}, settings)
    with pytest.raises(ExportError, match=r"none_QuantMultA is -1\.0"):
        load_source_model(copy)


def _other_vocabulary(folder: Path) -> None:
    write_student(folder.parent / "separate", separate=True)
    (folder.parent / "separate" / "trgvocab.enpt.spm").rename(folder / "vocab.enpt.spm")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (_other_vocabulary, r"vocab\.enpt\.spm has \d+ pieces, and the model's table \d+ rows"),
        (lambda folder: (folder / "vocab.enpt.spm").unlink(), r"a vocabulary is missing: vocab\*\.spm \(or srcvocab"),
        (lambda folder: (folder / "vocab.enpt.spm").write_bytes(b"spm"), r"vocab\.enpt\.spm is damaged"),
        (lambda folder: (folder / "lex.s2t.bin").write_bytes(b"lex"), r"lex\.s2t\.bin is damaged"),
        (lambda folder: (folder / "model.two.bin").write_bytes(b""), "a model several times: model"),
        (
            lambda folder: (folder / "model.enpt.bin").rename(folder / "model.enpt.bin.gz"),
            r"bin\.gz is damaged or no gzip",
        ),
        (lambda folder: (folder / "model.enpt.bin").rename(folder / "model.enpt.bin.zst"), "unpack it first"),
        (lambda folder: (folder / "config.yml").write_text("beam-size: ["), r"config\.yml is no YAML"),
        (lambda folder: (folder / "config.yml").write_text("beam-size: 99"), "beam-size 99"),
        (lambda folder: (folder / "model_info.json").write_text("{"), r"model_info\.json is no JSON"),
    ],
)
def test_damaged_folders_are_refused_by_file_and_cause(
    copy: Path, damage: Callable[[Path], object], cause: str
) -> None:
    damage(copy)
    with pytest.raises(ExportError, match=cause):
        load_source_model(copy)


def test_several_pairs_of_languages_are_refused(folder: Path) -> None:
    with pytest.raises(ExportError, match="one pair of languages, not 2"):
        load_source_model(folder, LoadOptions(None, (("en", "pt"), ("en", "fi"))))
