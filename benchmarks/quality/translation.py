"""Shared by the tasks that translate."""

from collections.abc import Sequence

from benchmarks.quality.task import Call
from regard import AsyncClient, Result


def translations(texts: Sequence[str], language: str, model: str, *, raw: bool = False) -> list[Call]:
    """Makes one call per text; with `raw`, the model reads each text as it is, in one piece."""
    return [_translation(text, language, model, raw=raw) for text in texts]


def _translation(text: str, language: str, model: str, *, raw: bool) -> Call:
    async def call(client: AsyncClient, num_beams: int) -> Result:
        return await client.translate(text, language, model=model, num_beams=num_beams, raw=raw)

    return call
