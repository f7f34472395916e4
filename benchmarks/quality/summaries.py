"""What the tasks that summarize share."""

import gzip
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.task import Call, LeftOut, Part
from regard import AsyncClient, Model, Result

MAX_CHARACTERS = 20_000  # what a server takes by default; models read the beginning only


def summaries_part(path: Path, reference: str, style: str, model: Model, limit: int | None) -> Part:
    """Summaries of a file's documents, one JSON object a line, and their ROUGE.

    Args:
        reference: the key of the summary that a person wrote; the document's is "body".

    Raises:
        LeftOut: there is no such file.
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
