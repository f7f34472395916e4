"""What an explanation follows through erasures: the probability of a label, or the score of an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from regard.arrays import Array, Float32Array
from regard_service.bundle import BOX_LOGITS, LOGITS, AttentionLayout, BoxesOutput, LabelsOutput
from regard_service.calls.boxes import box_corners, overlaps, scores_of_labels
from regard_service.calls.probabilities import probabilities
from regard_service.domain.explanations import Evidence
from regard_service.domain.outputs import Detection
from regard_service.domain.results import ImageGrid
from regard_service.engine.runtime.trace import Trace
from regard_service.maps.evidence import label_row, query_row, shares_of_positions

LEAST_OVERLAP = 0.5
"""Of two boxes, in parts of their union, from which on they are one object's: as in mAP@0.5."""


class Followed(Protocol):
    """What one explanation is about."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def probability(self) -> float:
        """Its probability, or the object's score, with the whole input."""

    def probability_of(self, outputs: Mapping[str, Array]) -> float:
        """The same with another input, from what the encode graph outputs for it."""

    def shares(self, trace: Trace, evidence: Evidence, num_skipped: int) -> Float32Array:
        """float32 [source]: each position's part in it, as attention tells. Args: num_skipped: as of `label_row`."""


@dataclass(frozen=True)
class FollowedLabel:
    """A label of a whole input.

    Attributes:
        column: of the label, among the model's.
    """

    output: LabelsOutput
    column: int
    probability: float

    @classmethod
    def of(cls, outputs: Mapping[str, Array], output: LabelsOutput, label: str) -> "FollowedLabel":
        """Follows a label. Args: outputs: of the whole input; label: "" for the likeliest."""
        chances = _chances(outputs, output)
        column = output.labels.index(label) if label else int(chances.argmax())
        return cls(output, column, float(chances[column]))

    @property
    def label(self) -> str:
        """See `Followed`."""
        return self.output.labels[self.column]

    def probability_of(self, outputs: Mapping[str, Array]) -> float:
        """See `Followed`."""
        return float(_chances(outputs, self.output)[self.column])

    def shares(self, trace: Trace, evidence: Evidence, num_skipped: int) -> Float32Array:
        """See `Followed`."""
        of_positions = shares_of_positions(trace, evidence)
        return label_row(of_positions, num_skipped=None if self.output.pooling == "class" else num_skipped)


@dataclass(frozen=True)
class FollowedObject:
    """An object in a picture. Its score is the highest of its label in a box at its place, with the same query or not.

    Attributes:
        grid: of the picture.
        layout: says which heads are averaged.
        outputs: of the whole picture.
    """

    found: Detection
    output: BoxesOutput
    grid: ImageGrid
    layout: AttentionLayout
    outputs: Mapping[str, Array]

    @property
    def label(self) -> str:
        """See `Followed`."""
        return self.found.label

    @cached_property
    def probability(self) -> float:
        """See `Followed`."""
        return self.probability_of(self.outputs)

    def probability_of(self, outputs: Mapping[str, Array]) -> float:
        """See `Followed`. 0 where no box is at the object's place."""
        columns = [column for column, label in enumerate(self.output.labels) if label == self.label]
        scores = scores_of_labels(outputs[BOX_LOGITS], self.output)[:, columns].max(axis=1)
        is_there = overlaps(box_corners(outputs, self.grid), np.array(self.found.box)) >= LEAST_OVERLAP
        return float(scores.max(where=is_there, initial=0.0))

    def shares(self, trace: Trace, evidence: Evidence, num_skipped: int) -> Float32Array:
        """See `Followed`."""
        return query_row(trace, self.found.query, evidence, self.layout.alignment_heads)


def _chances(outputs: Mapping[str, Array], output: LabelsOutput) -> Float32Array:
    """float32 [labels]."""
    return probabilities(outputs[LOGITS].astype(np.float32), is_exclusive=output.is_exclusive)
