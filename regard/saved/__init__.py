"""Results in files: written as they arrive, by the file's ending, and read back as they were.

    .jsonl      one JSON object a line: `input`, `index`, and the fields of the result, maps as nested lists
    .parquet    a table; needs pyarrow, the extra 'data'
    .npz        arrays of NumPy

Each line, row or entry is an Outcome: the result of an input, or its error.
"""

from regard.saved.reading import read_results
from regard.saved.writing import ENDINGS, ResultWriter, write_results

__all__ = ["ENDINGS", "ResultWriter", "read_results", "write_results"]
