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
    MarianConfig,
    MarianMTModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from service.decoding.outcome import Hypothesis
from service.decoding.search import Search, open_search
from service.engine.request import EarlyStopping, Generation, Int64Array

VOCAB_SIZE = 211
END_ID = 2
PAD_ID = 1
BATCH_ROWS = 4
MAX_TARGET_TOKENS = 24
EARLY_STOPPING: dict[EarlyStopping, bool | str] = {"heuristic": False, "first": True, "never": "never"}
NUM_BEAMS = (1, 2, 4, 5)


@dataclass(frozen=True)
class Model:
    """A reference model, a few sources and what the encoder made of each."""

    net: PreTrainedModel
    start_id: int
    end_ids: tuple[int, ...]
    encoded: tuple[torch.Tensor, ...]

    def logits(self, source: int, prefixes: Int64Array) -> torch.Tensor:
        """Decodes whole prefixes, int64 [slots, tokens], anew; returns the next tokens' logits, float32 [slots, vocab]."""
        states = self.encoded[source].expand(len(prefixes), -1, -1)
        with torch.no_grad():
            output = self.net(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                decoder_input_ids=torch.from_numpy(prefixes),
                use_cache=False,
            )
        return output.logits[:, -1].float()

    def reference(self, source: int, generation: Generation) -> tuple[list[list[int]], list[float]]:
        """What `generate` returns: tokens behind the start token, up to the end, and scores (none without beams)."""
        with torch.no_grad():
            output: Any = self.net.generate(
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
    return GenerationConfig(
        num_beams=generation.num_beams,
        num_return_sequences=generation.num_return_sequences,
        max_new_tokens=generation.max_new_tokens,
        min_new_tokens=generation.min_new_tokens or None,
        length_penalty=generation.length_penalty if generation.num_beams > 1 else None,
        early_stopping=EARLY_STOPPING[generation.early_stopping] if generation.num_beams > 1 else None,
        no_repeat_ngram_size=generation.no_repeat_ngram_size,
        repetition_penalty=generation.repetition_penalty,
        forced_bos_token_id=generation.forced_first_id,
        decoder_start_token_id=model.start_id,
        eos_token_id=list(model.end_ids),
        pad_token_id=PAD_ID,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )


def _build(family: str, seed: int, init_std: float, end_bias: float, end_ids: tuple[int, ...] = (END_ID,)) -> Model:
    """A model of two small layers; `init_std` sets how peaked its distributions are, `end_bias` how early it ends."""
    torch.manual_seed(seed)
    special = {"pad_token_id": PAD_ID, "eos_token_id": END_ID, "vocab_size": VOCAB_SIZE, "forced_eos_token_id": None}
    if family == "t5":
        t5 = T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4, initializer_factor=init_std, **special)
        t5.decoder_start_token_id = start_id = PAD_ID
        net: PreTrainedModel = T5ForConditionalGeneration(t5)
    else:
        start_id = END_ID if family == "bart" else PAD_ID
        sizes = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in
                 (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))}  # fmt: skip
        common = dict(d_model=32, init_std=init_std, decoder_start_token_id=start_id, **sizes, **special)
        net = (
            BartForConditionalGeneration(BartConfig(max_position_embeddings=64, bos_token_id=0, **common))
            if family == "bart"
            else MarianMTModel(MarianConfig(max_position_embeddings=64, **common))
        )
        net.final_logits_bias[0, list(end_ids)] += end_bias
    # In double precision both sides round the same numbers, so that a near tie does not decide a comparison.
    net = net.double().eval()
    generator = torch.Generator().manual_seed(seed)
    lengths = (3, 7, 5, 11)
    sources = [torch.randint(3, VOCAB_SIZE, (1, length), generator=generator) for length in lengths]
    with torch.no_grad():
        encoded = tuple(net.get_encoder()(source).last_hidden_state for source in sources)
    return Model(net, start_id, end_ids, encoded)


def _spec_id(spec: tuple[Any, ...]) -> str:
    return "-".join(map(str, spec))


# Family, seed, init_std (peakedness), end_bias, end ids.
MODELS: list[tuple[Any, ...]] = [
    ("marian", 0, 0.1, 1.0),
    ("marian", 1, 0.4, 2.0),
    ("bart", 2, 0.15, 1.5),
    ("bart", 3, 0.5, 4.0),
    ("t5", 4, 2.0, 0.0),
    ("marian", 5, 0.2, 1.5, (END_ID, 7, 9)),
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
        max_requests=max(BATCH_ROWS, len(jobs)),
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


def _step(model: Model, search: Search, live: list[Row], results: dict[int, list[Hypothesis]]) -> None:
    """One step of all live rows; finished ones leave, the last row closing the gap."""
    logits = torch.cat([model.logits(row.source, row.prefixes) for row in live])
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
        ended = hypothesis.tokens[-1] in model.end_ids
        assert hypothesis.finish_reason == ("end" if ended else "length")
        assert len(hypothesis.tokens) == len(hypothesis.logprobs) == len(hypothesis.path)


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
