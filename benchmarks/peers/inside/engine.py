"""The calls of every engine's worker, and how it times jobs.

A *job* is a list of groups, each `{"sources": [...], "new_tokens": n}`: sources that a static engine runs as one batch,
and the length of each output; with null the model itself ends its outputs. A source is a list of token ids, a text
(inside/text_engine.py), or the seed of a picture. `num_beams` 1 is greedy search.

`benchmarks.commits` calls the workers of earlier commits: `open` and `run` must keep their arguments and results.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.peers.inside import lines

Group = dict[str, Any]
Outputs = list[Any]
"""Outputs of a group: ids, or texts, of which `Engine.ids` makes ids."""

MAX_NEW_TOKENS = 128  # if the model itself ends its outputs


class Engine(ABC):
    """A loaded model that runs jobs."""

    versions: dict[str, str]
    setting: str

    @abstractmethod
    def run(self, groups: Sequence[Group], num_beams: int, one_by_one: bool) -> list[Outputs]:
        """Returns the best outputs without special tokens, group by group.

        Args:
            one_by_one: start each group after the last has ended; otherwise submit all groups at once.
        """

    def ids(self, output: Any) -> list[int]:
        """The ids of an output of `run`, by which it is counted and compared; not timed."""
        found: list[int] = output
        return found

    def extras(self) -> dict[str, float]:
        """Further measurements of the last run."""
        return {}


def serve(open_engine: Any) -> None:
    """Serves `open` and `run`; `open_engine` makes the engine from the arguments of `open`."""
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
                    f"outputs have {[len(output) for output in found]} tokens instead of {group['new_tokens']}"
                )
        made = [[opened[0].ids(output) for output in group] for group in made]
        num_tokens = sum(len(output) for group in made for output in group)
        answer = {"seconds": seconds, "cpu_s": cpu_s, "num_tokens": num_tokens, **opened[0].extras()}
        return answer | ({"outputs": made} if outputs else {})

    lines.serve({"open": open_, "run": run})


def pixels(seed: int, size: int = 224) -> Any:
    """A picture of noise: float32 [3, size, size]."""
    return np.random.default_rng(seed).standard_normal((3, size, size)).astype(np.float32)
