"""A file of digits as scikit-learn's, of strokes that differ by digit."""

import gzip
from pathlib import Path

import numpy as np


def write_digits(folder: Path, number: int = 40) -> Path:
    """Digit d has full ink in row d % 8, and half of it in column d // 2. Returns the file."""
    lines = []
    for index in range(number):
        digit = index % 10
        ink = np.zeros((8, 8), np.int64)
        ink[:, digit // 2], ink[digit % 8] = 8, 16
        lines.append(",".join(map(str, [*ink.flatten().tolist(), digit])))
    file = folder / "digits.csv.gz"
    with gzip.open(file, "wt") as stream:
        stream.write("\n".join(lines))
    return file
