"""What a worker offers, whatever its engine, and how it is timed.

A *job* is a list of groups, each `{"sources": [...], "new_tokens": n}`: sources that a static engine runs as one batch,
and the length that each output is made to have; without a length the model stops by itself. A source is a list of token
ids, or the number that seeds a picture. `num_beams` 1 is greedy search.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.peers.inside import lines

Group = dict[str, Any]
Outputs = list[list[int]]

MAX_NEW_TOKENS = 128  # of models that stop by themselves


class Engine(ABC):
    """A model in memory, ready to run jobs."""

    versions: dict[str, str]
    setting: str

    @abstractmethod
    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        """The best outputs without special tokens, group by group.

        Args:
            one_by_one: each group begins when the one before it has ended; otherwise all are there at once.
        """

    def extras(self) -> dict[str, float]:
        """What else an engine tells of its last run."""
        return {}


def serve(open_engine: Any) -> None:
    """Serves `open`, `run` and `cpu`; `open_engine` makes the engine from the arguments of `open`."""
    opened: list[Engine] = []

    def open_(**arguments: Any) -> dict[str, Any]:
        opened.append(open_engine(**arguments))
        return {"versions": opened[0].versions, "setting": opened[0].setting}

    def run(
        groups: Sequence[Group], num_beams: int = 1, one_by_one: bool = False, outputs: bool = False, **options: Any
    ) -> dict[str, Any]:
        started, cpu = time.perf_counter(), time.process_time()
        made = opened[0].run(groups, num_beams, one_by_one, **options)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        for group, found in zip(groups, made, strict=False):
            if group["new_tokens"] and any(len(output) != group["new_tokens"] for output in found):
                raise RuntimeError(
                    f"{group['new_tokens']} tokens were wanted, {[len(output) for output in found]} came"
                )
        num_tokens = sum(len(output) for group in made for output in group)
        told = {"seconds": seconds, "cpu_s": cpu_s, "num_tokens": num_tokens, **opened[0].extras()}
        return told | ({"outputs": made} if outputs else {})

    lines.serve({"open": open_, "run": run})


def pixels(seed: int, size: int = 224) -> Any:
    """A picture of noise: float32 [3, size, size]."""
    return np.random.default_rng(seed).standard_normal((3, size, size)).astype(np.float32)
