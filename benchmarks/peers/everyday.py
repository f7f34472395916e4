"""The shipped model on real sentences, whose outputs the model itself ends."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from benchmarks.harness.spread import Spread
from benchmarks.peers.agreement import agreement, outputs
from benchmarks.peers.engines import CTRANSLATE2
from benchmarks.peers.jobs import Job, free_length_job
from benchmarks.peers.models import EVERYDAY, SHIPPED
from benchmarks.peers.results import Figure
from benchmarks.peers.rows import Context, Findings
from benchmarks.peers.served_rows import (
    NUM_CLIENTS,
    compare,
    ctranslate2,
    engine_result,
    regard,
    throughput_and_p95,
)
from benchmarks.quality.corpus import data_folder, read_lines
from benchmarks.quality.metrics import bleu
from benchmarks.serving.sentences import SENTENCES
from regard_service.app.cores import cpu_limit
from regard_service.bundle import Bundle, TextSource

LANGUAGE = "de"
MAX_BLEU_LOSS = (0.3, 0.1)  # to float32: needed, goal


def requests(num_sentences: int, context: Context) -> list[tuple[str, int]]:
    """Sentences for a server, as of `job`; the model itself ends the outputs."""
    texts = _texts(num_sentences, context)
    return [(texts[number % len(texts)], 0) for number in range(num_sentences)]


def job(batch: int, num_sentences: int, context: Context) -> Job:
    """A job of Tatoeba's dev sentences if there are data, otherwise of the serving benchmark's sentences."""
    texts = _texts(num_sentences, context)
    repeated = [texts[number % len(texts)] for number in range(num_sentences)]
    return free_length_job(ids(repeated), batch)


def _texts(number: int, context: Context) -> Sequence[str]:
    return read_lines(_folder(context.data) / "dev.en.gz", number) if context.data else SENTENCES


def ids(texts: Sequence[str]) -> list[list[int]]:
    """The encoder's token ids of each text."""
    source, tokenizer = _text_source(), _tokenizer()
    pieces = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    return [[*source.prefix_ids[LANGUAGE], *each, *source.suffix_ids] for each in pieces]


@dataclass(frozen=True)
class EverydayServedRow:
    """Compares Regard's server with CTranslate2's under 32 clients, whose outputs the model itself ends."""

    num_sentences: int
    needed: float
    goal: float

    def __call__(self, context: Context) -> Findings:
        load = requests(self.num_sentences, context)
        with ExitStack() as stack:
            servers = [stack.enter_context(regard(context, EVERYDAY, load, language=LANGUAGE))]
            if CTRANSLATE2 in context.peers:
                peer = ctranslate2(context, EVERYDAY, load, NUM_CLIENTS // cpu_limit(), _tokenizer_arguments())
                servers.append(stack.enter_context(peer))
            results = compare(servers, context)
        figures: list[Figure] = []
        for other in servers[1:]:
            targets, none = (self.needed, self.goal), (None, None)
            figures += throughput_and_p95(other.name, results, targets, none)
        return Findings(tuple(figures), tuple(engine_result(each, results[each.name]) for each in servers))


def _tokenizer_arguments() -> dict[str, Any]:
    source = _text_source()
    file = str(SHIPPED / "everyday" / "tokenizer.json")
    return {"file": file, "before": list(source.prefix_ids[LANGUAGE]), "after": list(source.suffix_ids)}


@dataclass(frozen=True)
class QualityRow:
    """BLEU of the dev set by each engine, and the agreement with transformers; needs data."""

    num_sentences: int = 1000

    def __call__(self, context: Context) -> Findings:
        if context.data is None:
            return Findings((), notes=("BLEU not measured: no --data.",))
        folder, engines = _folder(context.data), context.engines(EVERYDAY)
        sources = ids(read_lines(folder / "dev.en.gz", self.num_sentences))
        references = read_lines(folder / f"dev.{LANGUAGE}.gz", self.num_sentences)
        order = sorted(range(len(sources)), key=lambda number: len(sources[number]), reverse=True)
        work = free_length_job([sources[number] for number in order], 32)
        _, plain = outputs(engines.transformers(cpu_limit()), work, context)
        expected = [references[number] for number in order]
        base = _bleu(plain, expected)
        figures, results = [Figure(what="transformers, float32: BLEU", value=Spread.of([base], 2))], []
        settings = [engines.regard(32)]
        if CTRANSLATE2 in context.peers:
            settings += [engines.ctranslate2(cpu_limit(), 1, compute_type=kind) for kind in ("float32", "int8")]
        for setting in settings:
            result, found = outputs(setting, work, context)
            name, score = f"{setting.engine}, {result.setting.split(',')[0]}", _bleu(found, expected)
            same, _ = agreement(found, plain)
            needed, goal = MAX_BLEU_LOSS if setting is settings[0] else (None, None)
            lost = Spread.of([base - score], 2)
            figures.append(Figure(what=f"{name}: BLEU", value=Spread.of([score], 2)))
            figures.append(Figure(what=f"{name}: BLEU lost", value=lost, needed=needed, goal=goal, at_most=True))
            figures.append(Figure(what=f"{name}: % of outputs alike", value=Spread.of([100 * same], 1)))
            results.append(result)
        return Findings(tuple(figures), tuple(results))


def _text_source() -> TextSource:
    source = Bundle.load(SHIPPED / "everyday").manifest.source
    if not isinstance(source, TextSource):
        raise TypeError("the model reads no text")
    return source


def _bleu(found: Sequence[Sequence[int]], references: Sequence[str]) -> float:
    return bleu(_tokenizer().decode_batch([list(each) for each in found]), references)


def _tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(SHIPPED / "everyday" / "tokenizer.json"))


def _folder(data: Path) -> Path:
    return data_folder(data, "tatoeba") / f"en-{LANGUAGE}"
