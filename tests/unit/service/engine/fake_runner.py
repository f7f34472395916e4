"""A runner without a graph: its model says its source again, token by token, then ends."""

import threading
import time
from collections.abc import Sequence

import numpy as np

from regard.arrays import Array
from regard_service.bundle import Manifest
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots
from tests.waiting import PATIENCE_S

END_ID, PAD_ID, START_ID, VOCAB_SIZE = 1, 0, 2, 40


def fake_manifest(max_target_tokens: int = 64) -> Manifest:
    """The manifest of a model with a memory of [requests, source], one layer and one head."""
    memory = {"name": "memory", "dtype": "int64", "shape": ["requests", "source"]}
    cache = {"name": "cache", "dtype": "int64", "shape": ["slots", "capacity"]}
    graph = {"file": "none.onnx", "inputs": [], "outputs": []}
    return Manifest.model_validate(
        {
            "name": "echo",
            "version": "1",
            "task": "translation",
            "family": "fake",
            "source": {"tokenizer": "none.json"},
            "target": {
                "tokenizer": "none.json",
                "vocab_size": VOCAB_SIZE,
                "start_id": START_ID,
                "pad_id": PAD_ID,
                "end_ids": [END_ID],
            },
            "max_source_tokens": 64,
            "max_target_tokens": max_target_tokens,
            "generation": {"max_new_tokens": max_target_tokens},
            "attention": {"layers": 1, "heads": 1, "alignment_heads": [[0, 0]]},
            "memory": [memory],
            "state": [{"input": cache, "output": "next_cache", "in_place": True}],
            "variants": [
                {"precision": "float32", "providers": ["CPUExecutionProvider"], "encode": graph, "step": graph}
            ],
            "provenance": {"source": "a test"},
            "files": {},
        }
    )


class FakeRunner(Runner):
    """Echoes sources. A step at position t points its attention at source position t.

    Attributes:
        gate: steps wait until it is set; set at first.
        num_held: steps that have waited for the gate, or wait for it.
        num_steps: steps so far.
        batch_sizes: live requests of every step.
        fail: raise at the next step.
        fail_at: raise at the step with this number.
    """

    def __init__(self, step_s: float = 0.0, max_target_tokens: int = 64, encode_s: float = 0.0) -> None:
        self.manifest = fake_manifest(max_target_tokens)
        self.step_s = step_s
        self.encode_s = encode_s
        self.gate = threading.Event()
        self.gate.set()
        self.num_steps = 0
        self.batch_sizes: list[int] = []
        self.fail = False
        self.fail_at: int | None = None
        self.num_held = 0

    def source_length(self, source: Array) -> int:
        return len(source)

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        time.sleep(self.encode_s)
        memory = np.full((len(sources), max(map(len, sources))), END_ID, np.int64)
        for row, source in enumerate(sources):
            memory[row, : len(source)] = source
        return {"memory": memory}

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if not self.gate.is_set():
            self.num_held += 1
        assert self.gate.wait(PATIENCE_S)
        time.sleep(self.step_s)
        if self.fail or self.num_steps + 1 == self.fail_at:
            self.fail_at = None
            self.fail = False
            raise RuntimeError("a graph that fails")
        self.num_steps += 1
        self.batch_sizes.append(num_live)
        beams = slots.shape.num_beams
        rows = np.repeat(np.arange(num_live), beams)
        positions = slots.lengths[: num_live * beams]
        inside = positions < slots.source_lengths[rows]
        safe = np.minimum(positions, slots.shape.source - 1)
        best = np.where(inside, slots.memory["memory"][rows, safe], END_ID)
        slots.state["cache"][np.arange(num_live * beams), positions] = slots.tokens[: num_live * beams]
        ids = (best[:, None] + np.arange(num_candidates)) % VOCAB_SIZE
        logits = np.broadcast_to(-2.0 * np.arange(num_candidates, dtype=np.float32), ids.shape)
        cross = np.zeros((num_live, 1, beams, slots.shape.source), np.float32)
        cross[rows, 0, np.arange(num_live * beams) % beams, safe] = 1
        normalizer = np.full(num_live * beams, np.log(np.exp(-2.0 * np.arange(VOCAB_SIZE)).sum()), np.float32)
        return StepOutput(logits, ids, normalizer, [cross])
