"""What terms cost the requests that share a batch with them."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.terms.cutting import TermCase
from regard_service.bundle import Bundle
from regard_service.calls.terms import TermReader
from regard_service.domain.glossaries import GlossaryEntry
from regard_service.engine.core.decode import decode
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.cuda import open_runner
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from regard_service.passages.edits import EditedText
from regard_service.passages.terms.finding import TermFinder
from regard_service.text.phrases import PhraseWriter
from regard_service.text.reading import SourceReader, SourceText
from regard_service.text.writing import TargetWriter

NUM_ROWS = 32
ROUNDS = 5
EVERY = 4  # one row in four has terms


@dataclass(frozen=True)
class ThroughputOutcome:
    """Output tokens a second of a running batch, through the engine's core on one thread.

    Attributes:
        share: with terms over without: the median of pairs of rounds.
    """

    num_beams: int
    num_requests: int
    num_terms: int
    share: float


def measure_throughput(folder: Path, cases: Sequence[TermCase], to: str, num_beams: int) -> ThroughputOutcome:
    """Decodes the same sentences with terms in a quarter of the rows, and without, in turns."""
    bundle = Bundle.load(folder)
    runner = open_runner(bundle, bundle.manifest.variants[0], "CPUExecutionProvider")
    reader, writer = SourceReader(bundle), TargetWriter(bundle)
    phrases = PhraseWriter(writer, writer.encode)
    chosen = list(islice((case for case in cases if len(case.terms) >= 3), NUM_ROWS * 4))
    plain = [reader.read(case.source, field="text", key=to, truncation="truncate") for case in chosen]
    steered = [
        _with_terms(part, case, phrases) if index % EVERY == 0 else part
        for index, (part, case) in enumerate(zip(plain, chosen, strict=True))
    ]
    shares = []
    for _ in range(ROUNDS):
        with_terms, without = (_rate(runner, parts, num_beams) for parts in (steered, plain))
        shares.append(with_terms / without)
    num_terms = sum(len(part.terms.terms) for part in steered if part.terms is not None)
    return ThroughputOutcome(num_beams, len(chosen), num_terms, round(statistics.median(shares), 3))


def _with_terms(part: SourceText, case: TermCase, phrases: PhraseWriter) -> SourceText:
    finder = TermFinder((GlossaryEntry(*term), "terms") for term in case.terms)
    terms = TermReader((finder,), phrases, 1000, is_spaced=True)
    return terms.added(part, terms.find(case.source), EditedText.unchanged(case.source), field="text")


def _rate(runner: Runner, parts: Sequence[SourceText], num_beams: int) -> float:
    requests = [
        EngineRequest(part.array, Generation(64, num_beams, terms=part.terms), attention=False) for part in parts
    ]
    begin = time.perf_counter()
    num_tokens: int = sum(len(result.hypotheses[0].tokens) for result in decode(runner, requests, max_rows=NUM_ROWS))
    return num_tokens / (time.perf_counter() - begin)
