"""The jobs that engines run: groups of sources, see inside/engine.py."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.peers.lengths import length_pairs
from benchmarks.peers.models import BART, CAPTIONER, MARIAN, Model

SEED = 0


@dataclass(frozen=True)
class Vocabulary:
    """How to draw sources of random ids.

    Attributes:
        first, last: range of the drawn ids.
        before, after: ids before and after the drawn ones.
    """

    first: int
    last: int
    before: tuple[int, ...]
    after: tuple[int, ...]


KINDS = {MARIAN: "translation", BART: "summarization", CAPTIONER: "captioning"}
VOCABULARIES = {MARIAN: Vocabulary(2, 58_099, (), (0,)), BART: Vocabulary(4, 50_264, (0,), (2,))}


@dataclass(frozen=True)
class Job:
    """The arguments of a worker's `run`."""

    groups: tuple[dict[str, Any], ...]
    num_beams: int = 1
    one_by_one: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name."""
        return {"groups": self.groups, "num_beams": self.num_beams, "one_by_one": self.one_by_one}

    @property
    def shortest(self) -> "Job":
        """The last group, which is the shortest."""
        return replace(self, groups=self.groups[-1:])

    @property
    def warm_up(self) -> "Job":
        """The last two groups, the shortest ones."""
        return replace(self, groups=self.groups[-2:])

    @property
    def sample(self) -> "Job":
        """Every third group, at least two, for slow engines."""
        return replace(self, groups=self.groups[:: min(3, max(1, len(self.groups) - 1))])


def drawn_length_job(model: Model, batch: int, num_groups: int, *, num_beams: int = 1) -> Job:
    """Sources of random ids with lengths drawn from real ones; outputs have the mean length of their group.

    Groups collect similar lengths, so that engines with static batches waste no steps on finished rows. The longest
    groups come first, so that the last ones leave no worker idle for long. Groups of one source run in sequence.
    """
    drawn = random.Random(SEED)
    found = sorted(
        drawn.choices(length_pairs(KINDS[model]), k=batch * num_groups),
        key=lambda pair: (pair[1], pair[0]),
        reverse=True,
    )
    cut = [found[at : at + batch] for at in range(0, len(found), batch)]
    groups = tuple(
        {
            "sources": [_source(model, length, drawn) for length, _ in group],
            "new_tokens": round(sum(target for _, target in group) / batch),
        }
        for group in cut
    )
    return Job(groups, num_beams, one_by_one=batch == 1)


def fixed_length_job(model: Model, source: int, target: int, batch: int, num_groups: int) -> Job:
    """Sources of one length and outputs of one length."""
    drawn = random.Random(SEED)
    sources = [[_source(model, source, drawn) for _ in range(batch)] for _ in range(num_groups)]
    return Job(tuple({"sources": each, "new_tokens": target} for each in sources), one_by_one=batch == 1)


def free_length_job(sources: Sequence[Sequence[int]], batch: int) -> Job:
    """Real sources, whose outputs the model itself ends; groups of similar lengths, longest first."""
    ordered = sorted(sources, key=len, reverse=True)
    cut = [ordered[at : at + batch] for at in range(0, len(ordered), batch)]
    return Job(tuple({"sources": each, "new_tokens": None} for each in cut), one_by_one=batch == 1)


def text_job(texts: Sequence[str], batch: int) -> Job:
    """Texts in the order that they have, so that lengths are mixed; the model itself ends the outputs."""
    cut = [texts[at : at + batch] for at in range(0, len(texts), batch)]
    return Job(tuple({"sources": list(each), "new_tokens": None} for each in cut), one_by_one=batch == 1)


def _source(model: Model, length: int, drawn: random.Random) -> Any:
    if model == CAPTIONER:
        return drawn.randrange(1000)
    vocabulary = VOCABULARIES[model]
    room = length - len(vocabulary.before) - len(vocabulary.after)
    ids = [drawn.randint(vocabulary.first, vocabulary.last) for _ in range(room)]
    return [*vocabulary.before, *ids, *vocabulary.after]
