"""What evidence for a label or an object is worth: checked by deleting it, and by keeping nothing else."""

from dataclasses import dataclass
from typing import NamedTuple

from regard import names
from regard.arrays import Float32Array

Evidence = names.Evidence

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Of an input's tokens or regions (DeYoung et al. 2020, section 4)."""


@dataclass(frozen=True)
class ExplainOptions:
    """What to explain.

    Attributes:
        evidence: sources, each once; none explains nothing.
        label: whose probability is followed; "" is the likeliest of each input. Of detections: whose objects are
            explained; "" is all.
    """

    evidence: tuple[Evidence, ...] = ()
    label: str = ""


class Erasure(NamedTuple):
    """A label's probability without a share of the units of an input, and with nothing else.

    Attributes:
        num_erased: units of the share.
    """

    share: float
    num_erased: int
    without: float
    alone: float


@dataclass(frozen=True)
class Explanation:
    """What a source of evidence says, and what that is worth.

    Attributes:
        probability: of the label, with the whole input; of an object its score.
        scores: float32 [tokens], 0 of special ones, or [regions].
        num_runs: times that the model read the input again.
    """

    evidence: Evidence
    label: str
    probability: float
    scores: Float32Array
    erasures: tuple[Erasure, ...]
    num_runs: int

    @property
    def comprehensiveness(self) -> float:
        """The mean fall of the probability without the evidence (DeYoung et al. 2020, eq. 1)."""
        return sum(self.probability - each.without for each in self.erasures) / len(self.erasures)

    @property
    def sufficiency(self) -> float:
        """The mean fall of the probability with nothing but the evidence (DeYoung et al. 2020, eq. 2)."""
        return sum(self.probability - each.alone for each in self.erasures) / len(self.erasures)
