import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from rich.progress import Progress

from benchmarks.harness.served_model import ServedModel
from benchmarks.mechanisms import alignments
from benchmarks.mechanisms.alignments import Attending, attend
from benchmarks.mechanisms.mechanisms_report import Mechanism, MechanismsReport
from benchmarks.quality.quality_report import Score
from tests.unit.benchmarks.test_reports import MACHINE

MEASURED: dict[str, Any] = {
    "date": datetime(2026, 1, 2, tzinfo=UTC),
    "command": "python -m benchmarks.mechanisms --data DIR",
    "commit": "abc1234",
    "machine": MACHINE,
}


class FakeClient:
    """Answers with two text tokens and the end; one model attends to one source token, the other to four equally."""

    calls: ClassVar[list[tuple[str, bool]]] = []

    def __init__(self, target: str) -> None:
        assert target == "host:1"

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def translate(self, text: Any, to: str, *, model: str, num_beams: int, attention: bool = False) -> Any:
        self.calls.append((model, attention))
        weights = np.eye(3, 4) if model == "sharp" else np.full((3, 4), 0.25)
        entropy = (0.0, 0.0, 9.0) if model == "sharp" else (math.log(4), math.log(4), 9.0)
        tokens = [SimpleNamespace(special=special) for special in (False, False, True)]
        return SimpleNamespace(
            best=SimpleNamespace(tokens=tokens, entropy=entropy),
            alignment=SimpleNamespace(values=weights) if attention else None,
            timings=SimpleNamespace(decode_ms=6.0),
        )


def test_alignments_of_text_tokens_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignments, "Client", FakeClient)
    FakeClient.calls.clear()
    with Progress(disable=True) as progress:
        sharp, even = attend("host:1", ["sharp", "even"], "de", ["one", "two"], progress)
    assert (sharp.num_sentences, sharp.entropy, sharp.entropy_share, sharp.peak) == (2, 0, 0, 1)
    assert even.entropy == pytest.approx(math.log(4), abs=1e-3)
    assert (even.entropy_share, even.peak) == (1, 0.25)
    assert sharp.token_ms == 2.0
    in_turn = [("sharp", False), ("sharp", True), ("even", False), ("even", True)]
    assert FakeClient.calls == [("sharp", False), ("even", False), *in_turn, *in_turn]


def test_report_puts_the_models_side_by_side() -> None:
    served = ServedModel(name="some", version="1", precision="int8", provider="cpu", size_mb=9.5)
    metrics = {"bleu": 30.01, "bleu_tokenized_lowercased": 31.5}
    score = Score(
        task="multi30k", title="Photographs", split="test", variant="de", model=served, num_beams=5, num_inputs=1000,
        metrics=metrics, seconds=4.0,
    )  # fmt: skip
    attending = Attending(num_sentences=200, p50_ms=7.04, token_ms=0.351, entropy=0.5, entropy_share=0.2, peak=0.8)
    mechanism = Mechanism(attention="additive", score=score, attending=attending)
    report = MechanismsReport(**MEASURED, mechanisms=(mechanism,), left_out=("other on multi30k: not there",))
    outputs, attention = report.tables()
    assert outputs.rows == [["some 1 (int8)", "9.5", "additive", "30.0", "31.5", "250"]]
    assert attention.rows == [["some", "7.0", "0.35", "0.50", "0.20", "0.80"]]
    assert report.notes()[0] == "Left out: other on multi30k: not there."
    assert list(MechanismsReport(**MEASURED, mechanisms=(), left_out=()).tables()) == []
