"""A model trained from nothing to say words backwards, exported, served and called: the whole way."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

import regard
from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import train_tokenizer
from regard_models.recipes.training import TrainingPlan
from regard_models.recipes.translation import Vocabulary, fit, write_checkpoint
from tests.system.served import Served, served

WORDS = "amber birch cedar daisy elder fern grape hazel iris jade kelp lily maple nettle oak poppy".split()
LANGUAGE = "xx"


def backwards(rng: random.Random) -> Pair:
    words = rng.choices(WORDS, k=rng.randint(2, 6))
    return Pair(" ".join(words), " ".join(reversed(words)), LANGUAGE)


def epochs(rng: random.Random) -> Iterator[list[Pair]]:
    while True:
        yield [backwards(rng) for _ in range(4000)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains, by steps so that a slow machine's model is as good; the checkpoint is what a recipe would write."""
    folder = tmp_path_factory.mktemp("backwards")
    torch.manual_seed(0)
    torch.set_num_threads(1)  # for a model this small, several threads would mostly wait for each other
    rng = random.Random(0)
    tokenizer: Tokenizer = train_tokenizer(
        (backwards(rng).source for _ in range(200)), vocab_size=330, language_tokens=[f"<{LANGUAGE}>"]
    )
    config = TransformerConfig(
        vocab_size=tokenizer.get_vocab_size(),
        width=64,
        num_heads=4,
        encoder_layers=2,
        decoder_layers=2,
        feed_forward_width=128,
        max_positions=64,
    )
    model, vocabulary = Transformer(config), Vocabulary(tokenizer)
    plan = TrainingPlan(500, peak_rate=3e-3, warmup_steps=50, decay_steps=350)
    fit(model, vocabulary, lambda: epochs(random.Random(0)), plan, folder, device="cpu", max_tokens=1500)
    card = {
        "task": "translation",
        "source_languages": ["en"],
        "target_languages": [LANGUAGE],
        "data": "made on the fly",
        "license": "CC0-1.0",
    }
    write_checkpoint(folder, config, model, vocabulary, card)
    return folder


@pytest.fixture(scope="module")
def server(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    bundles = tmp_path_factory.mktemp("bundles")
    command = [
        sys.executable,
        "-m",
        "regard",
        "export",
        str(checkpoint),
        "-o",
        str(bundles / "backwards"),
        "--unit",
        "whole",
    ]
    done = subprocess.run([*command, "--name", "backwards"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with served(f"--model-directories={bundles}") as process:
        yield process


@pytest.mark.parametrize("beams", [1, 4])
def test_what_was_learned_is_what_is_served(server: Served, beams: int) -> None:
    rng = random.Random(1)
    pairs = [backwards(rng) for _ in range(60)]
    with regard.Client(server.target) as client:
        results = client.translate([pair.source for pair in pairs], to=LANGUAGE, num_beams=beams)
    right = sum(result.text == pair.target for result, pair in zip(results, pairs, strict=True))
    assert right >= 54, [result.text for result in results[:5]]


def test_the_alignment_runs_backwards(server: Served) -> None:
    """Some head looks at the word to be said next: its map's diagonal runs from the lower left to the upper right."""
    text = "amber cedar fern hazel oak"
    with regard.Client(server.target) as client:
        result = client.translate(text, to=LANGUAGE, attention=["cross"], words=True)
    assert result.text == "oak hazel fern cedar amber"
    cross = result.best.find_map("cross")
    assert cross is not None
    words = [index for index, word in enumerate(result.source_words) if not word.special]
    expected = list(reversed(words))
    heads = cross.values.reshape(-1, *cross.shape[2:])
    best = max(sum(head[row].argmax() == column for row, column in enumerate(expected)) for head in heads)
    assert best >= 4, np.round(heads, 2)
