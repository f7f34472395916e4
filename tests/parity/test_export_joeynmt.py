"""A checkpoint that JoeyNMT made, exported without JoeyNMT (see tests/data/joeynmt/make.py)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from export import families
from export.errors import ExportError
from export.exporting import ExportOptions, export
from export.families.source import Wanted
from export.reference import half_of_the_threads
from export.serving import ServingGraphs
from tests.parity import test_export_families

CHECKPOINT = Path(test_export_families.__file__).parents[1] / "data" / "joeynmt"
RECURRENT = ("gru-bahdanau", "lstm-luong")
SOURCES = ("Thank you!", "I have never been to the sea.")


@pytest.fixture
def expected() -> Any:
    """What JoeyNMT computed."""
    with np.load(CHECKPOINT / "expected.npz") as file:
        return dict(file)


def test_the_graphs_compute_what_joeynmt_computed(tmp_path, expected, monkeypatch) -> None:
    monkeypatch.setattr("export.verify.NUM_SENTENCES", 3)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 8)
    with half_of_the_threads():
        model = families.load(CHECKPOINT)
        bundle = export(model, tmp_path / "out", ExportOptions("joey", "1", ("float32",), {}), lambda _: None)
    assert bundle.manifest.verification["passed"]
    graphs = ServingGraphs(bundle, "float32")
    for number, text in enumerate(SOURCES):
        source, target = expected[f"source_{number}"].tolist(), expected[f"target_{number}"].tolist()
        assert model.reference.tokenize(text, "xx") == source
        (forced,) = graphs.force([source], [target])
        np.testing.assert_allclose(forced.logits, expected[f"logits_{number}"], atol=1e-3)
        (greedy,) = graphs.decode([source], num_beams=1, max_new_tokens=len(target) - 1)
        assert greedy.hypothesis.tokens.tolist() == target[1:]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_graphs_compute_what_joeynmt_computed(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.setattr("export.verify.NUM_SENTENCES", 3)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 8)
    folder = CHECKPOINT.with_name("joeynmt_recurrent") / name
    with half_of_the_threads():
        model = families.load(folder)
        bundle = export(model, tmp_path / "out", ExportOptions("joey", "1", ("float32",), {}), lambda _: None)
    assert (model.family, bundle.manifest.verification["passed"]) == ("joeynmt-recurrent", True)
    graphs = ServingGraphs(bundle, "float32")
    with np.load(folder / "expected.npz") as file:
        expected = dict(file)
    for number, text in enumerate(SOURCES):
        source, target = expected[f"source_{number}"].tolist(), expected[f"target_{number}"].tolist()
        assert model.reference.tokenize(text, "xx") == source
        (forced,) = graphs.force([source], [target])
        np.testing.assert_allclose(forced.logits, expected[f"logits_{number}"], atol=1e-4)
        np.testing.assert_allclose(forced.cross_attention[0, 0], expected[f"attention_{number}"], atol=1e-5)
        (greedy,) = graphs.decode([source], num_beams=1, max_new_tokens=len(target) - 1)
        assert greedy.hypothesis.tokens.tolist() == target[1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"]["decoder"].update(input_feeding=False), "input_feeding False"),
        (lambda c: c["model"]["decoder"].update(rnn_type="lstm"), "rnn_type that differs"),
        (lambda c: c["model"]["decoder"].update(init_hidden="last", hidden_size=16), "not supported: start 'last'"),
    ],
)
def test_what_is_not_supported_of_recurrent_models_is_named(tmp_path, change, message: str) -> None:
    folder = _changed(CHECKPOINT.with_name("joeynmt_recurrent") / RECURRENT[0], tmp_path, change)
    with pytest.raises(ExportError, match=message):
        families.load(folder)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("joeynmt", ("decoder.layers.0.x_layer_norm.weight", "encoder.layers.1.src_src_att.k_layer.weight")),
        ("joeynmt_recurrent/gru-bahdanau", ("decoder.att_vector_layer.weight", "decoder.rnn.weight_hh_l0")),
        ("joeynmt_recurrent/lstm-luong", ("encoder.rnn.bias_ih_l0_reverse", "trg_embed.lut.weight")),
    ],
)
def test_weights_that_are_missing_are_named_all_at_once(tmp_path, name: str, missing: tuple[str, ...]) -> None:
    folder = Path(shutil.copytree(CHECKPOINT.parent / name, tmp_path / "joey"))
    content = torch.load(folder / "best.ckpt", weights_only=True)
    for weight in missing:
        del content["model_state"][weight]
    content["model_state"]["decoder.extra.weight"] = torch.zeros(1)
    torch.save(content, folder / "best.ckpt")
    with pytest.raises(ExportError) as told:
        families.load(folder)
    assert f"weights are missing: {', '.join(missing)}" in str(told.value)
    if "trg_embed.lut.weight" not in missing:  # without a table, little else is known
        assert "no place for: decoder.extra.weight" in str(told.value)


def test_what_the_manifest_says() -> None:
    model = families.load(CHECKPOINT)
    assert (model.family, model.task) == ("joeynmt-transformer", "translation")
    assert (model.source_languages, model.target_languages) == (("en",), ("xx",))
    assert (model.generation.num_beams, model.generation.max_new_tokens) == (4, 12)
    assert families.load(CHECKPOINT, Wanted(languages=(("en", "de"),))).target_languages == ("de",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"]["decoder"].update(type="convolution"), "decoder type 'convolution'"),
        (lambda c: c["model"]["decoder"].update(activation="tanh"), "decoder activation 'tanh'"),
        (lambda c: c["data"]["src"].update(lowercase=True), "src lowercase"),
        (lambda c: c["data"]["trg"].update(tokenizer_type="subword-nmt"), "trg tokenizer_type 'subword-nmt'"),
        (lambda c: c["data"]["trg"].update(voc_file="/elsewhere/none.txt"), "lacks none.txt"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, change: Callable[[Any], None], message: str) -> None:
    folder = _changed(CHECKPOINT, tmp_path, change)
    with pytest.raises(ExportError, match=message):
        families.load(folder)


def _changed(checkpoint: Path, tmp_path: Path, change: Callable[[Any], None]) -> Path:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "joey"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder
