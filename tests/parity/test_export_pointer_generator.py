"""The serving graphs against the pointer-generator in PyTorch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export import checks
from export.checks import Check
from export.exporting import ExportOptions, export
from export.families import pointer_generator
from export.families.source import SourceModel
from export.reference import half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Precision
from models.nets.pointer_generator import load_network
from service.engine.request import Generation
from service.engine.runner import StepBindings
from service.engine.slots import Array, Slots, SlotsShape
from tests.unit.export.checkpoints import write_tiny_bundle
from tests.unit.export.pointer_checkpoints import random_source, tiny_pointer_checkpoint

OPTIONS: list[dict[str, Any]] = [
    {},
    {"seed": 4, "embedding_width": 48, "encoder_width": 24, "decoder_width": 16, "attention_width": 32},
]
NUM_SOURCES = 7
MAX_SOURCE, MAX_TARGET = 17, 8


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module", params=OPTIONS, ids=str)
def model(request: pytest.FixtureRequest) -> SourceModel:
    return pointer_generator.from_checkpoint(tiny_pointer_checkpoint(**request.param))


@pytest.fixture(scope="module")
def graphs(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, ServingGraphs]:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")
    return {precision: ServingGraphs(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def inputs(model: SourceModel) -> tuple[list[Array], list[Ids]]:
    """Sources and targets of many lengths, one word among them; targets begin with the start token and hold copies."""
    rng = np.random.default_rng(0)
    sources = [random_source(rng, n) for n in (1, MAX_SOURCE, *rng.integers(2, MAX_SOURCE, NUM_SOURCES - 2))]
    lengths = (MAX_TARGET, 1, *rng.integers(1, MAX_TARGET, NUM_SOURCES - 2))
    targets: list[Ids] = [
        [model.target.start_id, *rng.integers(6, model.target.vocab_size + source.shape[1], n).tolist()]
        for source, n in zip(sources, lengths, strict=True)
    ]
    return sources, targets


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.passed] == []


def test_every_step_equals(model, graphs, inputs) -> None:
    sources, targets = inputs
    expected = [model.reference.force(s, t) for s, t in zip(sources, targets, strict=True)]
    assert len(model.reference.memory(sources[0])) == len(model.architecture.memory)
    _assert_all(checks.memory_equals(graphs["float32"], [model.reference.memory(s) for s in sources], sources))
    _assert_all(checks.steps_equal(expected, graphs["float32"].force(sources, targets)))


def test_greedy_and_beam_outputs_equal(model, graphs, inputs) -> None:
    sources, reference, start_id = inputs[0][:4], model.reference, model.target.start_id
    expected = {k: [reference.generate(s, Generation(8, k)) for s in sources] for k in (1, 4)}
    actual = {k: list(graphs["float32"].decode(sources, num_beams=k, max_new_tokens=8)) for k in expected}
    assert any(token >= model.target.vocab_size for output in expected[4] for token in output.tokens)
    _assert_all(checks.greedy_equals(reference, start_id, sources, expected[1], actual[1]))
    _assert_all(checks.beams_equal(reference, start_id, sources, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(graphs, inputs, precision: Precision) -> None:
    sources, targets = inputs
    _assert_all(checks.sound(graphs[precision], sources, graphs[precision].force(sources, targets)))
    _assert_all(checks.rows_independent(graphs[precision], sources, targets))


def test_int8_is_close(graphs, inputs) -> None:
    plain, small = (
        np.concatenate([np.exp(forced.logits).ravel() for forced in graphs[precision].force(*inputs)])
        for precision in graphs
    )
    assert np.abs(plain - small).mean() < 0.05 * plain.std()


def _first_candidates(graphs: ServingGraphs, sources: Sequence[Array]) -> Array:
    """What the first step proposes: log-probabilities of all candidates by id."""
    bucket = max(source.shape[1] for source in sources) + 3
    slots = Slots(graphs.manifest, SlotsShape(len(sources), 1, source=bucket, capacity=4))
    memory = graphs.encode(sources)
    for row, source in enumerate(sources):
        slots.write(row, memory, row, source.shape[1], graphs.manifest.target.start_id)
    num_candidates = graphs.manifest.target.vocab_size + bucket
    output = graphs._runner.step(slots, len(sources), num_candidates, StepBindings())
    assert not output.log_normalizer.any()
    log_probs = np.empty_like(output.candidate_logits)
    np.put_along_axis(log_probs, output.candidate_ids, output.candidate_logits, axis=1)
    return log_probs


def test_every_word_stands_under_one_id(model, graphs, inputs) -> None:
    """The contract of docs/bundle.md, "Copying", against a count by hand."""
    sources, size = inputs[0], model.target.vocab_size
    log_probs, weights = _first_candidates(graphs["float32"], sources), model.architecture.weights
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, atol=1e-5)
    net = load_network(weights.config.to_json(), {name: torch.from_numpy(x) for name, x in weights.weights.items()})
    copied_something = said_something = False
    for row, (ids, words) in enumerate(sources):
        with torch.inference_mode():
            memory = net.encode(torch.tensor(ids)[None], torch.ones(1, len(ids), dtype=torch.bool))
            decoded = net.decode(torch.tensor([[model.target.start_id]]), memory)
            p_generate = float(net.pointer.p_generate(decoded.context, decoded.hidden, decoded.inputs))
            logits = net.logits(decoded)[0, 0].numpy()
        special = set(model.target.special_ids) - set(model.target.end_ids)
        logits[list(special)] = -np.inf
        copied = (1 - p_generate) * decoded.weights[0, 0].numpy()
        say = p_generate + copied[0]  # what looks at the style's token copies nothing
        said = say * np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        seen = np.full(size + len(ids), -np.inf)
        seen[:size] = np.where(said > 0, np.log(np.maximum(said, 1e-30)), -np.inf)
        for position in range(1, len(ids)):
            if words[position] != position:
                continue
            share, own = copied[words == position].sum(), ids[position]
            is_unknown = own == weights.config.unknown_id
            total = share + (0 if is_unknown else said[own])
            by_copying = is_unknown or share > said[own]
            seen[size + position if by_copying else own] = np.log(total)
            if by_copying and not is_unknown:
                seen[own] = -np.inf
            copied_something |= bool(by_copying)
            said_something |= not by_copying
        np.testing.assert_allclose(log_probs[row, : len(seen)], seen, rtol=1e-3, atol=1e-3)
        assert np.isneginf(log_probs[row, len(seen) :]).all()
    assert copied_something
    assert said_something


def test_a_copied_word_is_read_as_itself(model, graphs, inputs) -> None:
    """After a copy of a known word, a model goes on as after the word."""
    source, size = inputs[0][1], model.target.vocab_size
    known = next(p for p, (i, w) in enumerate(source.T) if w == p and i >= 6)
    start_id, plain = model.target.start_id, graphs["float32"]
    by_copy, by_word = plain.force([source, source], [[start_id, size + known], [start_id, int(source[0, known])]])
    np.testing.assert_array_equal(by_copy.logits[1], by_word.logits[1])


def test_a_verified_bundle_is_written(tmp_path: Path) -> None:
    model = pointer_generator.from_checkpoint(tiny_pointer_checkpoint())
    options = ExportOptions(name="tiny", version="1", precisions=["float32"], dev={})
    bundle = export(model, tmp_path / "bundle", options, lambda _: None)
    assert bundle.manifest.verification["passed"]
    assert bundle.manifest.target.copies
    assert bundle.manifest.styles == ("subject", "headline")
