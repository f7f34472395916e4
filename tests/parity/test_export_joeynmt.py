"""The manifests of JoeyNMT checkpoints, and refusals; `test_families.py` exports and serves them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model

CHECKPOINT = Path(__file__).parents[1] / "data" / "joeynmt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"]["decoder"].update(input_feeding=False), "input_feeding False"),
        (lambda c: c["model"]["decoder"].update(rnn_type="lstm"), "rnn_type that differs"),
        (lambda c: c["model"]["decoder"].update(init_hidden="last", hidden_size=16), "not supported: start 'last'"),
    ],
)
def test_unsupported_options_of_recurrent_models_are_named(tmp_path, change, message: str) -> None:
    folder = _changed(CHECKPOINT.with_name("joeynmt_recurrent") / "gru-bahdanau", tmp_path, change)
    with pytest.raises(ExportError, match=message):
        load_source_model(folder)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("joeynmt", ("decoder.layers.0.x_layer_norm.weight", "encoder.layers.1.src_src_att.k_layer.weight")),
        ("joeynmt_recurrent/gru-bahdanau", ("decoder.att_vector_layer.weight", "decoder.rnn.weight_hh_l0")),
        ("joeynmt_recurrent/lstm-luong", ("encoder.rnn.bias_ih_l0_reverse", "trg_embed.lut.weight")),
    ],
)
def test_all_missing_weights_are_named(tmp_path, name: str, missing: tuple[str, ...]) -> None:
    folder = Path(shutil.copytree(CHECKPOINT.parent / name, tmp_path / "joey"))
    content = torch.load(folder / "best.ckpt", weights_only=True)
    for weight in missing:
        del content["model_state"][weight]
    content["model_state"]["decoder.extra.weight"] = torch.zeros(1)
    torch.save(content, folder / "best.ckpt")
    with pytest.raises(ExportError) as error:
        load_source_model(folder)
    assert f"weights are missing: {', '.join(missing)}" in str(error.value)
    if "trg_embed.lut.weight" not in missing:  # without the table, the shapes of other weights are unknown
        assert "unexpected weights: decoder.extra.weight" in str(error.value)


def test_the_manifest() -> None:
    model = load_source_model(CHECKPOINT)
    assert (model.family, model.task) == ("joeynmt-transformer", "translation")
    assert (model.source_languages, model.target_languages) == (("en",), ("xx",))
    assert (model.generation.num_beams, model.generation.max_new_tokens) == (4, 12)
    assert load_source_model(CHECKPOINT, LoadOptions(languages=(("en", "de"),))).target_languages == ("de",)


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
def test_unsupported_options_are_named(tmp_path, change: Callable[[Any], None], message: str) -> None:
    folder = _changed(CHECKPOINT, tmp_path, change)
    with pytest.raises(ExportError, match=message):
        load_source_model(folder)


def _changed(checkpoint: Path, tmp_path: Path, change: Callable[[Any], None]) -> Path:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "joey"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder
