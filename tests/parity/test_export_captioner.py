"""The serving graphs against the captioners in PyTorch: each decoder, each kind of attention, each block."""

from collections.abc import Iterator

import numpy as np
import pytest

from export import checks
from export.checks import Check
from export.families import captioner
from export.families.source import SourceModel
from export.reference import half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Precision
from models.nets.captioner_family import CaptionerConfig
from service.engine.request import Generation
from tests.unit.export.captioner_checkpoints import (
    ALL_BLOCKS,
    tiny_captioner_checkpoint,
    tiny_lstm,
    tiny_pixels,
    tiny_transformer,
)
from tests.unit.export.checkpoints import write_tiny_bundle

CONFIGS: dict[str, CaptionerConfig] = {
    "lstm soft": tiny_lstm(),
    "lstm hard": tiny_lstm(attention="hard"),
    "lstm straight_through": tiny_lstm(attention="straight_through", blocks=ALL_BLOCKS),
    **{f"lstm soft {block}": tiny_lstm(blocks=(block,)) for block in ALL_BLOCKS},
    "transformer": tiny_transformer(),
    "transformer without encoder": tiny_transformer(encoder_layers=0, norm="post", final_norm=False),
    "transformer with blocks": tiny_transformer(blocks=ALL_BLOCKS, encoder_layers=1, positions="learned"),
}
NUM_IMAGES = 5
TARGET_LENGTHS = (9, 1, 4, 6, 2)


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS.keys())
def model(request: pytest.FixtureRequest) -> SourceModel:
    return captioner.from_checkpoint(tiny_captioner_checkpoint(request.param))


@pytest.fixture(scope="module")
def graphs(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, ServingGraphs]:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")
    return {precision: ServingGraphs(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def targets() -> list[Ids]:
    """Of many lengths; each begins with the start token."""
    rng = np.random.default_rng(0)
    return [[1, *rng.integers(6, 400, length).tolist()] for length in TARGET_LENGTHS]


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.passed] == []


def test_every_step_equals(model, graphs, targets) -> None:
    images = tiny_pixels(NUM_IMAGES)
    expected = [model.reference.force(image, target) for image, target in zip(images, targets, strict=True)]
    _assert_all(checks.memory_equals(graphs["float32"], [model.reference.memory(s) for s in images], images))
    _assert_all(checks.steps_equal(expected, graphs["float32"].force(images, targets)))


def test_greedy_and_beam_outputs_equal(model, graphs) -> None:
    images, reference, start_id = tiny_pixels(3), model.reference, model.target.start_id
    expected = {k: [reference.generate(image, Generation(8, k)) for image in images] for k in (1, 4)}
    actual = {k: list(graphs["float32"].decode(images, num_beams=k, max_new_tokens=8)) for k in expected}
    _assert_all(checks.greedy_equals(reference, start_id, images, expected[1], actual[1]))
    _assert_all(checks.beams_equal(reference, start_id, images, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(graphs, targets, precision: Precision) -> None:
    images = tiny_pixels(NUM_IMAGES)
    _assert_all(checks.sound(graphs[precision], images, graphs[precision].force(images, targets)))
    _assert_all(checks.rows_independent(graphs[precision], images, targets))


def test_hard_attention_looks_at_one_position(tmp_path) -> None:
    model = captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_lstm(attention="hard")))
    graphs = ServingGraphs(write_tiny_bundle(tmp_path / "bundle", model, "float32"), "float32")
    [forced] = graphs.force(tiny_pixels(1), [[1, 7, 8, 9]])
    assert set(np.unique(forced.cross_attention)) == {0.0, 1.0}
    assert (forced.cross_attention.sum(-1) == 1).all()
