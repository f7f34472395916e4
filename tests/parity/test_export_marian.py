"""Marian checkpoints, exported and verified against MarianMTModel and MarianTokenizer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export import families
from export.exporting import ExportOptions, export
from export.reference import half_of_the_threads
from tests.unit.export.marian_checkpoints import write_marian

CHECKPOINTS: dict[str, dict[str, Any]] = {
    "bpe": {"kind": "bpe"},
    "unigram": {"kind": "unigram", "activation_function": "relu", "scale_embedding": False},
    "several languages": {"languages": ("fra", "spa"), "encoder_layers": 3, "decoder_layers": 1},
    "separate vocabularies": {"separate": True},
    "other sizes": {"encoder_attention_heads": 2, "decoder_ffn_dim": 64},
    "padding wanted": {"logits_bias": {"<pad>": 100.0, "</s>": 2.0}},
}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("export.verify.NUM_SENTENCES", 4)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 10)
    with half_of_the_threads():
        yield


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_check_passes(tmp_path: Path, name: str) -> None:
    model = families.load(write_marian(tmp_path / "checkpoint", **CHECKPOINTS[name]))
    # Random weights of width 32 lose more to 8 bits than trained ones.
    options = ExportOptions("opus", "1", ("int8", "float32"), {}, allow_mismatch=True)
    manifest = export(model, tmp_path / "bundle", options, lambda _: None).manifest
    failed = [
        f"{title}: {check}"
        for title, section in manifest.verification["checks"].items()
        for check, outcome in section.items()
        if not outcome["passed"] and "log-probability" not in check
    ]
    assert failed == []
    assert manifest.verification["reference"].startswith("MarianMTModel")
    assert manifest.source.tokenizer != manifest.target.tokenizer
