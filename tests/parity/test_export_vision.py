"""Captioners of `transformers`, exported and compared with the originals: every encoder, every decoder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import checks, families
from export.checks import Check
from export.exporting import ExportOptions, export
from export.families.source import SourceModel
from export.reference import half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Precision
from service.engine.request import Generation
from tests.unit.export.checkpoints import write_tiny_bundle
from tests.unit.export.vision_checkpoints import random_pixels, write_blip, write_vision

CHECKPOINTS: dict[str, dict[str, Any]] = {
    "vit gpt2": {"encoder_hidden_size": 32},
    "vit gpt2 of other widths": {"encoder_hidden_size": 48, "encoder_num_attention_heads": 2},
    "vit bert": {"decoder": "bert", "encoder_hidden_size": 32},
    "deit bert of other widths": {"encoder": "deit", "decoder": "bert"},
    "vit trocr": {"decoder": "trocr"},
    "beit gpt2": {"encoder": "beit", "encoder_use_relative_position_bias": True},
    "beit bert, shared distances": {
        "encoder": "beit",
        "decoder": "bert",
        "encoder_use_shared_relative_position_bias": True,
        "encoder_use_mean_pooling": False,
        "encoder_layer_scale_init_value": 0.0,
    },
    "beit bert, both positions": {
        "encoder": "beit",
        "decoder": "bert",
        "encoder_use_relative_position_bias": True,
        "encoder_use_absolute_position_embeddings": True,
    },
    "deit trocr, scaled, plain": {
        "encoder": "deit",
        "decoder": "trocr",
        "decoder_scale_embedding": True,
        "decoder_layernorm_embedding": False,
        "decoder_use_learned_position_embeddings": False,
        "decoder_activation_function": "relu",
    },
    "swin gpt2": {"encoder": "swin"},
    "swin bert, filled up": {
        "encoder": "swin",
        "decoder": "bert",
        "encoder_embed_dim": 32,
        "encoder_patch_size": 2,
        "encoder_window_size": 5,
        "encoder_use_absolute_embeddings": True,
        "encoder_qkv_bias": False,
    },
    "blip": {},
    "blip of equal widths": {"vision_hidden_size": 32, "text_encoder_hidden_size": 32, "text_hidden_act": "gelu_new"},
}
NUM_IMAGES = 4
TARGET_LENGTHS = (9, 1, 4, 6)


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module", params=CHECKPOINTS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    folder: Path = tmp_path_factory.mktemp("vision") / "checkpoint"
    return families.load(_write(folder, request.param))


def _write(folder: Path, name: str) -> Path:
    write = write_blip if name.startswith("blip") else write_vision
    return write(folder, **CHECKPOINTS[name])


@pytest.fixture(scope="module")
def graphs(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, ServingGraphs]:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")
    return {precision: ServingGraphs(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def targets(model: SourceModel) -> list[Ids]:
    """Of many lengths; each begins with the start token."""
    rng = np.random.default_rng(0)
    return [[model.target.start_id, *rng.integers(5, 140, length).tolist()] for length in TARGET_LENGTHS]


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.passed] == []


def test_every_step_equals(model, graphs, targets) -> None:
    images = random_pixels(NUM_IMAGES)
    expected = [model.reference.force(image, target) for image, target in zip(images, targets, strict=True)]
    _assert_all(checks.memory_equals(graphs["float32"], [model.reference.memory(s) for s in images], images))
    _assert_all(checks.steps_equal(expected, graphs["float32"].force(images, targets)))


def test_greedy_and_beam_outputs_equal(model, graphs) -> None:
    images, reference, start_id = random_pixels(NUM_IMAGES), model.reference, model.target.start_id
    expected = {k: [reference.generate(image, Generation(8, k)) for image in images] for k in (1, 4)}
    actual = {k: list(graphs["float32"].decode(images, num_beams=k, max_new_tokens=8)) for k in expected}
    _assert_all(checks.greedy_equals(reference, start_id, images, expected[1], actual[1]))
    _assert_all(checks.beams_equal(reference, start_id, images, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(graphs, targets, precision: Precision) -> None:
    images = random_pixels(NUM_IMAGES)
    _assert_all(checks.sound(graphs[precision], images, graphs[precision].force(images, targets)))
    _assert_all(checks.rows_independent(graphs[precision], images, targets))


def test_int8_is_close(graphs, targets) -> None:
    images = random_pixels(NUM_IMAGES)
    plain, small = (
        np.concatenate([forced.logits for forced in graphs[precision].force(images, targets)])
        for precision in ("float32", "int8")
    )
    assert np.abs(plain - small).mean() < 0.05 * plain.std()


@pytest.mark.parametrize("name", ["vit gpt2", "deit bert of other widths", "swin gpt2", "blip"])
def test_a_whole_export_passes_every_check(tmp_path, monkeypatch, name: str) -> None:
    """Files of pictures and texts too, against the checkpoint's own image processor and tokenizer."""
    monkeypatch.setattr("export.verify.NUM_SENTENCES", 3)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 8)
    model = families.load(_write(tmp_path / "checkpoint", name))
    manifest = export(model, tmp_path / "bundle", ExportOptions("seen", "1", ("float32",), {}), lambda _: None).manifest
    checked = manifest.verification["checks"]["inputs"]
    assert {"outputs written differently", "pixels: average difference from the original's, of 255"} <= checked.keys()
    assert manifest.verification["passed"]
    assert manifest.source.grid == (3, 3)
    assert manifest.max_source_tokens == manifest.source.first_position + 9
