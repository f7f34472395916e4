"""A worker with Regard's engine between its own reading and writing of texts, without the server."""

import asyncio
from typing import Any

import numpy as np

from benchmarks.peers.inside.engine import MAX_NEW_TOKENS, Group, Outputs, serve
from benchmarks.peers.inside.regard_engine import RegardEngine
from benchmarks.peers.inside.text_engine import Pieces
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from regard_service.text.reading import SourceReader
from regard_service.text.writing import TargetWriter


class RegardTextEngine(RegardEngine):
    """Reads, translates and writes each text as the server does; with the model's shortlist, if it has one.

    Args:
        checkpoint: the folder that has the pieces by which outputs are counted.
        language: the target language.
    """

    def __init__(self, checkpoint: str, language: str, **options: Any) -> None:
        super().__init__(**options)
        self._reader, self._writer = SourceReader(self.bundle), TargetWriter(self.bundle)
        self._pieces, self._language = Pieces(checkpoint), language

    def ids(self, output: str) -> list[int]:
        return self._pieces.ids(output)

    async def _group(self, group: Group, runner: Runner, num_beams: int, attention: bool) -> Outputs:
        limit = min(MAX_NEW_TOKENS, runner.manifest.max_target_tokens)
        generation, is_listed = Generation(max_new_tokens=limit, num_beams=num_beams), runner.has_shortlist
        texts = await asyncio.gather(
            *(self._text(text, runner, generation, attention, is_listed) for text in group["sources"])
        )
        return list(texts)

    async def _text(self, text: str, runner: Runner, generation: Generation, attention: bool, is_listed: bool) -> Any:
        source = self._reader.read(text, field="text", key=self._language, truncation="truncate", language="en")
        request = EngineRequest(source.array, generation, attention=attention, is_listed=is_listed)
        (best,) = (await self._regard.generate(runner, request)).hypotheses
        return self._writer.write(best.tokens, np.zeros(len(best.tokens), np.float32), source).text


if __name__ == "__main__":
    serve(RegardTextEngine)
