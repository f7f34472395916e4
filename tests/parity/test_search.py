"""Search against `transformers` generate, on tiny models with random weights: the same tokens and the same scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    LogitsProcessorList,
    MarianConfig,
    MarianMTModel,
    T5Config,
    T5ForConditionalGeneration,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.modeling_outputs import BaseModelOutput

from regard.arrays import Int64Array
from regard_service.engine.search.outcome import Hypothesis
from regard_service.engine.search.sampling import probabilities
from regard_service.engine.search.search import Search, open_search
from regard_service.generation import EarlyStopping, Generation, Sampling

VOCAB_SIZE = 211
END_ID = 2
PAD_ID = 1
NUM_SOURCES = 3
MAX_TARGET_TOKENS = 24
EARLY_STOPPING: dict[EarlyStopping, bool | str] = {"heuristic": False, "first": True, "never": "never"}
NUM_BEAMS = (1, 2, 4, 5)


@dataclass(frozen=True)
class Model:
    """A reference model, a few sources and what the encoder made of each."""

    net: Any  # of transformers, whose types do not say that it can be called
    start_id: int
    end_ids: tuple[int, ...]
    encoded: tuple[torch.Tensor, ...]

    def logits(self, sources: Sequence[int], prefixes: Int64Array) -> torch.Tensor:
        """Decodes whole prefixes anew; returns the next token's logits.

        Args:
            sources: of each slot.
            prefixes: int64 [slots, tokens].

        Returns:
            float32 [slots, vocab].
        """
        states = torch.cat([self.encoded[source] for source in sources])
        with torch.no_grad():
            logits: torch.Tensor = self.net(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                decoder_input_ids=torch.from_numpy(prefixes),
                use_cache=False,
            ).logits
        return logits[:, -1].float()

    def reference(self, source: int, generation: Generation) -> tuple[list[list[int]], list[float]]:
        """What `generate` returns: tokens behind the start token, up to the end, and scores (none without beams)."""
        with torch.no_grad():
            output = self.net.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=self.encoded[source]),
                generation_config=_generation_config(self, generation),
            )
        scores = [] if output.get("sequences_scores") is None else output.sequences_scores.tolist()
        return [self._trim(sequence) for sequence in output.sequences.tolist()], scores

    def _trim(self, sequence: list[int]) -> list[int]:
        tokens = sequence[1:]
        ends = [position for position, token in enumerate(tokens) if token in self.end_ids]
        return tokens[: ends[0] + 1] if ends else tokens


def _generation_config(model: Model, generation: Generation) -> GenerationConfig:
    options: dict[str, Any] = {
        "num_beams": generation.num_beams,
        "num_return_sequences": generation.num_return_sequences,
        "max_new_tokens": generation.max_new_tokens,
        "min_new_tokens": generation.min_new_tokens or None,
        "no_repeat_ngram_size": generation.no_repeat_ngram_size,
        "repetition_penalty": generation.repetition_penalty,
        "forced_bos_token_id": generation.forced_first_id,
        "decoder_start_token_id": model.start_id,
        "eos_token_id": list(model.end_ids),
        "pad_token_id": PAD_ID,
        "do_sample": False,
        "output_scores": True,
        "return_dict_in_generate": True,
    }
    if generation.num_beams > 1:
        options["length_penalty"] = generation.length_penalty
        options["early_stopping"] = EARLY_STOPPING[generation.early_stopping]
    make: Any = GenerationConfig  # has no types
    config: GenerationConfig = make(**options)
    return config


def _head(head: torch.nn.Linear, spread: float, end_bias: float, end_ids: tuple[int, ...]) -> torch.nn.Linear:
    """An output layer whose logits spread more, and that ends more readily."""
    wider = torch.nn.Linear(head.in_features, head.out_features)
    with torch.no_grad():
        wider.weight.normal_(std=spread)
        wider.bias.zero_()
        wider.bias[list(end_ids)] = end_bias
    return wider


def _build(family: str, seed: int, spread: float, end_bias: float, end_ids: tuple[int, ...] = (END_ID,)) -> Model:
    """A small model; `spread` sets how peaked its distributions are, `end_bias` how early it ends."""
    torch.manual_seed(seed)
    start_id = END_ID if family == "bart" else PAD_ID
    common: dict[str, Any] = {
        "d_model": 32,
        "vocab_size": VOCAB_SIZE,
        "pad_token_id": PAD_ID,
        "eos_token_id": END_ID,
        "decoder_start_token_id": start_id,
        "forced_eos_token_id": None,
    }
    if family == "t5":
        t5 = T5Config(d_kv=8, d_ff=48, num_layers=1, num_heads=4, initializer_factor=2.0, **common)
        net: Any = T5ForConditionalGeneration(t5)
    else:
        for side in ("encoder", "decoder"):
            common |= {f"{side}_layers": 2, f"{side}_attention_heads": 4, f"{side}_ffn_dim": 48}
        common |= {"init_std": 0.5, "max_position_embeddings": 64}
        net = (
            BartForConditionalGeneration(BartConfig(bos_token_id=0, **common))
            if family == "bart"
            else MarianMTModel(MarianConfig(**common))
        )
    net.lm_head = _head(net.lm_head, spread, end_bias, end_ids)
    # In double precision both sides round the same numbers, so that a near tie does not decide a comparison.
    net = net.double().eval()
    generator = torch.Generator().manual_seed(seed)
    # Of one length, so that the harness decodes them together; `generate` sees one at a time.
    sources = [torch.randint(3, VOCAB_SIZE, (1, 6), generator=generator) for _ in range(NUM_SOURCES)]
    with torch.no_grad():
        encoded = tuple(net.get_encoder()(source).last_hidden_state for source in sources)
    return Model(net, start_id, end_ids, encoded)


def _spec_id(spec: tuple[Any, ...]) -> str:
    return "-".join(map(str, spec))


# Family, seed, spread, end_bias, end ids.
MODELS: list[tuple[Any, ...]] = [  # such that hypotheses end early, late and not at all
    ("marian", 2, 0.3, 2.5),
    ("bart", 1, 0.8, 2.0),
    ("bart", 3, 0.1, 1.0),
    ("t5", 1, 0.8, 3.0),
    ("t5", 0, 0.8, 4.0),
    ("marian", 3, 0.1, 1.5, (END_ID, 7, 9)),
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads only cost time at this size."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture(scope="module", params=MODELS, ids=_spec_id)
def model(request: pytest.FixtureRequest) -> Model:
    return _build(*request.param)


@dataclass
class Row:
    """A live request of the harness: which source it has and its slots' tokens, int64 [beams, 1 + tokens]."""

    name: int
    source: int
    prefixes: Int64Array


@dataclass(frozen=True)
class Job:
    """A request: after how many steps of the batch it joins, its source, its options."""

    joins: int
    source: int
    generation: Generation


def run(model: Model, jobs: Sequence[Job]) -> list[list[Hypothesis]]:
    """Serves all jobs in one running batch, as the engine does; their results in order."""
    num_beams = jobs[0].generation.num_beams
    search = open_search(
        num_beams,
        max_requests=len(jobs),
        max_target_tokens=MAX_TARGET_TOKENS,
        vocab_size=VOCAB_SIZE,
        start_id=model.start_id,
        end_ids=model.end_ids,
    )
    waiting = sorted(range(len(jobs)), key=lambda name: jobs[name].joins)
    results: dict[int, list[Hypothesis]] = {}
    live: list[Row] = []
    step = 0
    while waiting or live:
        while waiting and jobs[waiting[0]].joins <= step:
            name = waiting.pop(0)
            search.admit(len(live), jobs[name].generation)
            live.append(Row(name, jobs[name].source, np.full((num_beams, 1), model.start_id, np.int64)))
        if live:
            _step(model, search, live, results)
        step += 1
    return [results[name] for name in range(len(jobs))]


def _logits(model: Model, live: list[Row]) -> torch.Tensor:
    """All slots' logits, float32 [slots, vocab]; rows that are equally far are decoded together."""
    logits: dict[int, torch.Tensor] = {}
    for length in {row.prefixes.shape[1] for row in live}:
        rows = [row for row in live if row.prefixes.shape[1] == length]
        sources = [row.source for row in rows for _ in row.prefixes]
        together = model.logits(sources, np.concatenate([row.prefixes for row in rows]))
        logits.update(zip([row.name for row in rows], together.split(len(rows[0].prefixes)), strict=True))
    return torch.cat([logits[row.name] for row in live])


def _step(model: Model, search: Search, live: list[Row], results: dict[int, list[Hypothesis]]) -> None:
    """One step of all live rows; finished ones leave, the last row closing the gap."""
    logits = _logits(model, live)
    best = logits.topk(search.num_candidates(len(live)))
    normalizer = logits.logsumexp(-1)
    advance = search.advance(len(live), best.values.numpy(), best.indices.numpy(), normalizer.numpy())

    for index, row in enumerate(live):
        slots = slice(index * search.num_beams, (index + 1) * search.num_beams)
        parents = advance.parents[slots] - index * search.num_beams
        row.prefixes = np.concatenate([row.prefixes[parents], advance.tokens[slots, None]], axis=1)
    for index in reversed(np.flatnonzero(advance.finished).tolist()):
        results[live[index].name] = search.hypotheses(index)
        last = live.pop()
        if index < len(live):
            search.move(len(live), index)
            live[index] = last


def assert_same(model: Model, source: int, generation: Generation, hypotheses: list[Hypothesis]) -> None:
    tokens, scores = model.reference(source, generation)
    assert [h.tokens.tolist() for h in hypotheses] == tokens
    if scores:
        np.testing.assert_allclose([h.score for h in hypotheses], scores, atol=1e-4)
    for hypothesis in hypotheses:
        assert_logprobs(model, source, generation, hypothesis)
        ended = hypothesis.tokens[-1] in model.end_ids
        assert hypothesis.finish_reason == ("end" if ended else "length")
        assert len(hypothesis.tokens) == len(hypothesis.logprobs) == len(hypothesis.path)


def assert_logprobs(model: Model, source: int, generation: Generation, hypothesis: Hypothesis) -> None:
    """Log-probabilities are the model's own, whatever the search made of them."""
    prefix = np.append(model.start_id, hypothesis.tokens[:-1])[None]
    with torch.no_grad():
        logits = model.net(
            encoder_outputs=BaseModelOutput(last_hidden_state=model.encoded[source]),
            decoder_input_ids=torch.from_numpy(prefix),
        ).logits[0]
    expected = logits.log_softmax(-1).numpy()[np.arange(len(hypothesis.tokens)), hypothesis.tokens]
    if generation.forced_first_id is not None:
        expected[0] = 0.0
    np.testing.assert_allclose(hypothesis.logprobs, expected, atol=1e-4)


def compare(model: Model, generations: Sequence[Generation]) -> None:
    """Every source with each of the options, all options that share a number of beams in one batch."""
    jobs = [Job(0, source, generation) for generation in generations for source in range(len(model.encoded))]
    for job, hypotheses in zip(jobs, run(model, jobs), strict=True):
        assert_same(model, job.source, job.generation, hypotheses)


@pytest.mark.parametrize("num_beams", NUM_BEAMS)
def test_early_stopping_and_length_penalty(model: Model, num_beams: int) -> None:
    compare(
        model,
        [
            Generation(14, num_beams, early_stopping=early_stopping, length_penalty=penalty)
            for early_stopping, penalty in product(EARLY_STOPPING, (0.6, 1.0, 2.0))
        ],
    )


@pytest.mark.parametrize("num_beams", NUM_BEAMS)
def test_constraints(model: Model, num_beams: int) -> None:
    options = product((0, 6), (0, 1, 2), (0.7, 1.0, 1.4))
    compare(
        model,
        [
            Generation(
                12, num_beams, min_new_tokens=min_new, no_repeat_ngram_size=ngram_size, repetition_penalty=penalty
            )
            for min_new, ngram_size, penalty in options
        ],
    )


@pytest.mark.parametrize("num_beams", NUM_BEAMS)
def test_forced_first_token(model: Model, num_beams: int) -> None:
    plain = Generation(8, num_beams, forced_first_id=17)
    compare(model, [plain, replace(plain, min_new_tokens=4, no_repeat_ngram_size=2), replace(plain, max_new_tokens=2)])


@pytest.mark.parametrize("num_beams", NUM_BEAMS)
def test_lengths_and_return_sequences(model: Model, num_beams: int) -> None:
    compare(
        model,
        [
            Generation(max_new, num_beams, num_return_sequences=returned)
            for max_new in (1, 2, 5, MAX_TARGET_TOKENS)
            for returned in {1, max(1, num_beams - 1), num_beams}
        ],
    )


def _mixed_jobs(num_beams: int, seed: int, count: int = 12) -> list[Job]:
    """Jobs with options of every kind, which join one after the other."""
    choose = np.random.default_rng(seed)
    early_stopping = list(EARLY_STOPPING)
    return [
        Job(
            joins=2 * index // 3,
            source=index % NUM_SOURCES,
            generation=Generation(
                max_new_tokens=int(choose.integers(3, MAX_TARGET_TOKENS)),
                num_beams=num_beams,
                num_return_sequences=int(choose.integers(1, num_beams + 1)),
                min_new_tokens=int(choose.integers(0, 3)),
                length_penalty=float(choose.choice([-0.5, 0.0, 0.8, 1.5])),
                early_stopping=early_stopping[choose.integers(3)],
                no_repeat_ngram_size=int(choose.choice([0, 0, 2, 3])),
                repetition_penalty=float(choose.choice([1.0, 1.0, 1.2])),
                forced_first_id=int(choose.integers(3, VOCAB_SIZE)) if index % 3 == 0 else None,
            ),
        )
        for index in range(count)
    ]


@pytest.mark.parametrize("num_beams", NUM_BEAMS)
def test_requests_that_join_at_different_steps(model: Model, num_beams: int) -> None:
    jobs = _mixed_jobs(num_beams, seed=num_beams)
    for job, hypotheses in zip(jobs, run(model, jobs), strict=True):
        assert_same(model, job.source, job.generation, hypotheses)
        [alone] = run(model, [replace(job, joins=0)])
        for ours, theirs in zip(hypotheses, alone, strict=True):
            np.testing.assert_array_equal(ours.tokens, theirs.tokens)
            np.testing.assert_array_equal(ours.path, theirs.path)
            np.testing.assert_allclose(ours.score, theirs.score, atol=1e-5)


SAMPLINGS = [
    Sampling(temperature=0.7),
    Sampling(temperature=1.5, top_k=5),
    Sampling(top_p=0.8),
    Sampling(top_p=1e-6),
    Sampling(temperature=0.9, top_k=20, top_p=0.6),
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_distribution_that_is_sampled_from(sampling: Sampling) -> None:
    logits = torch.randn(50, VOCAB_SIZE, generator=torch.Generator().manual_seed(0)) * 2
    warpers = LogitsProcessorList()
    if sampling.temperature != 1.0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    expected = warpers(torch.LongTensor(50, 0), torch.FloatTensor(logits)).softmax(-1)

    ordered = logits.sort(descending=True)
    for row in range(50):
        ours = probabilities(ordered.values[row].numpy(), sampling)
        np.testing.assert_allclose(ours, expected[row, ordered.indices[row]], atol=1e-5)


@pytest.mark.parametrize("sampling", SAMPLINGS[:3], ids=str)
def test_samples_do_not_depend_on_neighbours(sampling: Sampling) -> None:
    model = _build("marian", 3, 0.1, 1.5)
    jobs = [
        Job(joins=index, source=index % NUM_SOURCES, generation=Generation(10, sampling=replace(sampling, seed=index)))
        for index in range(5)
    ]
    jobs += [Job(3, 0, Generation(10)), Job(4, 1, Generation(10, repetition_penalty=1.2, sampling=sampling))]
    together = run(model, jobs)
    for job, [ours] in zip(jobs, together, strict=True):
        [[alone]] = run(model, [replace(job, joins=0)])
        np.testing.assert_array_equal(ours.tokens, alone.tokens)
    assert len({tuple(ours.tokens) for [ours] in together}) > 1
    assert_same(model, 0, jobs[5].generation, together[5])
