"""The recipe from texts to a checkpoint, on a toy: continued, and started from an earlier checkpoint."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import TransformerConfig
from regard_models.recipes import everyday, everyday_data
from regard_models.recipes.everyday_data import LANGUAGES
from regard_models.recipes.figures import MASKS


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(everyday_data, "CHUNK", 60)
    monkeypatch.setattr(everyday, "VOCAB_SIZE", 320)
    sizes = {"width": 16, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 2, "feed_forward_width": 16}
    monkeypatch.setattr(everyday, "CONFIG", TransformerConfig(320, **sizes))  # type: ignore[arg-type]
    for code in LANGUAGES:
        for name, folder, prefix in (
            ("tatoeba", f"tatoeba/en-{code}", ""),
            ("help", "libreoffice_help", f".en-{code}"),
        ):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for split, count in (("train", 24), ("dev", 2)):
                for side, word in (("en", "has"), (code, f"{code}t")):
                    lines = "".join(f"Tom {word} {n} {name}s.\n" for n in range(count))
                    (tmp_path / folder / f"{split}{prefix}.{side}.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, *options: object) -> Checkpoint:
    arguments = ["--data", data, "--out", out, "--max-tokens", 200, "--warmup-steps", 2, "--device", "cpu", *options]
    monkeypatch.setattr("sys.argv", ["everyday", *map(str, arguments)])
    everyday.main()
    return Checkpoint.load(out)


def test_the_recipe_goes_on_and_starts_from_a_checkpoint(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ("--decay-steps", 3, "--more-merges", 5)
    whole = run(monkeypatch, data, data / "whole", "--steps", 6, *plan)
    assert whole.card["training"]["steps"] == 6
    assert whole.card["alignment_shifted"]
    assert {"loss", "alignment", "tatoeba_de", "help_es", "tokens_per_s"} <= json.loads(
        (data / "whole" / "log.jsonl").read_text().splitlines()[-1]
    ).keys()
    assert all(whole.tokenizer.token_to_id(mask) is not None for mask in MASKS)

    again = run(monkeypatch, data, data / "whole", "--steps", 6, *plan)  # all steps are made: nothing is learnt again
    assert all(torch.equal(again.weights[name], value) for name, value in whole.weights.items())

    started = run(
        monkeypatch, data, data / "next", "--steps", 1, "--start", data / "whole", "--more-merges", 0, "--peak-rate", 0
    )
    assert started.tokenizer.get_vocab() == whole.tokenizer.get_vocab()
    assert all(torch.equal(started.weights[name], value) for name, value in whole.weights.items())
