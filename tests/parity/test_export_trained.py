"""Trained checkpoints: beams differ from greedy outputs, attention is sharp, and int8 passes every gate."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoTokenizer

from regard_export.cli.commands import export_command
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.resources.threads import half_of_torch_threads
from regard_service.bundle import Bundle
from regard_service.engine.core.result import EngineHypothesis
from regard_service.generation import Generation
from tests.unit.export.family_checkpoints import FAMILIES, write_family

BATCH = 12
WORDS = sorted({word.strip("?,.!").lower() for text in EXAMPLE_SENTENCES for word in text.split()})[:12]
TRAINED = {"bart": (0.006, 640), "t5 v1.1": (0.01, 240)}  # highest learning rate, steps


@dataclass(frozen=True)
class Trained:
    bundle: Bundle
    engine: VariantEngine
    net: Any
    tokenizer: Any


@pytest.fixture(scope="module", params=TRAINED)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    folder = tmp_path_factory.mktemp("trained")
    checkpoint = write_family(folder / "checkpoint", request.param)
    with half_of_torch_threads():
        net, tokenizer = _train(FAMILIES[request.param].net, checkpoint, *TRAINED[request.param])
        task = ["--task", "summarization", "--precision", "float32,int8"]
        result = CliRunner().invoke(export_command, [str(checkpoint), "-o", str(folder / "b"), *task])
        assert result.exit_code == 0, result.output
        bundle = Bundle.load(folder / "b")
        yield Trained(bundle, VariantEngine(bundle, "float32"), net, tokenizer)


def _train(net_class: Any, checkpoint: Path, rate: float, num_steps: int) -> tuple[Any, Any]:
    """Trains a checkpoint for a few seconds to repeat words, some of which it may omit."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    torch.manual_seed(0)
    net, rng = net_class(net_class.config_class.from_pretrained(checkpoint)), random.Random(0)
    net.eval()  # no dropout
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=num_steps, pct_start=0.2)
    for _ in range(num_steps):
        sources = [rng.sample(WORDS, rng.randint(2, 4)) for _ in range(BATCH)]
        targets = [[word for word in words if rng.random() < 0.7] or words for words in sources]
        inputs = _batch(tokenizer, sources)
        labels = _batch(tokenizer, targets).input_ids
        labels[labels == tokenizer.pad_token_id] = -100
        loss = net(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    net.save_pretrained(checkpoint)
    reloaded = net_class.from_pretrained(checkpoint, attn_implementation="eager")
    return reloaded.eval(), tokenizer


def _batch(tokenizer: Any, examples: list[list[str]]) -> Any:
    return tokenizer([" ".join(words) for words in examples], padding=True, return_tensors="pt")


def _sources(tokenizer: Any) -> list[list[int]]:
    rng = random.Random(1)
    return [tokenizer(" ".join(rng.sample(WORDS, 4))).input_ids for _ in range(12)]


def _decode(trained: Trained, num_beams: int) -> list[EngineHypothesis]:
    forced = trained.bundle.manifest.target.forced_first_id("")
    generation = Generation(max_new_tokens=24, num_beams=num_beams, forced_first_id=forced)
    return list(trained.engine.search(_sources(trained.tokenizer), generation))


def test_int8_passes_every_gate(trained) -> None:
    assert trained.bundle.manifest.verification["passed"]


def test_beams_find_what_greedy_search_does_not_and_equal_the_originals(trained) -> None:
    greedy, beams = _decode(trained, 1), _decode(trained, 4)
    assert any(not np.array_equal(g.tokens, b.tokens) for g, b in zip(greedy, beams, strict=True))
    plain: dict[str, Any] = {
        "num_beams": 4,
        "max_new_tokens": 24,
        "max_length": None,
        "min_length": 0,
        "no_repeat_ngram_size": 0,
    }
    plain |= {"length_penalty": 1.0, "early_stopping": False, "forced_eos_token_id": None}
    for source, found in zip(_sources(trained.tokenizer), beams, strict=True):
        with torch.inference_mode():
            original = trained.net.generate(
                torch.tensor([source]), **plain, output_scores=True, return_dict_in_generate=True
            )
        assert found.tokens.tolist() == original.sequences[0, 1:].tolist()
        assert found.score == pytest.approx(float(original.sequences_scores[0]), abs=1e-4)


def test_attention_is_sharp(trained) -> None:
    """Some head gives most of its weight to one source token, a different one at each step."""
    # The sharpest head's largest weight of each text, averaged over the target.
    sharpest: list[float] = []
    for found in _decode(trained, 1):
        assert found.cross_attention is not None
        sharpest.append(found.cross_attention.max(-1).mean(-1).max())
    assert np.mean(sharpest) > 0.33  # uniform attention over these texts is about 0.1
