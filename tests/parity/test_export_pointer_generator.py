"""Copying; `test_graphs.py` compares the graphs of models that copy with the originals."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from regard.arrays import Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import pointer_generator
from regard_export.resources.threads import half_of_torch_threads
from regard_models.nets.pointer_generator import load_network
from regard_service.engine.runtime.runner import StepBindings
from regard_service.engine.runtime.slots import Slots, SlotsShape
from tests.parity.families.variants import POINTERS
from tests.unit.export.pointer_checkpoints import random_source, tiny_pointer_checkpoint
from tests.unit.export.transformer_checkpoints import write_tiny_bundle

NUM_SOURCES, MAX_SOURCE = 7, 17


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


@pytest.fixture(scope="module", params=POINTERS, ids=str)
def model(request: pytest.FixtureRequest) -> SourceModel:
    return pointer_generator.from_checkpoint(tiny_pointer_checkpoint(**request.param))


@pytest.fixture(scope="module")
def engine(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> VariantEngine:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32")
    return VariantEngine(bundle, "float32")


@pytest.fixture(scope="module")
def sources() -> list[Array]:
    """Sources of many lengths, among them a single word."""
    rng = np.random.default_rng(0)
    return [random_source(rng, n) for n in (1, MAX_SOURCE, *rng.integers(2, MAX_SOURCE, NUM_SOURCES - 2))]


def _first_candidates(engine: VariantEngine, sources: Sequence[Array]) -> Array:
    """Log-probabilities of the first step, of all candidates by id."""
    bucket = max(source.shape[1] for source in sources) + 3
    slots = Slots(engine.manifest, SlotsShape(len(sources), 1, source=bucket, capacity=4))
    memory = engine.encode(sources)
    lengths = [source.shape[1] for source in sources]
    slots.write(range(len(sources)), memory, lengths, engine.manifest.target.start_id)
    num_candidates = engine.manifest.target.vocab_size + bucket
    output = engine._runner.step(slots, len(sources), num_candidates, StepBindings())
    assert not output.log_normalizer.any()
    log_probs = np.empty_like(output.candidate_logits)
    np.put_along_axis(log_probs, output.candidate_ids, output.candidate_logits, axis=1)
    return log_probs


def test_every_word_has_its_probability_under_one_id(model, engine, sources) -> None:
    """The contract of docs/bundle.md, "Copying", against an independent computation."""
    size = model.target.vocab_size
    log_probs, description = _first_candidates(engine, sources), model.architecture.description
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, atol=1e-5)
    net = load_network(
        description.config.to_json(), {name: torch.from_numpy(x) for name, x in description.weights.items()}
    )
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
        say = p_generate + copied[0]  # attention to the style's token copies nothing
        said = say * np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        seen = np.full(size + len(ids), -np.inf)
        seen[:size] = np.where(said > 0, np.log(np.maximum(said, 1e-30)), -np.inf)
        for position in range(1, len(ids)):
            if words[position] != position:
                continue
            share, own = copied[words == position].sum(), ids[position]
            is_unknown = own == description.config.unknown_id
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


def test_a_copied_word_is_read_as_itself(model, engine, sources) -> None:
    """A model continues after a copy of a known word as after the word itself."""
    source, size = sources[1], model.target.vocab_size
    known = next(p for p, (i, w) in enumerate(source.T) if w == p and i >= 6)
    start_id = model.target.start_id
    by_copy, by_word = engine.teacher_force(
        [source, source], [[start_id, size + known], [start_id, int(source[0, known])]]
    )
    np.testing.assert_array_equal(by_copy.logits[1], by_word.logits[1])
