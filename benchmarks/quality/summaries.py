"""Shared by the tasks that summarize."""

import gzip
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.task import Call, LeftOut, Part
from regard import AsyncClient, Model, Result

MAX_CHARACTERS = 20_000  # the server's default limit; models read the beginning only


def summaries_part(path: Path, reference: str, style: str, model: Model, limit: int | None) -> Part:
    """Summaries of a file's documents, one JSON object per line, scored by ROUGE.

    Args:
        reference: key of the human summary; the document's key is "body".

    Raises:
        LeftOut: the file is missing.
    """
    if not path.exists():
        raise LeftOut(f"there is no {path.name} in the folder {path.parent.name}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, limit)]
    references = [row[reference] for row in rows]

    def score(outputs: Sequence[str]) -> dict[str, float]:
        return metrics.rouge(outputs, references)

    return Part("dev", style, [_summary(row["body"][:MAX_CHARACTERS], style, model.name) for row in rows], score)


def _summary(text: str, style: str, model: str) -> Call:
    async def call(client: AsyncClient, num_beams: int) -> Result:
        return await client.summarize(text, style, model=model, num_beams=num_beams, truncation="truncate")

    return call
