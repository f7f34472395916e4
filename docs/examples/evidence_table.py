"""What evidence is worth on average: means of explanations, each against that of a random order."""

from collections.abc import Sequence

import numpy as np

from regard.values.encodings import Explanation

NUM_RESAMPLED = 2000


def show(explained: Sequence[Sequence[Explanation]]) -> None:
    """Prints the means over inputs, and what each is above the random order's, with its 95 % interval.

    Args:
        explained: of each input the same sources of evidence, "random" among them.
    """
    evidence = [each.evidence for each in explained[0]]
    rows = np.random.default_rng(0).integers(len(explained), size=(NUM_RESAMPLED, len(explained)))
    for name in ("comprehensiveness", "sufficiency"):
        values = np.array([[getattr(each, name) for each in own] for own in explained])
        for column, source in enumerate(evidence):
            above = values[:, column] - values[:, evidence.index("random")]
            low, high = np.quantile(above[rows].mean(axis=1), [0.025, 0.975])
            print(f"{name} {source}: {values[:, column].mean():.3f}, above random {low:+.3f} to {high:+.3f}")
